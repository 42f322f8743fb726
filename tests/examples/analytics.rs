use std::io::Read;

use serde_json::{Value, json};

use super::*;

/// Sessions that are long enough to be told: a full batch.
const SESSIONS: usize = 500;

#[test]
fn sessions_arrive_hundreds_at_a_time_and_nobody_is_known_by_them() {
    let receiver = receiver();
    let site = Site::start("analytics", origin(&receiver));
    let stop = |number: usize, seconds: u32| {
        // Every other device is one that makes its address up.
        let mac = format!(
            "{}-11-22-00-{:02X}-{:02X}",
            if number.is_multiple_of(2) { "00" } else { "02" },
            number / 256,
            number % 256
        );
        let more = format!(
            "NAS-Identifier = \"lobby-ap-1\", Calling-Station-Id = \"{mac}\", Called-Station-Id = \"00-11-22-33-44-55:Guest\", \
             Framed-IP-Address = 10.1.2.{}, Acct-Session-Time = {seconds}, Acct-Input-Octets = 1500000, \
             Acct-Output-Octets = 1000000",
            number % 250 + 1
        );
        packet(&format!("user{number}@example.org"), &format!("A-{number}"), "Stop", &more)
    };
    let mut packets = vec![stop(1000, 59), stop(1001, 5)];
    packets.extend((0..SESSIONS).map(|number| stop(number, 90)));
    site.accounting(&packets);
    // Nothing waits for the minute to be over: the batch is full.
    let asked = receiver.wait_until_asked(1);
    let request = &asked[0];
    assert_eq!((request.method.as_str(), request.uri.to_string().as_str()), ("POST", "/v1/tables/wifi_sessions/rows"));
    assert_eq!((request.header("content-encoding"), request.header("content-type")), ("gzip", "application/json"));
    assert_eq!(request.header("authorization"), format!("Bearer {TOKEN}"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&request.body[..]).read_to_string(&mut text).expect("it is gzip");
    // Neither devices nor addresses nor names.
    for whole in ["-11-22-00", "10.1.2.1", "user1"] {
        assert!(!text.contains(whole), "{whole}: {text}");
    }
    let body: Value = serde_json::from_str(&text).expect("it is JSON");
    let rows = body["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), SESSIONS);
    let made_up = rows.iter().filter(|row| row["maker"].is_null()).count();
    let of_makers = rows.iter().filter(|row| row["maker"] == "00-11-22").count();
    assert_eq!((made_up, of_makers), (SESSIONS / 2, SESSIONS / 2));
    for row in rows {
        assert_eq!(
            (&row["network"], &row["ssid"], &row["site"], &row["minutes"], &row["megabytes"]),
            (&json!("10.1.2.0/24"), &json!("Guest"), &json!("lobby-ap-1"), &json!(1.5), &json!(2.5))
        );
        let user = row["user"].as_str().expect("a name");
        assert!(user.starts_with("u***") && user.ends_with("@example.org"), "{user}");
        assert!(row["hour"].as_u64().is_some_and(|hour| hour < 24), "{row}");
        assert_eq!(row["day"].as_str().map(str::len), Some("2026-11-25".len()));
    }
    let ids: std::collections::BTreeSet<_> = rows.iter().map(|row| row["insert_id"].as_str()).collect();
    assert_eq!(ids.len(), SESSIONS);
    site.wait_until("all is settled", |status| status.endpoint("warehouse").delivered == SESSIONS as u64);
    assert_eq!(receiver.asked().len(), 1);
}
