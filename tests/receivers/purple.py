"""A listener that was written for Purple's and BT Wi-Fi's webhooks: takes visits, answers 200 and `wifiWebhookListener: 1`.

It is as strict about the visit as the pages are: their keys, with the types of their sample. What else it does stands in
dialect.py; told {"listens": false} it leaves the header away.
"""

import re

from dialect import need, need_json_post, need_keys, need_text, parse, serve

KEYS = {
    "client": {"mac", "userAgent"},
    "company": {"id", "name"},
    "session": {"authenticationTime"},
    "user": {
        "id",
        "email",
        "firstName",
        "lastName",
        "gender",
        "dateOfBirth",
        "provider",
        "visitCountsForVenues",
        "visitCountForVenues",
    },
    "venue": {"id", "name", "latitude", "longitude"},
}
MAC = re.compile(r"[0-9A-F]{2}(-[0-9A-F]{2}){5}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000")


def judge(_options, method, headers, raw):
    need_json_post(method, headers)
    visit = parse(raw)
    need_keys("the body", visit, ["session"], KEYS)
    for part, fields in visit.items():
        need_keys(part, fields, [], KEYS[part])
        for name, value in fields.items():
            if name.startswith("visitCount"):
                need(isinstance(value, dict), f"{name} is no object")
                need(all(type(count) is int for count in value.values()), f"{name} counts {value!r}")
            elif name == "id":
                is_id = type(value) is int or (part == "venue" and isinstance(value, str))
                need(is_id, f"{part}.id is {value!r}")
            else:
                need_text(f"{part}.{name}", value)
    need(TIME.fullmatch(visit["session"].get("authenticationTime", "")), f"the time is {visit['session']!r}")
    if "mac" in visit.get("client", {}):
        need(MAC.fullmatch(visit["client"]["mac"]), f"the MAC is {visit['client']!r}")
    # These visits have no id.
    return visit, []


def answer(valid, told):
    listens = {"wifiWebhookListener": "1"} if told.get("listens", True) else {}
    return (200 if valid else 400), listens


if __name__ == "__main__":
    serve(__doc__, judge, answer)
