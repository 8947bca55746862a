// client.mjs MODULE URL [BODY] asks with a module of Node, and prints status, version of HTTP and length of the body.

import http2 from "node:http2";
import https from "node:https";

const [module, url, body] = process.argv.slice(2);
const method = body ? "POST" : "GET";

async function length(stream) {
    let bytes = 0;
    for await (const chunk of stream) bytes += chunk.length;
    return bytes;
}

const by = {
    async https() {
        const answer = await new Promise((resolve, reject) => {
            https.request(url, { method }, resolve).on("error", reject).end(body);
        });
        return [answer.statusCode, answer.httpVersion, await length(answer)];
    },

    async http2() {
        const session = http2.connect(new URL(url).origin);
        const answered = new Promise((resolve, reject) => {
            session.on("error", reject);
            const stream = session.request({ ":method": method, ":path": new URL(url).pathname });
            stream.on("error", reject);
            stream.on("response", async (fields) => resolve([fields[":status"], 2, await length(stream)]));
            stream.end(body);
        });
        return answered.finally(() => session.close());
    },

    async fetch() {
        const answer = await fetch(url, { method, body });
        return [answer.status, 1.1, (await answer.arrayBuffer()).byteLength];
    },
};

console.log(...(await by[module]()));
