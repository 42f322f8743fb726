"""A receiver that was written for IronWiFi's webhooks: verifies X-IronWiFi-Signature over the raw body and answers 200.

What else it does stands in dialect.py. The secret is in WEBHOOK_SECRET.
"""

import hashlib
import hmac
import os

from dialect import need, need_count, need_json_post, need_keys, need_text, need_time, parse, serve

AUTH = {"username", "nas_ip", "nas_identifier", "client_mac", "ap_mac", "ssid", "reply_message", "auth_method"}
COUNTS = {"session_time", "input_octets", "output_octets", "input_packets", "output_packets"}
SESSION = AUTH | COUNTS | {"session_id", "client_ip", "terminate_cause"}
FIELDS = {
    "auth.accept": AUTH,
    "auth.reject": AUTH,
    "auth.challenge": AUTH,
    "session.start": SESSION,
    "session.update": SESSION,
    "session.stop": SESSION,
    "user.created": {"username", "email", "changes"},
    "user.updated": {"username", "email", "changes"},
    "user.deleted": {"username", "email", "changes"},
    "voucher.redeemed": {"code", "redeemed_at", "client_mac"},
    "voucher.expired": {"code", "expired_at", "client_mac"},
}


def verify(headers, raw):
    """As the page does it: the hex digest of the body as it came, compared in constant time."""
    expected = hmac.new(os.environ["WEBHOOK_SECRET"].encode(), raw, hashlib.sha256).hexdigest()
    signature = headers.get("x-ironwifi-signature", "")
    need(hmac.compare_digest(signature, expected), f"the signature is {signature!r}")


def judge(_options, method, headers, raw):
    verify(headers, raw)
    need_json_post(method, headers)
    body = parse(raw)
    need_keys("the body", body, ["id", "event", "timestamp", "data"])
    need_text("id", body["id"])
    need_time("timestamp", body["timestamp"])
    event = body["event"]
    need(event in FIELDS, f"there is no event {event!r}")
    need_keys(event, body["data"], [], FIELDS[event])
    for name, value in body["data"].items():
        if name in COUNTS:
            need_count(name, value)
        elif name.endswith("_at"):
            need_time(name, value)
        elif name != "changes":
            need_text(name, value)
    return body, [body["id"]]


def answer(valid, _told):
    return (200 if valid else 401), {}


if __name__ == "__main__":
    serve(__doc__, judge, answer)
