"""A receiver that reads CloudEvents with the PyPI package `cloudevents`, the project's own implementation.

Prints `ready PORT` when it listens on loopback, then one JSON object a line for each event, before its request is
answered: mode ("binary", "structured" or "batch"), attributes and data; or problem, when the request is none that the
package takes, or its signature is wrong. Answers 204, or 400 to a problem. Ends at SIGTERM.
"""

import json
import os
import sys
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cloudevents.core.bindings.http import HTTPMessage, from_binary_event, from_structured_event
from standardwebhooks import Webhook

# Far above any batch the tests send; a longer body is refused unread.
MAX_BODY = 1 << 20


def read(headers, body):
    """The mode by the Content-Type, as the HTTP binding (§3) tells, and the events."""
    kind = headers.get("content-type", "").split(";")[0]
    if kind == "application/cloudevents-batch+json":
        each = [json.dumps(event).encode() for event in json.loads(body)]
        return "batch", [from_structured_event(HTTPMessage({}, event)) for event in each]
    if kind == "application/cloudevents+json":
        return "structured", [from_structured_event(HTTPMessage(headers, body))]
    if "ce-specversion" in headers:
        return "binary", [from_binary_event(HTTPMessage(headers, body))]
    raise ValueError(f"no CloudEvent: content-type {kind!r}, no ce-specversion")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self):
        length = int(self.headers["content-length"])
        if length > MAX_BODY:
            self.close_connection = True
            return self.answer([{"problem": f"{length} bytes"}], 413)
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            self.server.webhook.verify(body, headers)
            mode, events = read(headers, body)
        except Exception as error:
            return self.answer([{"problem": repr(error)}], 400)
        records = [
            {"mode": mode, "attributes": event.get_attributes(), "data": event.get_data()} for event in events
        ]
        self.answer(records, 204)

    def answer(self, records, status):
        for record in records:
            # One write a line: requests are answered side by side.
            sys.stdout.write(json.dumps(record, default=datetime.isoformat) + "\n")
            sys.stdout.flush()
        self.send_response(status)
        if status != 204:
            self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format, *arguments):
        """Every event has its JSON line already."""


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.webhook = Webhook(os.environ["WEBHOOK_SECRET"])
    print("ready", server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
