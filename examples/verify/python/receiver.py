#!/usr/bin/env python3
"""Receives radhook's events with the standard library alone: verifies, takes each event once, answers.

    WEBHOOK_SECRET=whsec_... python3 receiver.py 8080
"""

import base64
import hmac
import json
import os
import sys
import threading
import time
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MAX_BODY = 4 << 20  # Bytes; an event has a few thousand, a batch of them more.
TOLERANCE = 5 * 60  # Seconds that a signature may be old, or ahead of our clock.
REMEMBERED = 100_000  # Ids. Keep those of as long as radhook tries again: by its default schedule 15 hours.


def take(event):
    """Put your program here. Store the event (a row of your database, a message of your queue) and return: after the
    answer it is yours alone, so work on what you have stored. If this raises, radhook sends the event again."""


def key(secret):
    """The key's bytes: `whsec_` and base64, or the secret as it is."""
    return base64.b64decode(secret[6:], validate=True) if secret.startswith("whsec_") else secret.encode()


KEYS = [key(secret) for secret in os.environ.get("WEBHOOK_SECRET", "").split()]


class Refused(Exception):
    """A request that is not believed: (status, reason)."""


def verify(headers, body, now):
    """The id of a request that was signed with one of our secrets, not long ago (Standard Webhooks, v1)."""
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    id, timestamp, signatures = (headers.get(name, "").encode("latin-1") for name in names)
    if not (id and timestamp.isdigit() and signatures):
        raise Refused(400, "a webhook- header is missing or malformed")
    # Over the bytes as they came: JSON that was parsed and written again has others.
    signed = b".".join((id, timestamp, body))
    expected = [b"v1," + base64.b64encode(hmac.digest(key, signed, "sha256")) for key in KEYS]
    # Several secrets during a rotation, several signatures for the same reason. Compared in constant time, all of them.
    matches = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in signatures.split(b" ")]
    if not any(matches):
        raise Refused(401, "no signature matches")
    if abs(now - int(timestamp)) > TOLERANCE:
        raise Refused(401, "it was signed too long ago, or a clock is wrong")
    return id.decode("latin-1")


class Once:
    """Remembers the last ids, so that an event that comes again is not taken again."""

    def __init__(self):
        self.lock = threading.Lock()
        self.ids = OrderedDict()

    def take(self, id, event):
        with self.lock:
            if id in self.ids:
                return False
            take(event)
            self.ids[id] = True
            if len(self.ids) > REMEMBERED:
                self.ids.popitem(last=False)
            return True


ONCE = Once()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30  # Seconds without a byte.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self):
        line = {"id": self.headers.get("webhook-id"), "verdict": "refused"}
        try:
            body = self.body()
            id = verify(self.headers, body, time.time())
            event = json.loads(body)
            if not isinstance(event, dict):
                raise ValueError("it is no object")
            line["type"] = event.get("type")
            new = ONCE.take(id, event)
            line["verdict"] = "new" if new else "repeat"
            status = 204 if new else 200
        except Refused as refused:
            status, line["why"] = refused.args
        except ValueError as error:
            status, line["why"] = 400, f"the body is no event: {error}"
        except Exception as error:
            status, line["why"] = 500, f"it could not be taken: {error!r}"
        print(json.dumps(line) + "\n", end="", flush=True)
        self.send_response(status)
        if status != 204:
            self.send_header("content-length", "0")
        self.end_headers()

    def body(self):
        length = self.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit() and len(length) < 10):
            self.close_connection = True
            raise Refused(411, "it does not say how long it is")
        if int(length) > MAX_BODY:
            self.close_connection = True
            raise Refused(413, "it is too long")
        return self.rfile.read(int(length))

    def log_message(self, format, *arguments):
        """Every request has its line already."""


def main():
    if not KEYS:
        sys.exit("WEBHOOK_SECRET holds no secret")
    port = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PORT", "8080")
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    server.daemon_threads = True
    print("ready", server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
