"""What the receivers of other systems' webhooks share: they print what they got and answer as their page says.

Prints `ready PORT` when it listens on loopback, then one JSON object a line for each request, before it is answered:
method, path, verdict ("valid", or what is wrong), again (whether an id came before), status (the answer), headers (in small
letters) and body. `PUT /told` with a JSON object changes how it answers from then on: "status" instead of the page's own,
and what else its system knows. Ends at SIGTERM.
"""

import argparse
import json
import sys
import threading
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Far above any batch the tests send; a longer body is refused unread.
MAX_BODY = 64 << 20


class Wrong(Exception):
    """A request that is not as the page says."""


def need(holds, what):
    if not holds:
        raise Wrong(what)


def need_keys(what, holder, required, allowed=()):
    """That an object has these keys, perhaps those, and no other."""
    need(isinstance(holder, dict), f"{what} is no object: {holder!r}")
    missing, unknown = set(required) - set(holder), set(holder) - set(required) - set(allowed)
    need(not missing, f"{what} lacks {sorted(missing)}")
    need(not unknown, f"{what} has {sorted(unknown)}, which the page does not know")


def need_text(what, value):
    need(isinstance(value, str) and value != "", f"{what} is no text: {value!r}")


def need_count(what, value):
    need(type(value) is int and value >= 0, f"{what} is no count: {value!r}")


def need_time(what, value):
    need_text(what, value)
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise Wrong(f"{what} is no time: {value!r}") from None
    need(time.tzinfo is not None, f"{what} has no zone: {value!r}")


class Receiver(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, options, judge, answer, logins):
        super().__init__(("127.0.0.1", options.port), Handler)
        self.options = options
        # judge(options, method, headers, raw body) returns the body as it is understood, and the ids in it; raises Wrong.
        self.judge = judge
        # answer(valid, told) returns the status and headers.
        self.page_answer = answer
        # Paths of their own where tokens are handed out: login(options, method, headers, raw) returns the answer's body;
        # raises Wrong.
        self.logins = logins
        self.told = {}
        self.seen = set()
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def handle_any(self):
        length = int(self.headers.get("content-length", "0"))
        if length > MAX_BODY:
            self.close_connection = True
            return self.say(413, {})
        raw = self.rfile.read(length)
        if (self.command, self.path) == ("PUT", "/told"):
            self.server.told = json.loads(raw)
            return self.say(200, {})
        headers = {name.lower(): value for name, value in self.headers.items()}
        record = {"method": self.command, "path": self.path, "headers": headers, "again": False}
        if self.path in self.server.logins:
            return self.log_in(record, headers, raw)
        try:
            record["body"], ids = self.server.judge(self.server.options, self.command, headers, raw)
            record["verdict"] = "valid"
        except Wrong as wrong:
            record["verdict"], ids = str(wrong), []
            record["body"] = raw.decode("utf-8", "replace")
        told = self.server.told
        status, more = self.server.page_answer(record["verdict"] == "valid", told)
        status = told.get("status") or status
        record["status"] = status
        with self.server.lock:
            record["again"] = any(id in self.server.seen for id in ids)
            if 200 <= status < 300:
                self.server.seen.update(ids)
            print(json.dumps(record), flush=True)
        self.say(status, more)

    def log_in(self, record, headers, raw):
        try:
            body, status = self.server.logins[self.path](self.server.options, self.command, headers, raw), 200
            record["verdict"] = "valid"
        except Wrong as wrong:
            body, status, record["verdict"] = {}, 401, str(wrong)
        record |= {"status": status, "body": raw.decode("utf-8", "replace")}
        with self.server.lock:
            print(json.dumps(record), flush=True)
        self.say(status, {"content-type": "application/json"}, json.dumps(body).encode())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_any

    def say(self, status, more, body=b""):
        self.send_response(status)
        for name, value in more.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):
        """Every request has its JSON line already."""


def parse(raw):
    try:
        return json.loads(raw.decode("utf-8"))
    except ValueError as error:
        raise Wrong(f"the body is no JSON: {error}") from None


def need_json_post(method, headers, content_type="application/json"):
    need(method == "POST", f"the method is {method}")
    need(headers.get("content-type") == content_type, f"content-type is {headers.get('content-type')!r}")


def serve(description, judge, answer, arguments=(), logins=None):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    for name, settings in arguments:
        parser.add_argument(name, **settings)
    receiver = Receiver(parser.parse_args(), judge, answer, logins or {})
    print("ready", receiver.server_address[1], flush=True)
    receiver.serve_forever()
    return sys.exit()
