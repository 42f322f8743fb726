use std::io::Read;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::support::https::HttpsReceiver;
use super::*;

fn hashed(value: &str) -> Value {
    let digest = Sha256::digest(format!("change this salt{value}"));
    digest.iter().map(|octet| format!("{octet:02x}")).collect::<String>().into()
}

#[test]
fn everything_arrives_a_line_each_and_users_only_as_hashes() {
    let authority = Authority::new();
    let receiver = HttpsReceiver::start(authority.server_for_ours("localhost"), &["h2", "http/1.1"]);
    let origin = receiver.url("localhost").trim_end_matches("/hook").to_owned();
    let site = Site::start_with("siem", &origin, |directory| {
        let (certificate, key) = authority.issue("radhook");
        secret_file(&directory.join("radhook.pem"), &certificate.pem());
        secret_file(&directory.join("radhook-key.pem"), &key.serialize_pem());
        secret_file(&directory.join("siem-ca.pem"), &authority.pem());
    });
    assert!(site.login(USER, PASSWORD, MAC));
    assert!(!site.login(USER, "wrong", MAC));
    let nas = format!("NAS-Identifier = \"lobby-ap-1\", Calling-Station-Id = \"{MAC}\"");
    site.accounting(&[
        packet(USER, "S-1", "Start", &nas),
        packet(USER, "S-1", "Stop", &format!("{nas}, Acct-Session-Time = 9, Acct-Output-Octets = 7")),
        "Acct-Status-Type = Accounting-On, NAS-Identifier = \"lobby-ap-9\", NAS-IP-Address = 192.0.2.9".to_owned(),
    ]);
    site.wait_until("all has arrived", |status| status.endpoint("siem").delivered == 5);

    let mut lines: Vec<Value> = Vec::new();
    for request in receiver.taken() {
        assert_eq!(request.headers["content-type"], "application/x-ndjson");
        let mut text = String::new();
        match request.headers.get("content-encoding") {
            Some(_) => flate2::read::GzDecoder::new(&request.body[..]).read_to_string(&mut text).map(drop),
            None => (&request.body[..]).read_to_string(&mut text).map(drop),
        }
        .expect("it is text");
        assert!(!text.contains("alice") && !text.contains(MAC), "{text}");
        assert!(text.ends_with('\n'));
        lines.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a value a line")));
    }
    lines.sort_by_key(|line| line["type"].as_str().map(str::to_owned));
    let types: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap_or_default()).collect();
    assert_eq!(types, ["auth.accept", "auth.reject", "nas.on", "session.start", "session.stop"]);
    for line in lines.iter().filter(|line| line["type"] != "nas.on") {
        assert_eq!((&line["user"], &line["device"], &line["nas"]), (&hashed(USER), &hashed(MAC), &json!("lobby-ap-1")));
    }
    assert_eq!((&lines[0]["method"], &lines[0]["ssid"]), (&json!("PAP"), &json!("Guest")));
    assert_eq!((&lines[2]["user"], &lines[2]["nas"]), (&Value::Null, &json!("lobby-ap-9")));
    assert_eq!((&lines[4]["octets"], &lines[3]["octets"]), (&json!(7), &Value::Null));
    assert_eq!(lines[3]["session"], lines[4]["session"]);
}
