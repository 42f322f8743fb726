//! What a dialect sets by itself, that the endpoint's own keys go first, and what it has no word for.

use std::time::Duration;

use super::*;
use crate::deliver::options::{BatchOptions, EndpointOptions, Format, RetryOptions, SignatureOptions, Verify};
use crate::event::EventType;
use crate::route::Scope;

/// An endpoint with these keys, and what it is warned of; the keys begin in line 4.
#[track_caller]
fn endpoint(keys: &str) -> (Endpoint, Vec<String>) {
    let text = format!("[[endpoint]]\nname = \"x\"\nurl = \"https://example.com/accounting/\"\n{keys}\n");
    let local = "[[source]]\ntype = \"local\"\nlisten = \"unix:/run/radhook/local.sock\"\n";
    let files = [("smallest.toml", SMALLEST), ("x.toml", &text), ("z.toml", local)];
    let (config, warnings) = read_in(Path::new("/nowhere"), &files).unwrap();
    (config.endpoints[1].clone(), warnings.iter().map(ToString::to_string).collect())
}

/// What an endpoint with these keys is like, which has nothing to be warned of.
#[track_caller]
fn delivery(keys: &str) -> EndpointOptions {
    let (endpoint, warnings) = endpoint(keys);
    assert_eq!(warnings, Vec::<String>::new());
    endpoint.delivery
}

fn wanted(endpoint: &Endpoint) -> Vec<&'static str> {
    EventType::ALL.iter().filter(|kind| endpoint.interest.subscription.wants(**kind)).map(|kind| kind.name()).collect()
}

const HOUR: u64 = 3_600;

fn retry(seconds: &[u64], endless: bool) -> RetryOptions {
    let schedule = seconds.iter().copied().map(Duration::from_secs).collect();
    RetryOptions { schedule, jitter: 0.1, max_age: None, endless }
}

const SECRET: &str = "signature = { secret = \"sixteen bytes or more\" }";

#[test]
fn ironwifi_wants_the_secret_alone() {
    let ironwifi = delivery(&format!("format = \"ironwifi\"\n{SECRET}"));
    let Some(SignatureOptions::HmacSha256 { header, prefix, .. }) = &ironwifi.signature else { panic!() };
    assert_eq!((header.as_str(), prefix.as_str()), ("x-ironwifi-signature", ""));
    assert_eq!(ironwifi.retry, retry(&[60, 300, 1_800, 2 * HOUR, 12 * HOUR], false));
    assert_eq!((ironwifi.timeout, ironwifi.verify), (Duration::from_secs(10), Verify::None));

    let (unsigned, warnings) = endpoint("format = \"ironwifi\"");
    assert_eq!(unsigned.delivery.signature, None);
    assert_eq!(
        warnings,
        ["x.toml:4:10: receivers of format = \"ironwifi\" verify a signature, and there is none; \
          add signature = { secret = { file = \"ironwifi.key\" } }"]
    );
    endpoint_says(SECRET, &["x.toml:4:13: [endpoint.signature] needs `scheme`; add scheme = \"standard\""]);
}

#[test]
fn signin_sends_arrays_and_keeps_what_it_sent() {
    let signin = delivery("format = \"signin\"\nheaders = { content-type = \"application/vnd.acme+json\" }");
    let twenty_minutes = Duration::from_secs(20 * 60);
    assert_eq!(
        signin.batch,
        BatchOptions { max_events: 20_000, max_wait: twenty_minutes, max_bytes: 16 * 1024 * 1024 }
    );
    assert!(signin.log_bodies);
    assert_eq!(signin.headers.len(), 1);
    endpoint_says(
        "format = \"purple\"\nheaders = { content-type = \"text/plain\" }",
        &["x.toml:5:13: the header content-type is set by radhook itself; remove it"],
    );
}

#[test]
fn purple_and_bt_ask_first_and_try_again_for_ever() {
    for format in ["purple", "bt"] {
        let (endpoint, _) = endpoint(&format!("format = \"{format}\""));
        assert_eq!(wanted(&endpoint), ["auth.accept"]);
        assert_eq!(endpoint.delivery.verify, Verify::Purple);
        assert_eq!(endpoint.delivery.retry, retry(&[3 * HOUR], true));
        assert_eq!(endpoint.delivery.disable_after, Some(Duration::from_secs(5 * 86_400)));
    }
}

#[test]
fn the_endpoints_own_keys_go_before_those_of_its_dialect() {
    let purple = delivery(
        "format = \"purple\"\ntimeout = \"3s\"\nverify = \"none\"\nretry = { schedule = [\"1m\"], max_age = \"1d\" }\n\
         disable = { after = \"1h\" }",
    );
    let day = Some(Duration::from_secs(86_400));
    assert_eq!(purple.retry, RetryOptions { max_age: day, ..retry(&[60], true) });
    assert_eq!((purple.verify, purple.disable_after), (Verify::None, Some(Duration::from_secs(HOUR))));
    assert_eq!(delivery("format = \"bt\"\nretry = { endless = false }").retry, retry(&[3 * HOUR], false));
    assert_eq!(delivery("format = \"bt\"\nretry = { schedule = [] }").retry, retry(&[], false));
    let signin = delivery("format = \"signin\"\nbatch = { max_events = 5 }\nlog_bodies = false");
    assert_eq!((signin.batch.max_events, signin.batch.max_wait), (5, Duration::from_secs(20 * 60)));
    assert!(!signin.log_bodies);
    let one = delivery("format = \"signin\"\nbatch = { max_events = 1, max_wait = \"0s\" }");
    assert!(one.batch.is_single());
    let header = "signature = { scheme = \"hmac-sha256\", secret = \"sixteen bytes or more\", header = \"X-Own\" }";
    let ironwifi = delivery(&format!("format = \"ironwifi\"\n{header}"));
    assert!(matches!(ironwifi.signature, Some(SignatureOptions::HmacSha256 { header, .. }) if header == "x-own"));
    let standard = "signature = { scheme = \"standard\", secret = \"sixteen bytes or more\" }";
    let ironwifi = delivery(&format!("format = \"ironwifi\"\n{standard}"));
    assert!(matches!(ironwifi.signature, Some(SignatureOptions::Standard { .. })));
}

#[test]
fn every_format_can_do_without_an_end() {
    let native = delivery("retry = { schedule = [\"1m\", \"3h\"], endless = true }");
    assert_eq!(native.retry, retry(&[60, 3 * HOUR], true));
    endpoint_says(
        "retry = { schedule = [], endless = true }",
        &[
            "x.toml:4:36: `endless` repeats the last wait of `schedule`, and there is none; write schedule = [\"3h\"], say",
        ],
    );
}

#[test]
fn without_events_a_dialect_gets_all_it_has_words_for() {
    for format in ["ironwifi", "signin", "rlm_rest"] {
        let (endpoint, _) = endpoint(&format!("format = \"{format}\""));
        let kinds = endpoint.delivery.format.kinds();
        assert_eq!(wanted(&endpoint).len(), kinds.len(), "{format}");
        assert!(kinds.iter().all(|kind| endpoint.interest.subscription.wants(*kind)), "{format}");
    }
    let native = endpoint("").0;
    assert!(!native.interest.subscription.wants(EventType::UserCreated));
}

#[test]
fn openwisp_is_told_by_its_url_what_it_gets() {
    let at = |path: &str, keys: &str| {
        let text = format!(
            "[[endpoint]]\nname = \"x\"\nurl = \"https://openwisp.example.com/api/v1/{path}\"\nformat = \"openwisp\"\n{keys}\n"
        );
        let files = [("smallest.toml", SMALLEST), ("x.toml", text.as_str())];
        let (config, warnings) = read_in(Path::new("/nowhere"), &files).unwrap();
        (wanted(&config.endpoints[1]), warnings.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let sessions = ["session.start", "session.update", "session.stop", "session.lost"];
    assert_eq!(at("freeradius/accounting/", ""), (sessions.to_vec(), Vec::new()));
    assert_eq!(at("freeradius/postauth", ""), (vec!["auth.accept", "auth.reject"], Vec::new()));
    let warning = "x.toml:3:7: OpenWISP RADIUS takes accounting and logins at different URLs; \
                   make an [[endpoint]] for …/freeradius/accounting/ and one for …/freeradius/postauth/";
    assert_eq!(at("hooks", "").1, [warning]);
    assert_eq!(at("freeradius/postauth/", "events = [\"auth.accept\", \"session.stop\"]").1, [warning]);
    assert_eq!(at("hooks", "events = [\"auth.accept\"]").1, [""; 0]);
}

#[test]
fn a_type_without_a_word_is_warned_about_and_an_error_when_nothing_is_left() {
    let (part, warnings) = endpoint("format = \"purple\"\nevents = [\"auth.*\", \"session.stop\", \"nas.*\"]");
    assert_eq!(wanted(&part), ["auth.accept"]);
    let warned = |at: &str, pattern: &str| {
        format!("x.toml:5:{at}: the format purple has no word for \"{pattern}\"; it has words for auth.accept")
    };
    assert_eq!(warnings, [warned("21", "session.stop"), warned("37", "nas.*")]);
    endpoint_says(
        "format = \"purple\"\nevents = [\"session.*\"]",
        &[
            "x.toml:5:10: `events` names nothing that there is a word for in the format purple; it has words for auth.accept",
        ],
    );
}

#[test]
fn what_a_dialect_cannot_do_is_refused() {
    endpoint_says(
        "format = \"ironwifi\"\nbatch = { max_events = 2 }",
        &["x.toml:5:24: the format ironwifi has no form for several events in one request; \
           choose another `format`, or remove it"],
    );
    endpoint_says(
        "format = \"rlm_rest\"\nverify = \"purple\"",
        &["x.toml:5:10: verify = \"purple\" sends a test event, for which the format rlm_rest has no word; remove it"],
    );
}

#[test]
fn a_scope_and_a_description_arrive() {
    let (endpoint, _) = endpoint("venues = [888, \"lobby-*\"]\norganization = \"acme\"\ndescription = \"the lobby's\"");
    let venues = vec!["888".to_owned(), "lobby-*".to_owned()];
    assert_eq!(endpoint.interest.scope, Some(Scope { venues, organization: Some("acme".to_owned()) }));
    assert_eq!(endpoint.delivery.description.as_deref(), Some("the lobby's"));
    assert_eq!(endpoint.delivery.format, Format::Native);
    endpoint_says(
        "venues = []",
        &["x.toml:4:10: `venues` is an empty array, and must be a venue's id or name, or an array of them"],
    );
    endpoint_says(
        "venues = [true]",
        &["x.toml:4:11: `venues` must be an id, or a name in quotes, found the boolean true"],
    );
    endpoint_says("organization = \"\"", &["x.toml:4:16: `organization` is \"\", which is empty; name it"]);
    endpoint_says(
        "description = \"a\\nb\"",
        &["x.toml:4:15: `description` is \"a\\nb\", which holds a control character; write one line: \"a\\nb\""],
    );
}

/// The configs in `examples/` beside the one that has every key.
const EXAMPLES: [(&str, &str); 6] = [
    ("ironwifi.toml", include_str!("../../../examples/ironwifi.toml")),
    ("iacbox.toml", include_str!("../../../examples/iacbox.toml")),
    ("signin.toml", include_str!("../../../examples/signin.toml")),
    ("purple.toml", include_str!("../../../examples/purple.toml")),
    ("bt.toml", include_str!("../../../examples/bt.toml")),
    ("openwisp.toml", include_str!("../../../examples/openwisp.toml")),
];

#[test]
fn the_examples_of_dialects_set_by_the_format_what_they_say_it_sets() {
    let directory = super::documentation::example_directory();
    for (name, content) in [
        ("ironwifi.key", "sixteen bytes or more"),
        ("openwisp-authorization", "Bearer uuid token"),
        ("pms-password", "correct horse battery"),
    ] {
        std::fs::write(directory.path().join(name), content).unwrap();
    }
    for (file, text) in EXAMPLES {
        let (config, warnings) = read_in(directory.path(), &[(file, text)]).unwrap();
        // Files of tests may be readable by everybody.
        assert!(warnings.iter().all(|warning| warning.what.contains("everybody")), "{file}: {warnings:?}");
        let said = text.lines().find_map(|line| line.strip_prefix("# Set by the format: "));
        let Some(said) = said else { continue };
        // What stands in the comment changes nothing when it is switched on.
        let keys = said.replace(", ", "\n");
        let keys = keys.lines().fold(String::new(), |text, part| {
            match text.matches(['{', '[']).count() == text.matches(['}', ']']).count() {
                true => format!("{text}\n{part}"),
                false => format!("{text}, {part}"),
            }
        });
        let switched_on = text.replace(&format!("# Set by the format: {said}"), &keys);
        let (same, _) = read_in(directory.path(), &[(file, &switched_on)]).unwrap();
        assert_eq!(format!("{:#?}", same.endpoints), format!("{:#?}", config.endpoints), "{file}");
    }
}
