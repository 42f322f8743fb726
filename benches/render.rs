//! What an event costs on its way out: a request of it in each format, by templates of the operator's own, and whether a condition
//! holds. Of the sample of a `session.stop` (of an `auth.accept` where a dialect has no word for that), from its stored JSON.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use radhook::event::EventType;
use radhook::event::sample::Sample;
use radhook::render::{Format, Templates};
use radhook::template::{Condition, Facts, Place, Template};
use serde_json::Value;

fn event(kind: EventType) -> Value {
    Sample { now: Timestamp::UNIX_EPOCH, node: "radhook", endpoint: "crm" }.of(kind)
}

/// A sample that a format has a word for, as it is stored.
fn stored(format: Format) -> Vec<u8> {
    let kinds = [EventType::SessionStop, EventType::AuthAccept];
    let mut events = kinds.into_iter().map(event).filter(|event| format.has_word_for(event));
    events.next().expect("every format has a word for one of them").to_string().into_bytes()
}

fn template(source: &str, place: Place) -> Template {
    Template::parse(source, place).expect("it is well-formed")
}

const JSON: &str = r#"{ "id": "{{ id }}", "event": "{{ type }}", "user": "{{ user.name }}", "mac": "{{ client.mac | mac("aa:bb:cc:dd:ee:ff") }}",
  "at": "{{ timestamp | time("%d.%m.%Y %H:%M", "Europe/Berlin") }}", "seconds": {{ session.duration }}, "up": {{ session.input_octets }},
  "down": {{ session.output_octets }}, "cause": "{{ session.terminate_cause | default("unknown") }}" }"#;

const XML: &str = r#"<event id="{{ id }}" type="{{ type }}"><user>{{ user.name }}</user><mac>{{ client.mac | mac("aa:bb:cc:dd:ee:ff") }}</mac>
  <at>{{ timestamp | time("%d.%m.%Y %H:%M", "Europe/Berlin") }}</at><seconds>{{ session.duration }}</seconds>
  <up>{{ session.input_octets }}</up><down>{{ session.output_octets }}</down>
  <cause><![CDATA[{{ session.terminate_cause | default("unknown") }}]]></cause></event>"#;

fn formats(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("format");
    let plain = Templates::default();
    for format in Format::ALL.into_iter().filter(|format| *format != Format::Template) {
        let json = stored(format);
        group.bench_function(format.name(), |bencher| {
            bencher.iter(|| plain.one(format, black_box(json.clone())).expect("a request"));
        });
    }
    let sample = include_str!("../examples/iacbox.json");
    let names = Format::ALL.into_iter().find_map(Format::names).expect("iacbox has names of its own");
    let iacbox = Format::ALL.into_iter().find(|format| format.names().is_some()).expect("iacbox");
    let body = Template::over(sample, Place::Json, names).expect("it is well-formed");
    let of_sample = Templates { body: Some(body), ..Templates::default() };
    let json = stored(iacbox);
    group.bench_function("iacbox, its sample", |bencher| {
        bencher.iter(|| of_sample.one(iacbox, black_box(json.clone())).expect("a request"));
    });
    for (name, source, place) in [("template JSON", JSON, Place::Json), ("template XML", XML, Place::Xml)] {
        let templates = Templates { body: Some(template(source, place)), ..Templates::default() };
        let json = stored(Format::Template);
        group.bench_function(name, |bencher| {
            bencher.iter(|| templates.one(Format::Template, black_box(json.clone())).expect("a request"));
        });
    }
    group.finish();
}

fn parts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("part");
    let url =
        template("https://crm.example.com/users/{{ user.name }}/stops?seconds={{ session.duration }}", Place::Url);
    let templates = Templates { url: Some(url), ..Templates::default() };
    let json = stored(Format::Native);
    group.bench_function("native with a templated URL", |bencher| {
        bencher.iter(|| templates.one(Format::Native, black_box(json.clone())).expect("a request"));
    });
    let stop = Arc::new(event(EventType::SessionStop));
    let condition =
        Condition::parse("session.duration > 60 and ap.ssid in ['Guest', 'Lobby'] and client.mac | oui != '00-00-00'")
            .expect("it is well-formed");
    group.bench_function("condition", |bencher| {
        bencher.iter(|| condition.holds(&Facts::of(Arc::clone(black_box(&stop)))).expect("it can be told"));
    });
    // What a condition costs besides, where nothing else has read the stored event.
    group.bench_function("reading the stored event", |bencher| {
        bencher.iter(|| serde_json::from_slice::<Value>(black_box(&json)).expect("JSON"));
    });
    group.finish();
}

criterion_group!(benches, formats, parts);
criterion_main!(benches);
