// Verifies deliveries with the npm library of Standard Webhooks: one JSON object a line in, with
// `secret`, `headers` and `body` (base64); one out, with `payload` or with `error`, the library's own.
"use strict";

const readline = require("node:readline");
const { Webhook } = require("standardwebhooks");

function verify({ secret, headers, body }) {
  try {
    return { payload: new Webhook(secret).verify(Buffer.from(body, "base64"), headers) };
  } catch (error) {
    return { error: error.constructor.name };
  }
}

readline
  .createInterface({ input: process.stdin })
  .on("line", (line) => console.log(JSON.stringify(verify(JSON.parse(line)))));
