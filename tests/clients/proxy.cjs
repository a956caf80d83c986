// What stands between a client that knows only https://{app}.scm.azurewebsites.net and the server:
// a CONNECT proxy that leads every tunnel to a TLS end, which tells the server that it was https.
// usage: node proxy.cjs KEY CERTIFICATE SERVER_PORT; says the proxy's port on standard output.
"use strict";

const fs = require("fs");
const http = require("http");
const https = require("https");
const net = require("net");

const [key, cert, port] = process.argv.slice(2);
const options = { key: fs.readFileSync(key), cert: fs.readFileSync(cert) };

const tls = https.createServer(options, (incoming, answer) => {
    const { method, url } = incoming;
    const headers = { ...incoming.headers, "x-forwarded-proto": "https" };
    const outgoing = http.request({ host: "127.0.0.1", port, method, path: url, headers }, (got) => {
        answer.writeHead(got.statusCode, got.statusMessage, got.rawHeaders);
        got.pipe(answer);
    });
    outgoing.on("error", () => answer.destroy());
    incoming.pipe(outgoing);
});
tls.listen(0, "127.0.0.1", () => {
    const proxy = http.createServer((_, answer) => answer.writeHead(405).end());
    proxy.on("connect", (_, client, head) => {
        const end = net.connect(tls.address().port, "127.0.0.1", () => {
            client.write("HTTP/1.1 200 Connected\r\n\r\n");
            end.write(head);
            client.pipe(end).pipe(client);
        });
        end.on("error", () => client.destroy());
        client.on("error", () => end.destroy());
    });
    proxy.listen(0, "127.0.0.1", () => console.log(proxy.address().port));
});
