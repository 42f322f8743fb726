"""A receiver that was written for IACBOX's webhooks: takes events by any method of the page, in JSON or XML, and answers 200.

`--auth none`, `basic` or `token` says who may send. Tokens are handed out at /login, to the user `radhook` with the password in
WEBHOOK_SECRET, in the field auth.token, and each is good for `--uses` deliveries. What is not as it should be is answered 401.
What else it does stands in dialect.py.
"""

import base64
import hmac
import itertools
import os
import uuid
import xml.etree.ElementTree as ElementTree

from dialect import Wrong, need, need_keys, need_text, need_time, parse, serve

USER = "radhook"
METHODS = {"POST", "GET", "PUT", "DELETE"}
EVENTS = {
    "ticket.logged_in",
    "ticket.logged_out",
    "ticket.logged_out.timeout",
    "ticket.logged_out.limit_exceeded",
    "ticket.revoked",
    "system.started",
    "system.userlimit_exceeded",
    "system.backup.started",
    "system.backup.done",
    "system.backup.error",
}
# The page's sample configuration makes these.
SAMPLE = {"id", "event", "occured", "ticket_id", "volume_limit", "volume_used", "room_number"}
ENVELOPE = {"uuid", "type", "created_at", "ticket_id", "data"}
TIMES = {"timestamp_created", "timestamp_first_logon", "timestamp_expires", "timestamp_lastseen"}
NUMBERS = {
    "template_id",
    "ticket_parent_group",
    "ticket_price",
    "shared_limits",
    "time_limit",
    "time_used",
    "volume_limit",
    "volume_used_download",
    "volume_used_upload",
    "volume_used",
}
TEXTS = {
    "client_ip",
    "client_mac",
    "client_vlan_rt",
    "login_type",
    "limit",
    "description",
    "template_name",
    "ticket_type",
    "backend",
    "backend_group",
}
DATA = TIMES | NUMBERS | TEXTS | {"backend_data"}

# How often each token that was handed out has been shown.
shown = {}
numbers = itertools.count(1)


def is_basic(headers):
    expected = "Basic " + base64.b64encode(f"{USER}:{os.environ['WEBHOOK_SECRET']}".encode()).decode()
    return hmac.compare_digest(headers.get("authorization", ""), expected)


def need_authorized(options, headers):
    given = headers.get("authorization")
    if options.auth == "none":
        need(given is None, f"authorization is {given!r}")
    elif options.auth == "basic":
        need(is_basic(headers), f"authorization is {given!r}")
    else:
        scheme, _, token = (given or "").partition(" ")
        need(scheme == "Bearer" and token in shown, f"authorization is {given!r}")
        shown[token] += 1
        need(shown[token] <= options.uses, "the token has expired")


def login(options, method, headers, raw):
    """A token for user and password: in the body by POST, as basic authentication by GET."""
    if method == "GET":
        need(is_basic(headers), "user or password is wrong")
    else:
        need(method == "POST", f"the method is {method}")
        need(headers.get("content-type") == options.login_type, f"content-type is {headers.get('content-type')!r}")
        if options.login_type == "application/xml":
            told = {child.tag: child.text for child in read_xml(raw)}
        else:
            told = parse(raw)
        need(told == {"user": USER, "password": os.environ["WEBHOOK_SECRET"]}, "user or password is wrong")
    need(headers.get("x-client") == "lobby", f"x-client is {headers.get('x-client')!r}")
    token = f"t-{next(numbers)}"
    shown[token] = 0
    return {"auth": {"token": token}}


def read_xml(raw):
    try:
        return ElementTree.fromstring(raw)
    except ElementTree.ParseError as error:
        raise Wrong(f"the body is no XML: {error}") from None


def need_event(id, kind, created_at):
    try:
        uuid.UUID(id)
    except ValueError:
        raise Wrong(f"the id is {id!r}") from None
    need(kind in EVENTS, f"there is no event {kind!r}")
    need_time("the time", created_at)


def need_data(kind, data):
    """All fields are sent, but only filled where data for them is available."""
    need_keys("data", data, DATA)
    for name, value in data.items():
        if value == "":
            continue
        if name in TIMES:
            need_time(name, value)
        elif name in NUMBERS:
            need(type(value) is int, f"{name} is {value!r}")
        elif name in TEXTS:
            need_text(name, value)
    logins, limits = ("first", "reconnect"), ("time", "volume")
    need(data["login_type"] in (logins if kind == "ticket.logged_in" else ("n/a",)), f"login_type is {data!r}")
    is_limit = kind == "ticket.logged_out.limit_exceeded"
    need(data["limit"] in (limits if is_limit else ("n/a",)), f"limit is {data!r}")


def judge(options, method, headers, raw):
    need(method in METHODS, f"the method is {method}")
    need_authorized(options, headers)
    kind = headers.get("content-type")
    if kind == "application/xml":
        root = read_xml(raw)
        body = dict(root.attrib) | {child.tag: child.text or "" for child in root}
        need_event(body.get("uuid", ""), body.get("type"), body.get("created_at"))
        return body, [body["uuid"]]
    need(kind == "application/json", f"content-type is {kind!r}")
    body = parse(raw)
    if "uuid" in body:
        need_keys("the event", body, ENVELOPE)
        need_event(body["uuid"], body["type"], body["created_at"])
        need_data(body["type"], body["data"])
        return body, [body["uuid"]]
    need_keys("the body", body, SAMPLE)
    need_event(body["id"], body["event"], body["occured"])
    need(all(isinstance(value, str) for value in body.values()), f"not all are texts: {body!r}")
    return body, [body["id"]]


def answer(valid, _told):
    return (200 if valid else 401), {}


if __name__ == "__main__":
    arguments = [
        ("--auth", {"choices": ["none", "basic", "token"], "default": "none", "help": "who may send"}),
        ("--uses", {"type": int, "default": 1 << 30, "help": "for how many deliveries a token is good"}),
        ("--login-type", {"default": "application/json", "help": "what the body of a login by POST is"}),
    ]
    serve(__doc__, judge, answer, arguments, {"/login": login})
