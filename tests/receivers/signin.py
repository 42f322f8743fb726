"""A receiver that was written for Sign In's webhooks: takes an array of open objects and answers 200.

What else it does stands in dialect.py.
"""

from dialect import need, need_json_post, need_text, need_time, parse, serve

MOST_EVENTS = 20_000

CATALOGUE = {
    "signin.session.created",
    "signin.session.resumed",
    "signin.session.requested",
    "signin.session.approved",
    "signin.session.verified",
    "signin.session.denied",
    "signin.session.revoked",
    "signin.arenasession.login",
    "signin.arenasession.resumed",
    "signin.dhcp.granted",
    "signin.dhcp.expired",
    "signin.configuration.audit",
}


def judge(options, method, headers, raw):
    need_json_post(method, headers, options.content_type)
    body = parse(raw)
    need(isinstance(body, list), "the body is no array")
    need(0 < len(body) <= MOST_EVENTS, f"it has {len(body)} events")
    ids = []
    for event in body:
        need(isinstance(event, dict), f"an event is no object: {event!r}")
        need(event.get("event") in CATALOGUE, f"there is no event {event.get('event')!r}")
        need_text("id", event.get("id"))
        need_time("timestamp", event.get("timestamp"))
        scope = event.get("scope")
        need(isinstance(scope, dict), f"scope is {scope!r}")
        for name, value in scope.items():
            need_text(name, value)
        need(event["id"] not in ids, f"{event['id']} is there twice")
        ids.append(event["id"])
    return body, ids


def answer(valid, _told):
    return (200 if valid else 400), {}


if __name__ == "__main__":
    serve(__doc__, judge, answer, [("--content-type", {"default": "application/json"})])
