//! The schemas of `docs/schemas/`: that they are the ones the code makes, that every sample and every delivered event fits, and
//! that what does not fit fails.

mod support;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use radhook::event::EventType;
use radhook::event::sample::Sample;
use radhook::render::schema::ALL;
use serde_json::Value;
use support::schema::{assert_native, native, validator};

/// Set, has the test write the files instead of holding them against the code.
const WRITE: &str = "WRITE_SCHEMAS";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas")
}

fn samples() -> impl Iterator<Item = (EventType, Value)> {
    let now: Timestamp = "2026-11-22T10:15:30Z".parse().expect("a time");
    let sample = Sample { now, node: "radhook-1", endpoint: "crm" };
    EventType::ALL.iter().map(move |kind| (*kind, sample.of(*kind)))
}

#[test]
fn the_files_are_what_the_code_makes() {
    for schema in ALL {
        let path = directory().join(schema.file);
        if env::var_os(WRITE).is_some() {
            fs::write(&path, schema.text()).expect("docs/schemas can be written");
        }
        let stands = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stands == schema.text(),
            "docs/schemas/{} is not what the code makes; `{WRITE}=1 cargo test --test schemas` writes it",
            schema.file
        );
    }
    let known: BTreeSet<&str> = ALL.iter().map(|schema| schema.file).collect();
    for entry in fs::read_dir(directory()).expect("there are schemas") {
        let name = entry.expect("it can be read").file_name().into_string().expect("names are UTF-8");
        assert!(!name.ends_with(".json") || known.contains(&*name), "docs/schemas/{name} is made by nothing");
    }
}

#[test]
fn they_are_schemas_of_their_draft() {
    for schema in ALL {
        jsonschema::draft202012::meta::validate(&(schema.make)())
            .unwrap_or_else(|error| panic!("{}: {error}", schema.file));
    }
}

#[test]
fn every_sample_fits_down_to_the_last_key_and_so_does_what_a_test_delivery_makes_of_it() {
    let mut seen = 0;
    for (_, sample) in samples() {
        assert_native(&sample);
        seen += 1;
    }
    assert_eq!(seen, EventType::ALL.len());
    let sample = Sample { now: Timestamp::now(), node: "radhook-1", endpoint: "crm" };
    for kind in EventType::ALL {
        let (id, json) = sample.test_delivery(*kind);
        let event: Value = serde_json::from_slice(&json).expect("a sample is JSON");
        assert_eq!((&event["id"], &event["source"]["type"]), (&id.to_string().into(), &"test".into()));
        assert_native(&event);
    }
}

/// The keys of an event without which it is none, as pointers.
fn required(kind: EventType) -> BTreeSet<String> {
    let always = "/id /type /timestamp /source /data /source/name /source/type /source/received_at /source/node";
    let own = match kind.name() {
        "test" => "/data/endpoint /data/endpoint/name",
        "system.userlimit_exceeded" => "/data/limit /data/active_users",
        "endpoint.disabled" | "endpoint.enabled" | "endpoint.recovered" => {
            "/data/endpoint /data/endpoint/name /data/reason"
        }
        "delivery.exhausted" => {
            "/data/endpoint /data/endpoint/name /data/event /data/event/id /data/event/type /data/attempt"
        }
        "auth.accept" | "auth.reject" | "auth.challenge" => "/data/attributes /data/client/mac /data/ap/mac",
        // With nothing left in it, it would be absent.
        "auth.timeout" => "/data/attributes /data/client/mac /data/ap/mac /data/auth/method",
        "nas.on" | "nas.off" => "/data/attributes",
        "coa.ack" | "coa.nak" | "disconnect.ack" | "disconnect.nak" => "/data/attributes /data/client/mac",
        name if name.starts_with("session.") => {
            "/data/session /data/session/id /data/session/unique_id /data/session/started_at /data/ap/mac"
        }
        _ => "",
    };
    let more = match kind.name() {
        "session.start" | "session.update" => "/data/attributes",
        "session.resumed" => "/data/attributes /data/session/previous/unique_id",
        "session.stop" => "/data/attributes /data/session/stopped_at",
        "session.lost" => "/data/session/stopped_at /data/session/last_seen_at /data/session/terminate_cause",
        "session.revoked" => "/data/session/revoked",
        "session.limit_exceeded" => "/data/attributes /data/session/stopped_at /data/session/limit",
        _ => "",
    };
    [always, own, more].iter().flat_map(|words| words.split_whitespace()).map(str::to_owned).collect()
}

/// Every key of an object, as pointers, but for those under attributes, where anything goes.
fn pointers(value: &Value, at: &str, into: &mut Vec<String>) {
    let Value::Object(map) = value else { return };
    for (key, value) in map {
        let pointer = format!("{at}/{key}");
        into.push(pointer.clone());
        if !key.ends_with("attributes") {
            pointers(value, &pointer, into);
        }
    }
}

fn place<'v>(event: &'v mut Value, pointer: &'v str) -> (&'v mut serde_json::Map<String, Value>, &'v str) {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer has a slash");
    (event.pointer_mut(parent).and_then(Value::as_object_mut).expect("the parent is an object"), key)
}

#[test]
fn an_event_without_one_of_its_required_keys_fails_and_without_another_it_does_not() {
    let schema = validator(&native());
    for (kind, sample) in samples() {
        let mut all = Vec::new();
        pointers(&sample, "", &mut all);
        let fails = |pointer: &&String| {
            let mut event = sample.clone();
            let (parent, key) = place(&mut event, pointer);
            parent.remove(key);
            !schema.is_valid(&event)
        };
        let failed: BTreeSet<String> = all.iter().filter(fails).cloned().collect();
        assert_eq!(failed, required(kind), "{kind}");
    }
}

#[test]
fn null_and_what_is_of_another_kind_fails() {
    let schema = validator(&native());
    let mut looked_at = 0;
    for (kind, sample) in samples() {
        let mut all = Vec::new();
        pointers(&sample, "", &mut all);
        let posted = sample["source"]["type"] == "local";
        // What posts say of themselves, and what this version does not make yet, is open.
        let is_open = |pointer: &str| {
            let made = required(kind).iter().any(|own| own.starts_with("/data/"));
            pointer.starts_with("/data/") && (posted || !made)
        };
        for pointer in all.iter().filter(|pointer| !is_open(pointer)) {
            for wrong in [Value::Null, Value::Bool(false), "".into()] {
                let mut event = sample.clone();
                let (parent, key) = place(&mut event, pointer);
                parent.insert(key.to_owned(), wrong.clone());
                assert!(!schema.is_valid(&event), "{kind} with {wrong} at {pointer}");
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 1_000, "{looked_at}");
}

#[test]
fn an_unknown_type_a_wrong_time_and_a_wrong_address_fail_and_new_keys_do_not() {
    let schema = validator(&native());
    let (_, stop) = samples().find(|(kind, _)| *kind == EventType::SessionStop).expect("there is one");
    for (pointer, wrong) in [
        ("/type", "session.halt"),
        ("/id", "17"),
        ("/timestamp", "2026-11-22T10:15:30Z"),
        ("/timestamp", "2026-13-22T10:15:30.000Z"),
        ("/source/type", "telepathy"),
        ("/source/address", "300.0.0.1"),
        ("/data/client/mac", "aa:bb:cc:dd:ee:ff"),
        ("/data/client/ip", "2001:db8::g"),
        ("/data/nas/ip", "lobby"),
        ("/data/session/unique_id", "9D1F"),
    ] {
        let mut event = stop.clone();
        *event.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = wrong.into();
        assert!(!schema.is_valid(&event), "{pointer} {wrong}");
    }
    let mut event = stop.clone();
    event["new"] = 1.into();
    event["data"]["new"] = Value::Null;
    event["data"]["session"]["new"] = "".into();
    assert!(schema.is_valid(&event), "new keys may come");
    let mut posted = stop;
    posted["source"]["type"] = "local".into();
    posted["data"] = serde_json::json!({ "user": "alice" });
    assert!(schema.is_valid(&posted), "who posts says what they like");
}
