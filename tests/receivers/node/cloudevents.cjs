// Reads deliveries with the npm SDK of CloudEvents: one JSON object a line in, with `headers` and `body`
// (base64); one out, the list of events.
"use strict";

const readline = require("node:readline");
const { HTTP } = require("cloudevents");

function read({ headers, body }) {
  const events = HTTP.toEvent({ headers, body: Buffer.from(body, "base64").toString() });
  return [events].flat().map((event) => event.toJSON());
}

readline
  .createInterface({ input: process.stdin })
  .on("line", (line) => console.log(JSON.stringify(read(JSON.parse(line)))));
