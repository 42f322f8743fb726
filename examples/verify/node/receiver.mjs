// Receives radhook's events with what Node brings: verifies, takes each event once, answers.
//
//     WEBHOOK_SECRET=whsec_... node receiver.mjs 8080
//
// A secret may also be the public key of Ed25519 signatures, whpk_...

import { createHmac, createPublicKey, timingSafeEqual, verify as verifyEd25519 } from "node:crypto";
import { createServer } from "node:http";

const MAX_BODY = 4 * 1024 * 1024; // Bytes; an event has a few thousand, a batch of them more.
const TOLERANCE = 5 * 60; // Seconds that a signature may be old, or ahead of our clock.
const REMEMBERED = 100_000; // Ids. Keep those of as long as radhook tries again: by its default schedule 15 hours.

// Put your program here. Store the event (a row of your database, a message of your queue) and return: after the answer
// it is yours alone, so work on what you have stored. If this throws, radhook sends the event again.
async function take(event) {}

// Each secret becomes a function that tells whether a signature of the signed bytes is its own.
function verifier(secret) {
  if (secret.startsWith("whpk_")) {
    const x = Buffer.from(secret.slice(5), "base64").toString("base64url");
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    return (signed, signature) =>
      signature.startsWith("v1a,") && verifyEd25519(null, signed, key, Buffer.from(signature.slice(4), "base64"));
  }
  const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : Buffer.from(secret);
  return (signed, signature) => {
    const ours = Buffer.from("v1," + createHmac("sha256", key).update(signed).digest("base64"));
    const theirs = Buffer.from(signature, "latin1");
    // In constant time; how long a signature is, is no secret.
    return ours.length === theirs.length && timingSafeEqual(ours, theirs);
  };
}

const verifiers = (process.env.WEBHOOK_SECRET ?? "").split(" ").filter(Boolean).map(verifier);

// A request that is not believed.
class Refused extends Error {
  constructor(status, why) {
    super(why);
    this.status = status;
  }
}

// The id of a request that was signed with one of our secrets, not long ago (Standard Webhooks, v1 and v1a).
function verify(headers, body, now) {
  const id = headers["webhook-id"];
  const timestamp = headers["webhook-timestamp"];
  const signatures = headers["webhook-signature"];
  if (!id || !signatures || !/^[0-9]+$/.test(timestamp ?? "")) {
    throw new Refused(400, "a webhook- header is missing or malformed");
  }
  // Over the bytes as they came: JSON that was parsed and written again has others.
  const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`, "latin1"), body]);
  // Several secrets during a rotation, several signatures for the same reason.
  const genuine = signatures.split(" ").some((signature) => verifiers.some((verifies) => verifies(signed, signature)));
  if (!genuine) throw new Refused(401, "no signature matches");
  if (Math.abs(now - Number(timestamp)) > TOLERANCE) {
    throw new Refused(401, "it was signed too long ago, or a clock is wrong");
  }
  return id;
}

async function read(request) {
  if (Number(request.headers["content-length"] ?? 0) > MAX_BODY) throw new Refused(413, "it is too long");
  const parts = [];
  let length = 0;
  // To leave the loop must not close the connection: there is an answer to be sent.
  for await (const part of request.iterator({ destroyOnReturn: false })) {
    length += part.length;
    if (length > MAX_BODY) throw new Refused(413, "it is too long");
    parts.push(part);
  }
  return Buffer.concat(parts);
}

// The last ids, oldest first, each with whether its event was taken: a promise while that is not known yet.
const ids = new Map();

async function takeOnce(id, event) {
  const before = ids.get(id);
  if (before) {
    await before;
    return false;
  }
  const taking = take(event);
  ids.set(id, taking);
  if (ids.size > REMEMBERED) ids.delete(ids.keys().next().value);
  try {
    await taking;
  } catch (error) {
    ids.delete(id);
    throw error;
  }
  return true;
}

async function receive(request) {
  const line = { id: request.headers["webhook-id"], verdict: "refused" };
  try {
    if (request.method !== "POST") throw new Refused(405, "it is no POST");
    const body = await read(request);
    const id = verify(request.headers, body, Date.now() / 1000);
    let event;
    try {
      event = JSON.parse(body);
    } catch (error) {
      throw new Refused(400, `the body is no event: ${error.message}`);
    }
    line.type = event?.type;
    const isNew = await takeOnce(id, event);
    line.verdict = isNew ? "new" : "repeat";
    return [isNew ? 204 : 200, line];
  } catch (error) {
    line.why = error.message;
    return [error.status ?? 500, line];
  }
}

if (verifiers.length === 0) {
  console.error("WEBHOOK_SECRET holds no secret");
  process.exit(1);
}
const server = createServer(async (request, response) => {
  const [status, line] = await receive(request);
  console.log(JSON.stringify(line));
  // What is left of a body that was refused unread is not waited for.
  if (!request.complete) response.setHeader("connection", "close");
  response.writeHead(status).end();
});
server.listen(Number(process.argv[2] ?? process.env.PORT ?? 8080), "127.0.0.1", () => {
  console.log("ready", server.address().port);
});
