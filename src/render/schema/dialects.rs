//! What receivers of other systems get: one body each. `docs/dialects.md` says where each field comes from.
//!
//! What a post brought is passed on as it came, so that these hold for what RADIUS tells and for posts of the kinds that the page
//! names.

use serde_json::{Value, json};

use super::super::dialect::iacbox;
use super::DRAFT;

/// CloudEvents in structured mode; a batch is an array of these.
pub(super) fn cloudevents() -> Value {
    let attributes = json!({
        "specversion": { "const": "1.0" },
        "id": text(), "source": { "type": "string", "pattern": "^/[^/]+/[^/]+$" }, "type": text(),
        "subject": { "type": "string", "minLength": 1, "maxLength": 256 },
        "time": time(), "sourcetype": text(), "sourceclient": text(), "sourceaddress": text(), "receivedat": time(),
        "datacontenttype": { "const": "application/json" },
        "data": { "description": "`data` of the native event of this type.", "type": "object" },
    });
    let required =
        ["specversion", "id", "source", "type", "time", "sourcetype", "receivedat", "datacontenttype", "data"];
    whole("CloudEvents 1.0 in structured mode, as radhook writes it", object(&required, attributes))
}

pub(super) fn ironwifi() -> Value {
    let who = json!({
        "username": text(), "nas_ip": text(), "nas_identifier": text(), "client_mac": mac(), "ap_mac": mac(),
        "ssid": text(),
    });
    let login = joined(&who, json!({ "reply_message": text(), "auth_method": text() }));
    let session = joined(
        &who,
        json!({
            "session_id": text(), "client_ip": text(), "session_time": count(), "input_octets": count(),
            "output_octets": count(), "input_packets": count(), "output_packets": count(), "terminate_cause": text(),
        }),
    );
    let user = json!({ "username": text(), "email": text(), "changes": {} });
    let of = |kinds: &[&str], data: Value| {
        object(
            &["id", "event", "timestamp", "data"],
            json!({
                "id": id(), "event": { "enum": kinds }, "timestamp": time(), "data": data,
            }),
        )
    };
    whole(
        "A request of format = \"ironwifi\"",
        json!({ "oneOf": [
        of(&["auth.accept", "auth.reject", "auth.challenge"], object(&[], login)),
        of(&["session.start", "session.update", "session.stop"], object(&[], session)),
        of(&["user.created", "user.updated", "user.deleted"], object(&[], user)),
        of(&["voucher.redeemed"], object(&["redeemed_at"], json!({ "code": text(), "redeemed_at": time(), "client_mac": mac() }))),
        of(&["voucher.expired"], object(&["expired_at"], json!({ "code": text(), "expired_at": time(), "client_mac": mac() }))),
    ] }),
    )
}

/// What is sent without a body of the operator's own.
pub(super) fn iacbox() -> Value {
    let any = iacbox::NAMES[1..].iter().map(|name| ((*name).to_owned(), json!({}))).collect::<serde_json::Map<_, _>>();
    let mut data = object(
        &iacbox::NAMES[1..],
        joined(
            &any.into(),
            json!({
                "login_type": { "enum": ["first", "reconnect", "n/a"] },
                "limit": { "enum": ["time", "volume", "n/a"] },
                "client_mac": { "anyOf": [mac(), empty()] },
                "time_used": { "anyOf": [count(), empty()] },
                "volume_used_download": { "anyOf": [count(), empty()] },
                "volume_used_upload": { "anyOf": [count(), empty()] },
                "volume_used": { "anyOf": [count(), empty()] },
                "timestamp_lastseen": time(),
            }),
        ),
    );
    data["description"] = "All fields are always there, empty where nothing is known.".into();
    let words = [
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
    ];
    whole(
        "A request of format = \"iacbox\" without a body of one's own",
        object(
            &["uuid", "type", "created_at", "ticket_id", "data"],
            json!({
                "uuid": id(), "type": { "enum": words }, "created_at": time(), "ticket_id": { "type": "string" },
                "data": data,
            }),
        ),
    )
}

pub(super) fn signin() -> Value {
    let words = [
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
    ];
    let event = object(
        &["event", "id", "scope", "timestamp"],
        json!({
            "event": { "enum": words }, "id": id(), "timestamp": time(),
            "scope": object(&[], json!({ "organization": text(), "context": text() })),
            "username": text(), "email": {}, "client_mac": mac(), "client_ip": text(), "client_hostname": text(),
            "nas_ip": text(), "nas_identifier": text(), "ap_mac": mac(), "ssid": text(),
            "session_id": text(), "acct_session_id": text(), "previous_session_id": text(),
            "login": { "enum": ["first", "reconnect"] }, "started_at": time(), "stopped_at": time(), "duration": count(),
            "terminate_cause": text(), "venue": object(&[], json!({ "id": named(), "name": text() })),
            "auth_method": text(), "reply_message": text(), "session_timeout": count(), "vlan": text(),
            "lease": {}, "change": { "type": "object" },
        }),
    );
    whole("A request of format = \"signin\"", json!({ "type": "array", "minItems": 1, "items": event }))
}

/// Of `bt` too.
pub(super) fn purple() -> Value {
    let visits =
        json!({ "type": "object", "minProperties": 1, "additionalProperties": { "type": "integer", "minimum": 1 } });
    let coordinate = json!({ "type": "string", "pattern": r"^-?\d+(\.\d+)?$" });
    whole(
        "A request of format = \"purple\" or \"bt\"",
        object(
            &["session"],
            json!({
                "client": object(&[], json!({ "mac": mac(), "userAgent": text() })),
                "company": object(&[], json!({ "id": named(), "name": text() })),
                "session": object(&["authenticationTime"], json!({
                    "authenticationTime": { "type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+0000$" },
                })),
                "user": object(&[], json!({
                    "id": named(), "email": {}, "firstName": {}, "lastName": {}, "gender": {}, "dateOfBirth": {}, "provider": {},
                    "visitCountsForVenues": visits, "visitCountForVenues": visits,
                })),
                "venue": object(&[], json!({ "id": named(), "name": text(), "latitude": coordinate, "longitude": coordinate })),
            }),
        ),
    )
}

pub(super) fn rlm_rest() -> Value {
    let attribute = object(
        &["type", "value"],
        json!({
            "type": text(), "value": { "type": "array", "items": { "type": ["string", "integer"] } },
        }),
    );
    whole(
        "A request of format = \"rlm_rest\": attributes by name",
        json!({
            "type": "object", "minProperties": 1, "additionalProperties": attribute,
        }),
    )
}

pub(super) fn openwisp() -> Value {
    let login = ["username", "password", "reply", "called_station_id", "calling_station_id"];
    let accounting = [
        "status_type",
        "session_id",
        "unique_id",
        "username",
        "realm",
        "nas_ip_address",
        "nas_port_id",
        "nas_port_type",
        "session_time",
        "authentication",
        "input_octets",
        "output_octets",
        "called_station_id",
        "calling_station_id",
        "terminate_cause",
        "service_type",
        "framed_protocol",
        "framed_ip_address",
    ];
    let texts = |keys: &[&str], own: Value| {
        let all =
            keys.iter().map(|key| ((*key).to_owned(), json!({ "type": "string" }))).collect::<serde_json::Map<_, _>>();
        object(keys, joined(&all.into(), own))
    };
    let digits = json!({ "type": "string", "pattern": "^[0-9]+$" });
    whole(
        "A request of format = \"openwisp\"",
        json!({ "oneOf": [
        texts(&login, json!({ "username": text(), "password": { "const": "" }, "reply": { "enum": ["Access-Accept", "Access-Reject"] } })),
        texts(&accounting, json!({
            "status_type": { "enum": ["Start", "Interim-Update", "Stop"] }, "unique_id": text(), "nas_ip_address": text(),
            "session_time": digits, "input_octets": digits, "output_octets": digits,
        })),
    ] }),
    )
}

fn whole(title: &str, mut schema: Value) -> Value {
    schema["$schema"] = DRAFT.into();
    schema["title"] = title.into();
    schema
}

fn object(required: &[&str], properties: Value) -> Value {
    match required {
        [] => json!({ "type": "object", "properties": properties }),
        required => json!({ "type": "object", "required": required, "properties": properties }),
    }
}

/// The keys of both; those of `more` count.
fn joined(one: &Value, more: Value) -> Value {
    let mut all = one.clone();
    if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
        all.extend(more);
    }
    all
}

fn text() -> Value {
    json!({ "type": "string", "minLength": 1 })
}

fn empty() -> Value {
    json!({ "const": "" })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn named() -> Value {
    json!({ "anyOf": [{ "type": "integer" }, text()] })
}

fn id() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn mac() -> Value {
    json!({ "type": "string", "pattern": "^[0-9A-F]{2}(-[0-9A-F]{2}){5}$" })
}
