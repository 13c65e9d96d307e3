// SPDX-License-Identifier: Apache-2.0
// lookup NAME...: addresses by Go's own resolver, which asks by itself and reads no C library.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"
)

func main() {
	resolver := net.Resolver{PreferGo: true}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, name := range os.Args[1:] {
		addresses, err := resolver.LookupIPAddr(ctx, name)
		if err != nil {
			fmt.Println(err.(*net.DNSError).Err)
			continue
		}
		connection, err := net.DialTimeout("tcp", net.JoinHostPort(name, "80"), 10*time.Second)
		if err != nil {
			fmt.Println(addresses[0].String(), err)
			continue
		}
		fmt.Println(addresses[0].String(), connection.RemoteAddr())
	}
}
