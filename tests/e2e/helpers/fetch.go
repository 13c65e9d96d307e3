// SPDX-License-Identifier: Apache-2.0

// fetch CERT URL...: what is there, with the protocol that it came by.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	pem, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	for _, url := range os.Args[2:] {
		response, err := client.Get(url)
		if err != nil {
			fmt.Println("failed")
			continue
		}
		body, _ := io.ReadAll(response.Body)
		fmt.Print(response.Proto, " ", string(body))
	}
}
