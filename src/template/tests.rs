use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

/// What somebody sends as User-Name who has read the manual.
const HOSTILE: &[&str] = &[
    r#"","x":""#,
    r#"\"#,
    r#"\","x":"\"#,
    "]]>",
    "]]",
    ">",
    "<script>",
    "\" onload='x",
    "{{7*7}}",
    "{% raw %}",
    "%0d%0a",
    "\r\nX-Evil: 1",
    "\u{2}\"\u{3}",
    "😀",
    "\u{fffd}\u{fffd}",
    "\0",
    "..",
    "../../admin",
    "?a=b&c=d#e",
    "",
];

fn facts(user: &str) -> Facts {
    Facts::of(Arc::new(json!({
        "id": "e-1",
        "type": "session.stop",
        "timestamp": "2026-11-22T10:15:30.000Z",
        "data": {
            "user": { "name": user, "groups": ["a", user] },
            "client": { "mac": "AA-BB-CC-DD-EE-FF", "ip": "10.1.2.3" },
            "session": { "duration": 3725, "input_octets": 5_368_709_120_u64 },
            "venue": { "id": 888 },
        },
    })))
}

fn made(source: &str, place: Place, user: &str) -> Result<String, Unfit> {
    Template::parse(source, place).unwrap().render(&facts(user))
}

fn filled(source: &str) -> String {
    made(source, Place::Text, "alice").unwrap()
}

#[test]
fn in_a_string_of_json_a_value_is_text_and_elsewhere_it_is_a_value() {
    let body = made(
        r#"{"a":"{{ user.name }}","b":{{ user.name }},"n":{{ session.duration }},"s":"{{ session.duration }} s",
            "gone":"{{ user.email }}","none":{{ user.email }},"list":{{ user.groups }},"text":"{{ user.groups }}"}"#,
        Place::Json,
        r#"a"b"#,
    );
    let body: Json = serde_json::from_str(&body.unwrap()).unwrap();
    let expected = json!({
        "a": "a\"b", "b": "a\"b", "n": 3725, "s": "3725 s", "gone": "", "none": null,
        "list": ["a", "a\"b"], "text": "[\"a\",\"a\\\"b\"]",
    });
    assert_eq!(body, expected);
}

#[test]
fn nothing_that_a_packet_brings_breaks_out_of_json() {
    for user in HOSTILE {
        let source = r#"{"name":"<{{ user.name }}{{ user.name }}>","{{ user.name }}k":{{ user.name }}}"#;
        let body: Json = serde_json::from_str(&made(source, Place::Json, user).unwrap()).unwrap();
        let object = body.as_object().unwrap();
        assert_eq!(object.len(), 2, "{user:?}");
        assert_eq!(object["name"], json!(format!("<{user}{user}>")));
        assert_eq!(object[&format!("{user}k")], json!(user));
    }
}

#[test]
fn nothing_that_a_packet_brings_breaks_out_of_xml() {
    for user in HOSTILE {
        let source = r#"<?xml version="1.0"?><!-- a "note" --><e a="{{ user.name }}" b='{{ user.name }}'>{{ user.name }}<c><![CDATA[]]{{ user.name }}]>{{ user.name }}]]></c></e>"#;
        let body = made(source, Place::Xml, user).unwrap();
        let shown = user.replace('\0', "\u{fffd}").replace(['\u{2}', '\u{3}'], "\u{fffd}");
        let read = xml(&body);
        assert_eq!(read.attributes, [shown.clone(), shown.clone()], "{body}");
        assert_eq!(read.elements, ["e", "c"], "{body}");
        // Line ends are one character to a reader of CDATA (XML 1.0 §2.11).
        let in_cdata = shown.replace("\r\n", "\n");
        assert_eq!(read.text, format!("{shown}]]{in_cdata}]>{in_cdata}"), "{body}");
    }
}

struct Read {
    elements: Vec<String>,
    attributes: Vec<String>,
    text: String,
}

fn xml(body: &str) -> Read {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(body);
    let mut read = Read { elements: Vec::new(), attributes: Vec::new(), text: String::new() };
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) => {
                read.elements.push(tag.name().as_ref().to_owned());
                for attribute in tag.attributes() {
                    let value = attribute.unwrap().value.into_owned();
                    read.attributes.push(quick_xml::escape::unescape(&value).unwrap().into_owned());
                }
            }
            Event::Text(text) => read.text += text.as_ref(),
            Event::GeneralRef(reference) => {
                let written = format!("&{};", reference.as_ref());
                read.text += &quick_xml::escape::unescape(&written).unwrap();
            }
            Event::CData(text) => read.text += &text.as_ref().replace("\r\n", "\n"),
            Event::Eof => return read,
            _ => {}
        }
    }
}

#[test]
fn values_stand_in_xml_only_where_text_can_stand() {
    for source in
        ["<a {{ user.name }}/>", "<!-- {{ user.name }} --><a/>", "<{{ user.name }}/>", "<?x {{ user.name }}?><a/>"]
    {
        assert!(made(source, Place::Xml, "alice").unwrap_err().to_string().contains("no place for text"), "{source}");
    }
    for source in ["<a>", "<a/><b/>", "text", "", "<a></b>", "<a b='1' b='2'/>"] {
        assert!(made(source, Place::Xml, "alice").unwrap_err().to_string().contains("no XML"), "{source}");
    }
}

#[test]
fn nothing_that_a_packet_brings_breaks_out_of_a_header() {
    for user in HOSTILE {
        let value = made("who={{ user.name }}; x", Place::Header, user).unwrap();
        assert!(!value.contains(char::is_control), "{value:?}");
        assert!(http::HeaderValue::from_str(&value).is_ok() || !value.is_ascii());
        assert!(http::HeaderValue::from_bytes(value.as_bytes()).is_ok());
    }
}

#[test]
fn nothing_that_a_packet_brings_leads_a_request_elsewhere() {
    let source = "https://crm.example.com/users/{{ user.name }}/hook?name={{ user.name }}&x=1";
    for user in HOSTILE {
        let url = made(source, Place::Url, user);
        match *user {
            "" | ".." => assert!(url.is_err(), "{user:?}"),
            _ => {
                let url = reqwest::Url::parse(&url.unwrap()).unwrap();
                assert_eq!(url.host_str(), Some("crm.example.com"));
                assert_eq!(url.path_segments().unwrap().count(), 3, "{url}");
                let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
                assert_eq!(pairs, [("name".to_owned(), (*user).to_owned()), ("x".to_owned(), "1".to_owned())]);
                assert_eq!(url.fragment(), None);
            }
        }
    }
    for half in ["https://h/.{{ source.none }}{{ user.name }}/x", "https://h/{{ user.name }}.?a"] {
        assert!(made(half, Place::Url, ".").is_err(), "{half}");
    }
}

#[test]
fn where_requests_go_stands_in_the_config_and_not_in_a_packet() {
    for source in [
        "{{ user.name }}",
        "https://{{ user.name }}/",
        "https://h{{ user.name }}?a",
        "{% if id %}https{% endif %}://h/",
    ] {
        let mistake = Template::parse(source, Place::Url).unwrap_err();
        assert!(mistake.what.contains("must stand there as they are"), "{source}");
    }
    assert!(Template::parse("https://h/{{ id }}", Place::Url).is_ok());
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let wrong = |source: &str| Template::parse(source, Place::Json).unwrap_err();
    let Mistake { what, at } = wrong("{\n \"a\": {{ sesion.id }}}");
    assert_eq!((what.as_str(), at), ("sesion is no fact of an event: did you mean session?", Some(11)));
    let Mistake { what, at } = wrong("{\"a\": {{ user.name | upcase }}}");
    assert!(what.contains("upcase") && at.is_some(), "{what} {at:?}");
    assert!(wrong("{{ user.name").at.is_some());
    assert_eq!(wrong(r#"{"a":"\{{ id }}"}"#).at, Some(6));
    assert!(wrong("{% set x %}{{ id }}{% endset %}").what.contains("endset"));
    assert!(wrong("{% filter upper %}{{ id }}{% endfilter %}").what.contains("filter"));
    assert!(wrong(&" ".repeat(MAX_SOURCE + 1)).what.contains("longer"));
    assert!(wrong("{{ user.name | safe }}").what.contains("safe"));
}

#[test]
fn a_condition_with_an_absent_fact_does_not_hold() {
    let holds = |source: &str| Condition::parse(source).unwrap().holds(&facts("alice"));
    for yes in [
        "session.duration > 60 and venue.id == 888",
        "session.duration >= 3725 and 3725 <= session.duration",
        "60 < session.duration < 4000",
        "user.name in ['alice', 'bob']",
        "'a' in user.groups",
        "user.name == \"alice\" or auth.rounds < 3",
        "not auth",
        "auth.rounds is not defined",
        "user.name is startingwith('al')",
        "(session.input_octets | bytes('GiB')) > 4.5",
        "user.email != 'x'",
        "type == 'session.stop'",
        "data.venue.id == 888",
        "session['duration'] > 60 if venue else false",
        "{'a': 1}.a == 1 and [1, 2][1] == 2 and (1, 2)[0] == 1 and user.name[:2] == 'al'",
        "-session.duration < 0",
    ] {
        assert_eq!(holds(yes), Ok(true), "{yes}");
    }
    for no in [
        "auth.rounds < 3",
        "auth.rounds <= 3",
        "auth.rounds > 3",
        "3 > auth.rounds",
        "1 < auth.rounds < 5",
        "auth.rounds < session.duration",
        "user.email",
        "venue.id == 887",
    ] {
        assert_eq!(holds(no), Ok(false), "{no}");
    }
    assert!(holds("user.name + 1 > 3").is_err());
}

#[test]
fn who_writes_a_condition_in_another_language_is_told_how_it_is_written_here() {
    for (wrong, at, help) in [
        ("user.name = 'alice'", 10, "write == to compare"),
        ("user.name <> 'alice'", 11, "write !="),
        ("user.name && venue", 10, "write and"),
        ("user.name || venue", 11, "write or"),
        ("!user.name", 0, "write not"),
        ("{{ user.name }}", 13, "without {{ }}"),
    ] {
        let mistake = Condition::parse(wrong).unwrap_err();
        assert!(mistake.what.contains(help), "{wrong}: {mistake:?}");
        assert_eq!(mistake.at, Some(at), "{wrong}: {mistake:?}");
    }
}

#[test]
fn a_condition_is_checked_when_it_is_read() {
    let wrong = |source: &str| Condition::parse(source).unwrap_err();
    assert_eq!(wrong("sesion.duration > 1").at, Some(0));
    assert_eq!(wrong("id and usr.name").what, "usr is no fact of an event: did you mean user?");
    assert!(wrong("user.name =").at.is_some());
    let Mistake { what, at } = wrong("user.name | upcase == 'A'");
    assert!(what.starts_with("there is no filter upcase") && at == Some(12), "{what} {at:?}");
    assert!(wrong("user.name is startinwith('a')").what.starts_with("there is no test startinwith"));
    assert!(wrong("").what.contains("unexpected"));
    assert!(Condition::parse("count >= 3").unwrap().counts());
    assert!(!Condition::parse("id").unwrap().counts());
}

#[test]
fn work_and_output_are_bounded() {
    for source in [
        "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
        "{{ 'x' * 99999999 }}{{ 'x' * 99999999 }}",
        "{{ (user.name * 99999) * 9999 }}",
    ] {
        assert!(made(source, Place::Text, "alice").is_err(), "{source}");
    }
}

#[test]
fn filters_speak_the_notations_of_receivers() {
    for (source, expected) in [
        ("{{ client.mac | mac('aa:bb:cc:dd:ee:ff') }}", "aa:bb:cc:dd:ee:ff"),
        ("{{ client.mac | mac('AABB.CCDD.EEFF') }}", "AABB.CCDD.EEFF"),
        ("{{ client.mac | mac('aabbccddeeff') }}", "aabbccddeeff"),
        ("{{ client.mac | mac('aabbcc-ddeeff') }}", "aabbcc-ddeeff"),
        ("{{ client.mac | mac }}", "AA-BB-CC-DD-EE-FF"),
        ("{{ user.name | mac }}", ""),
        ("{{ client.mac | oui }}", "AA-BB-CC"),
        ("{{ timestamp | time }}", "2026-11-22T10:15:30+0000"),
        ("{{ timestamp | time('%d.%m.%Y %H:%M', 'Europe/Berlin') }}", "22.11.2026 11:15"),
        ("{{ 0 | time('%Y') }}", "1970"),
        ("{{ user.name | time }}", ""),
        ("{{ timestamp | unix }}", "1795342530"),
        ("{{ timestamp | unix('ms') }}", "1795342530000"),
        ("{{ session.input_octets | bytes }}", "5.0 GiB"),
        ("{{ session.input_octets | bytes('GB') }}", "5.37"),
        ("{{ 512 | bytes }}", "512 B"),
        ("{{ session.duration | duration }}", "1h 2m 5s"),
        ("{{ session.duration | duration('clock') }}", "01:02:05"),
        ("{{ session.duration | duration('minutes') }}", "62.08"),
        ("{{ 0 | duration }}", "0s"),
        // printf 'alice' | sha256sum; printf 'pepperalice' | sha256sum
        ("{{ user.name | sha256 }}", "2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90"),
        ("{{ user.name | sha256('pepper') | length }}", "64"),
        ("{{ user.name | mask }}", "a****"),
        ("{{ 'alice@example.org' | mask(2) }}", "al***@example.org"),
        ("{{ client.ip | subnet }}", "10.1.2.0/24"),
        ("{{ '2001:db8::1' | subnet(24, 32) }}", "2001:db8::/32"),
        ("{{ user.email | sha256 }}{{ user.email | mask }}{{ user.email | bytes }}{{ user.email | json }}", ""),
        ("{{ user.groups | json }}", "[\"a\",\"alice\"]"),
    ] {
        assert_eq!(filled(source), expected, "{source}");
    }
    for wrong in ["{{ id | mac('nonsense') }}", "{{ timestamp | time('%Y', 'Mars/Olympus') }}", "{{ 1 | bytes('XB') }}"]
    {
        assert!(made(wrong, Place::Text, "alice").is_err(), "{wrong}");
    }
}

#[test]
fn json_lines_are_a_value_a_line_however_they_were_written() {
    let source = "{\n  \"a\": \"{{ user.name }}\",\n\t\"gone\":\n {{ user.email }}\n}\n\n{{ user.groups }} 1";
    let made = |user| made(source, Place::of_content_type("application/x-ndjson; charset=utf-8"), user).unwrap();
    assert_eq!(made("a"), "{\"a\": \"a\",\"gone\":null}\n[\"a\",\"a\"]\n1\n");
    for user in HOSTILE {
        let made = made(user);
        let lines: Vec<Json> = made.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, [json!({ "a": user, "gone": null }), json!(["a", user]), json!(1)], "{user:?}");
    }
    for wrong in ["", " {# nothing #} ", "{\"a\": 1} {", "{\"a\": {{ user.name }}x}", "a"] {
        assert!(super::Template::parse(wrong, Place::JsonLines).unwrap().render(&facts("b")).is_err(), "{wrong}");
    }
}

#[test]
fn several_events_are_a_list() {
    let template = Template::parse(
        "[{% for e in events %}{{ e.user.name }}{% if not loop.last %},{% endif %}{% endfor %}]",
        Place::Json,
    );
    let event = |name: &str| Arc::new(json!({ "data": { "user": { "name": name } } }));
    let body = template.unwrap().render(&Facts::of_several(vec![event("a\""), event("b")])).unwrap();
    assert_eq!(body, r#"["a\"","b"]"#);
}

proptest! {
    #[test]
    fn whatever_a_value_is_json_stays_what_it_was_made_to_be(user in ".{0,40}") {
        let source = r#"{"a":"{{ user.name }}","b":[{{ user.name }},"-{{ user.name | upper }}-"]}"#;
        let body: Json = serde_json::from_str(&made(source, Place::Json, &user).unwrap()).unwrap();
        prop_assert_eq!(body, json!({ "a": user, "b": [user, format!("-{}-", user.to_uppercase())] }));
    }

    #[test]
    fn whatever_a_value_is_xml_stays_what_it_was_made_to_be(user in "[\\]>\\[<!&'\"a]{0,12}") {
        let source = r#"<e a="{{ user.name }}"><![CDATA[{{ user.name }}]]]>{{ user.name }}</e>"#;
        let read = xml(&made(source, Place::Xml, &user).unwrap());
        prop_assert_eq!(read.elements, ["e"]);
        prop_assert_eq!(read.attributes, [user.clone()]);
        prop_assert_eq!(read.text, format!("{user}]{user}"));
    }

    #[test]
    fn no_condition_and_no_template_panics(source in "[ a-z0-9.{}%\"'()<>=!|~+*/,\\[\\]-]{0,60}") {
        let _ = Condition::parse(&source).map(|condition| condition.holds(&facts("alice")));
        for place in [Place::Json, Place::Xml, Place::Url, Place::Header] {
            let _ = Template::parse(&source, place).map(|template| template.render(&facts("alice")));
        }
    }
}
