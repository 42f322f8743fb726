//! Facts joined to events on their way out, since whoever writes events down cannot wait for a database.

use std::collections::HashMap;
use std::sync::Arc;

use ::metrics::counter;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::sql::Answer;
use super::{Asked, Directory, Who};
use crate::metrics;

/// How many users of a batch are asked for at once.
const TOGETHER: usize = 32;

/// What of an event tells whom it is about.
#[derive(Deserialize)]
struct Event<'e> {
    #[serde(borrow)]
    data: Option<Data<'e>>,
}

#[derive(Deserialize)]
struct Data<'e> {
    #[serde(borrow)]
    user: Option<&'e RawValue>,
    #[serde(borrow)]
    client: Option<&'e RawValue>,
}

impl Directory {
    /// Adds to events, each the JSON of one, what the database says of their users, and waits no longer than `timeout` for all of them.
    /// Nothing that stands there is replaced. Events of whom nothing was learned stay as they are.
    pub async fn join(&self, events: impl Iterator<Item = &mut Vec<u8>>) {
        let Some(lookups) = &self.lookups else { return };
        let deadline = Instant::now() + lookups.timeout();
        let events: Vec<(&mut Vec<u8>, Asked)> =
            events.filter_map(|json| self.about(json).map(|asked| (json, asked))).collect();
        let mut answers: HashMap<Asked, Answer> = HashMap::new();
        let mut asking = JoinSet::new();
        for (_, asked) in &events {
            if answers.contains_key(asked) {
                continue;
            }
            let kept = asked.kept(lookups);
            // Until it is answered, should it ever be.
            answers.insert(asked.clone(), kept.clone().unwrap_or(Answer::Missing));
            if kept.is_some() {
                continue;
            }
            if asking.len() >= TOGETHER {
                let Ok(answered) = timeout_at(deadline, asking.join_next()).await else { continue };
                answers.extend(answered.and_then(Result::ok));
            }
            let (lookups, asked) = (Arc::clone(lookups), asked.clone());
            asking.spawn(async move {
                let answer = asked.ask(&lookups).await;
                (asked, answer)
            });
        }
        while let Ok(Some(answered)) = timeout_at(deadline, asking.join_next()).await {
            answers.extend(answered);
        }
        for (json, asked) in events {
            match answers.get(&asked) {
                Some(Answer::Facts(facts)) => add(json, facts),
                Some(Answer::Missing) => counter!(metrics::USERS_MISSED).increment(1),
                Some(Answer::Nobody) | None => {}
            }
        }
    }

    /// Whom an event is about; `None` where nobody can be asked for.
    fn about(&self, json: &[u8]) -> Option<Asked> {
        let data = serde_json::from_slice::<Event<'_>>(json).ok()?.data?;
        // A post may say there what it likes.
        let object = |raw: Option<&RawValue>| serde_json::from_str::<Map<String, Value>>(raw?.get()).ok();
        let (user, client) = (object(data.user).unwrap_or_default(), object(data.client).unwrap_or_default());
        let text = |value: Option<&'_ Value>| value?.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let (name, realm, mac) = (text(user.get("name")), text(user.get("realm")), text(client.get("mac")));
        self.asked(Who { name: name.as_deref(), realm: realm.as_deref(), mac: mac.as_deref() })
    }
}

/// Adds facts to `data.user` of an event. One whose data has another shape stays as it is.
fn add(json: &mut Vec<u8>, facts: &str) {
    let (Ok(mut event), Ok(facts)) =
        (serde_json::from_slice::<Value>(json), serde_json::from_str::<Map<_, Value>>(facts))
    else {
        return;
    };
    let Some(data) = event.get_mut("data").and_then(Value::as_object_mut) else { return };
    let user = data.entry("user").or_insert_with(|| Map::new().into());
    let Some(user) = user.as_object_mut() else { return };
    let before = user.len();
    for (key, value) in facts {
        user.entry(key).or_insert(value);
    }
    if user.len() > before
        && let Ok(joined) = serde_json::to_vec(&event)
    {
        *json = joined;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(event: &str) -> String {
        let mut json = event.as_bytes().to_vec();
        add(&mut json, r#"{"email":"alice@example.org","id":7}"#);
        String::from_utf8(json).unwrap()
    }

    #[test]
    fn facts_stand_behind_what_is_there_and_replace_nothing() {
        assert_eq!(
            added(r#"{"type":"test","data":{"user":{"name":"alice","id":8},"n":1.0}}"#),
            r#"{"type":"test","data":{"user":{"name":"alice","id":8,"email":"alice@example.org"},"n":1.0}}"#
        );
        assert_eq!(
            added(r#"{"data":{"client":{}}}"#),
            r#"{"data":{"client":{},"user":{"email":"alice@example.org","id":7}}}"#
        );
    }

    #[test]
    fn what_has_another_shape_or_all_of_it_stays_to_the_octet() {
        for event in [
            r#"{ "data": { "user": null } }"#,
            r#"{ "data": [] }"#,
            "[]",
            "no JSON",
            r#"{ "data": { "user": { "email": "", "id": null } } }"#,
        ] {
            assert_eq!(added(event), event);
        }
    }
}
