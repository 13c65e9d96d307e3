// SPDX-License-Identifier: Apache-2.0
// h2_server.mjs DIR: HTTP/2 and HTTP/1.1 by ALPN on port 8443 of every address; answers with what was spoken, and of whom.
import { readFileSync, writeFileSync } from "node:fs";
import { createSecureServer } from "node:http2";

const dir = process.argv[2];
const keys = { key: readFileSync(`${dir}/key.pem`), cert: readFileSync(`${dir}/cert.pem`) };

createSecureServer({ ...keys, allowHTTP1: true }, (request, response) => {
	response.end(`${request.httpVersion} ${request.socket.servername} ${request.authority ?? request.headers.host}\n`);
}).listen(8443, () => writeFileSync(`${dir}/also.up`, ""));
