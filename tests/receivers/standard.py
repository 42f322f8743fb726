"""A webhook receiver that verifies with the PyPI package `standardwebhooks`, the reference implementation.

Prints `ready PORT` when it listens on loopback, then one JSON object a line for each delivery, before it is answered:
id, type, session, timestamp, verdict ("valid", or what is wrong), status (the answer) and body (the event as it came).
A valid delivery is answered 204, another one 400. Ends at SIGTERM.
"""

import argparse
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

# Far above any event radhook makes; a longer body is refused unread.
MAX_BODY = 1 << 20


class Receiver(ThreadingHTTPServer):
    daemon_threads = True
    # Deliveries of many sessions connect at once; the standard library's 5 would turn some away.
    request_queue_size = 512

    def __init__(self, port, secret):
        super().__init__(("127.0.0.1", port), Handler)
        self.webhook = Webhook(secret)
        self.output = threading.Lock()

    def report(self, record):
        with self.output:
            print(json.dumps(record), flush=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body of an answer leave in one segment and at once.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > MAX_BODY:
            self.close_connection = True
            self.answer({"verdict": f"content-length is {length!r}"}, 411)
            return
        body = self.rfile.read(int(length))
        record = {"id": self.headers.get("webhook-id")}
        try:
            event = self.server.webhook.verify(body, dict(self.headers.items()))
            record["verdict"] = "valid"
            record["type"] = event["type"]
            record["timestamp"] = event["timestamp"]
            record["session"] = event["data"].get("session", {}).get("id")
            record["body"] = event
        except WebhookVerificationError as error:
            record["verdict"] = str(error)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            record["verdict"] = f"not an event: {error!r}"
        self.answer(record, 204 if record["verdict"] == "valid" else 400)

    def answer(self, record, status):
        record["status"] = status
        self.server.report(record)
        self.send_response(status)
        if status != 204:
            self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format, *arguments):
        """Every delivery has its JSON line already."""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    options = parser.parse_args()
    # Not on the command line, where every user of the machine could read it.
    receiver = Receiver(options.port, os.environ["WEBHOOK_SECRET"])
    print("ready", receiver.server_address[1], flush=True)
    receiver.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
