//! `purple` and `bt`: a visit, at every authentication.
//!
//! `venue` stands at the top level, where the page's table of fields has it, and the counter under both names that the page
//! gives it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::stored::{Object, Stored};
use crate::event::EventType;

pub(super) const KINDS: &[EventType] = &[EventType::AuthAccept];

const USER: &[(&str, &str)] = &[
    ("email", "user.email"),
    ("firstName", "user.first_name"),
    ("lastName", "user.last_name"),
    ("gender", "user.gender"),
    ("dateOfBirth", "user.date_of_birth"),
    ("provider", "user.provider"),
];

/// The body.
pub(super) fn object(event: Stored<'_>) -> Value {
    if event.kind == EventType::Test {
        return test(event);
    }
    let visits = visits(event);
    let user = Object::default()
        .with("id", event.fact("user.id").map(whole))
        .facts(event, USER)
        .with("visitCountsForVenues", visits.clone())
        .with("visitCountForVenues", visits);
    let venue = Object::default()
        .facts(event, &[("id", "venue.id"), ("name", "venue.name")])
        .with("latitude", event.fact("venue.latitude").map(text))
        .with("longitude", event.fact("venue.longitude").map(text));
    let company =
        Object::default().with("id", event.fact("company.id").map(whole)).facts(event, &[("name", "company.name")]);
    let client = Object::default().facts(event, &[("mac", "client.mac"), ("userAgent", "user.user_agent")]);
    Object::default()
        .with("client", client.known())
        .with("company", company.known())
        .with("session", Some(session(event)))
        .with("user", user.known())
        .with("venue", venue.known())
        .into()
}

fn session(event: Stored<'_>) -> Object {
    Object::default().with("authenticationTime", Some(time(event.timestamp)))
}

/// `2018-01-18T13:27:08+0000`.
fn time(timestamp: &str) -> String {
    match timestamp.parse::<Timestamp>() {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%S+0000").to_string(),
        Err(_) => timestamp.to_owned(),
    }
}

/// How often the user came to which venue. Where only this venue's visits are counted, it stands alone.
fn visits(event: Stored<'_>) -> Option<Value> {
    match event.fact("user.visits")? {
        visits @ Value::Object(_) => Some(visits.clone()),
        count @ Value::Number(_) => Some(json!({ text(event.fact("venue.id")?): count })),
        _ => None,
    }
}

/// An id as the number that it is there, also where a table has it as text.
fn whole(id: &Value) -> Value {
    match id.as_str().map(|text| (text, text.parse::<u64>())) {
        // Digits that are more than a number, such as 007, stay what they are.
        Some((text, Ok(number))) if number.to_string() == text => number.into(),
        _ => id.clone(),
    }
}

/// Coordinates are strings there.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What a listener is tested with: the request that the page shows, with every key, so that one which takes visits takes this.
fn test(event: Stored<'_>) -> Value {
    let visits = json!({ "888": 7 });
    json!({
        "client": { "mac": "00-01-02-03-04-05", "userAgent": "Mozilla/5.0" },
        "company": { "id": 999, "name": "Your company name" },
        "session": { "authenticationTime": time(event.timestamp) },
        "user": {
            "id": 888, "email": "webhook@test.com", "firstName": "Webhook", "lastName": "Test", "gender": "F",
            "dateOfBirth": "1970-01-01", "provider": "Facebook",
            "visitCountsForVenues": visits, "visitCountForVenues": visits,
        },
        "venue": { "id": 888, "name": "Your venue name", "latitude": "53.4857388", "longitude": "-2.0999813" },
    })
}
