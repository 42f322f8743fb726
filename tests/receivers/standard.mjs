// A webhook receiver that verifies with the npm package `standardwebhooks`, the reference implementation for JavaScript.
//
// What standard.py is, line for line of its output: `ready PORT`, then one JSON object a line for each delivery, before it
// is answered. A valid delivery is answered 204, another one 400. Its argument is where tests/run installed the package.

import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

const { Webhook } = createRequire(join(process.argv[2], "anything"))("standardwebhooks");
// Not on the command line, where every user of the machine could read it.
const webhook = new Webhook(process.env.WEBHOOK_SECRET);

// Far above any event radhook makes.
const MAX_BODY = 1 << 20;

const server = createServer(async (request, response) => {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    // A longer body ends here, and with it the connection.
    if (length > MAX_BODY) return;
    parts.push(part);
  }
  const record = { id: request.headers["webhook-id"] ?? null, status: 400 };
  try {
    const event = webhook.verify(Buffer.concat(parts), request.headers);
    const { type, timestamp } = event;
    Object.assign(record, { verdict: "valid", status: 204, type, timestamp, body: event });
    record.session = event.data.session?.id;
  } catch (error) {
    record.verdict = error.message;
  }
  console.log(JSON.stringify(record));
  response.writeHead(record.status).end();
});

server.listen(0, "127.0.0.1", () => console.log("ready", server.address().port));
