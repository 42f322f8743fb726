//! The whole way: radclient → a real FreeRADIUS → radhook → a receiver that verifies with somebody else's library.

mod support;

use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::{Value, json};
use support::daemon::{Config, Daemon};
use support::freeradius::{Accounting, FreeRadius, HOME_SECRET, NAS_SECRET, StatusCheck};
use support::radclient::Radclient;
use support::standard::{Delivery, StandardReceiver};
use support::verbs::{self, wait_until_status};
use tempfile::TempDir;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// FreeRADIUS, radhook behind it, and a receiver behind that.
struct Bridge {
    receiver: StandardReceiver,
    daemon: Daemon,
    freeradius: FreeRadius,
    config: PathBuf,
    _directory: TempDir,
}

impl Bridge {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let receiver = StandardReceiver::start(SECRET);
        let config = Config::bare(directory.path())
            .table("[[source]]\ntype = \"accounting\"\nname = \"acct\"\nlisten = \"127.0.0.1:0\"")
            .client("freeradius", "127.0.0.1", HOME_SECRET)
            .endpoint("crm", &receiver.url(), SECRET, "events = [\"*\"]")
            .top("node = \"radhook-1\"")
            .write();
        let daemon = Daemon::start(&config);
        let home = daemon.accounting();
        let freeradius = FreeRadius::start(&Accounting::Proxy { home, status_check: StatusCheck::None });
        Self { receiver, daemon, freeradius, config, _directory: directory }
    }

    /// Sends packets to FreeRADIUS, which must get every answer and pass it on.
    fn through_the_proxy(&self, packets: &[String]) {
        let answers = Radclient::accounting(self.freeradius.accounting(), NAS_SECRET).send(packets);
        assert_eq!((answers.answered, answers.lost), (packets.len(), 0), "{}", answers.output);
    }

    /// Sends packets to radhook itself.
    fn directly(&self, packets: &[String]) {
        let answers = Radclient::accounting(self.daemon.accounting(), HOME_SECRET).send(packets);
        assert_eq!((answers.answered, answers.lost), (packets.len(), 0), "{}", answers.output);
    }

    /// Everything that was delivered, once nothing is pending any more, in order of arrival.
    fn events(&self) -> Vec<Value> {
        wait_until_status(&self.config, "all is delivered", |status| status.endpoint("crm").pending == 0);
        let deliveries = self.receiver.deliveries();
        deliveries.iter().for_each(assert_valid);
        deliveries.into_iter().map(|delivery| delivery.body).collect()
    }
}

fn assert_valid(delivery: &Delivery) {
    assert_eq!((delivery.verdict.as_str(), delivery.status), ("valid", 204), "{delivery:?}");
    assert_eq!(delivery.id.as_deref(), delivery.body["id"].as_str(), "the header says what the body says");
}

/// Takes out what a test cannot know beforehand, after looking at its shape.
fn without_chance(mut event: Value) -> Value {
    let id = event["id"].take();
    assert_eq!(id.as_str().map(str::len), Some(36), "{id}");
    let received_at = event["source"]["received_at"].take();
    assert_eq!(written(time(&received_at)), received_at.as_str().expect("a string"));
    if let Some(session) = event["data"].get_mut("session") {
        assert_eq!(session["unique_id"].take().as_str().map(str::len), Some(32));
    }
    // FreeRADIUS's own, which differs from packet to packet, is nobody else's.
    assert_eq!(event["data"]["attributes"].get("Proxy-State"), None);
    event
}

fn time(value: &Value) -> Timestamp {
    value.as_str().expect("times are strings").parse().expect("times are RFC 3339")
}

/// RFC 3339 in UTC with milliseconds.
fn written(time: Timestamp) -> String {
    format!("{time:.3}")
}

fn source() -> Value {
    json!({
        "name": "acct", "type": "accounting", "client": "freeradius", "address": "127.0.0.1",
        "received_at": null, "node": "radhook-1"
    })
}

#[test]
fn a_session_through_freeradius_arrives_signed_and_field_by_field_as_designed() {
    let bridge = Bridge::start();
    let began = Timestamp::now().as_second() - 7200;
    let at = |after: i64| written(Timestamp::from_second(began + after).expect("a time"));
    let packet = |status: &str, after: i64, more: &str| {
        format!(
            "Acct-Status-Type = {status}, User-Name = \"alice@example.org\", Acct-Session-Id = \"5F1A-0001\", \
             Acct-Multi-Session-Id = \"5F1A\", NAS-Identifier = \"lobby-ap-1\", NAS-IP-Address = 10.0.0.1, \
             NAS-Port = 7, NAS-Port-Id = \"wlan0\", NAS-Port-Type = Wireless-802.11, \
             Calling-Station-Id = \"aa:bb:cc:dd:ee:ff\", Called-Station-Id = \"00-11-22-33-44-55:Guest: upper floor\", \
             Framed-IP-Address = 10.1.2.3, Framed-IPv6-Prefix = 2001:db8:1::/64, \
             Event-Timestamp = {}, Acct-Delay-Time = 0{more}",
            began + after
        )
    };
    bridge.through_the_proxy(&[
        packet("Start", 0, ""),
        packet(
            "Interim-Update",
            300,
            ", Acct-Session-Time = 300, Acct-Input-Octets = 1000, Acct-Output-Octets = 10, \
             Acct-Input-Gigawords = 0, Acct-Output-Gigawords = 0, Acct-Input-Packets = 5, Acct-Output-Packets = 6",
        ),
        packet(
            "Stop",
            3600,
            ", Acct-Session-Time = 3600, Acct-Input-Octets = 1073741824, Acct-Input-Gigawords = 1, \
             Acct-Output-Octets = 1024, Acct-Output-Gigawords = 0, Acct-Input-Packets = 10, \
             Acct-Output-Packets = 12, Acct-Terminate-Cause = User-Request",
        ),
    ]);

    let events = bridge.events();
    assert_eq!(events.len(), 3);
    let unique = |event: &Value| event["data"]["session"]["unique_id"].clone();
    assert!(events.iter().all(|event| unique(event) == unique(&events[0])), "one session");
    let attributes = |status: &str, after: i64, more: Value| {
        let mut attributes = json!({
            "Acct-Status-Type": status,
            "User-Name": "alice@example.org",
            "Acct-Session-Id": "5F1A-0001",
            "Acct-Multi-Session-Id": "5F1A",
            "NAS-Identifier": "lobby-ap-1",
            "NAS-IP-Address": "10.0.0.1",
            "NAS-Port": 7,
            "NAS-Port-Id": "wlan0",
            "NAS-Port-Type": "Wireless-802.11",
            "Calling-Station-Id": "aa:bb:cc:dd:ee:ff",
            "Called-Station-Id": "00-11-22-33-44-55:Guest: upper floor",
            "Framed-IP-Address": "10.1.2.3",
            "Framed-IPv6-Prefix": "2001:db8:1::/64",
            "Event-Timestamp": at(after),
            "Acct-Delay-Time": 0,
        });
        let known = attributes.as_object_mut().expect("an object");
        known.extend(more.as_object().expect("an object").clone());
        attributes
    };
    let event = |kind: &str, after: i64, session: Value, attributes: Value| {
        let mut whole = json!({ "id": "5F1A-0001", "unique_id": null, "multi_id": "5F1A", "started_at": at(0) });
        whole.as_object_mut().expect("an object").extend(session.as_object().expect("an object").clone());
        let mut user = json!({ "name": "alice@example.org", "realm": "example.org" });
        let mut client = json!({
            "mac": "AA-BB-CC-DD-EE-FF", "randomised": true, "ip": "10.1.2.3", "ipv6_prefix": ["2001:db8:1::/64"]
        });
        match kind {
            "session.start" => (whole["visit"], user["sessions"]) = (1.into(), 1.into()),
            "session.stop" => user["sessions"] = 0.into(),
            _ => {}
        }
        if kind != "session.update" {
            (user["first_seen_at"], client["first_seen_at"]) = (at(0).into(), at(0).into());
        }
        json!({
            "id": null,
            "type": kind,
            "timestamp": at(after),
            "source": source(),
            "data": {
                "user": user,
                "client": client,
                "nas": {
                    "ip": "10.0.0.1", "identifier": "lobby-ap-1", "port": 7, "port_id": "wlan0",
                    "port_type": "Wireless-802.11"
                },
                "ap": { "mac": "00-11-22-33-44-55", "ssid": "Guest: upper floor" },
                "session": whole,
                "attributes": attributes
            }
        })
    };
    let expected = [
        event("session.start", 0, json!({ "login": "first" }), attributes("Start", 0, json!({}))),
        event(
            "session.update",
            300,
            json!({
                "duration": 300, "input_octets": 1000, "output_octets": 10, "input_packets": 5, "output_packets": 6,
                "delta": { "duration": 300, "input_octets": 1000, "output_octets": 10 },
                "rate": { "input_bps": 26, "output_bps": 0 }
            }),
            attributes(
                "Interim-Update",
                300,
                json!({
                    "Acct-Session-Time": 300, "Acct-Input-Octets": 1000, "Acct-Output-Octets": 10,
                    "Acct-Input-Gigawords": 0, "Acct-Output-Gigawords": 0, "Acct-Input-Packets": 5,
                    "Acct-Output-Packets": 6
                }),
            ),
        ),
        event(
            "session.stop",
            3600,
            json!({
                "stopped_at": at(3600), "duration": 3600, "input_octets": 5_368_709_120_u64, "output_octets": 1024,
                "input_packets": 10, "output_packets": 12, "terminate_cause": "User-Request",
                "delta": { "duration": 3300, "input_octets": 5_368_708_120_u64, "output_octets": 1014 },
                "rate": { "input_bps": 13_015_049_u64, "output_bps": 2 }
            }),
            attributes(
                "Stop",
                3600,
                json!({
                    "Acct-Session-Time": 3600, "Acct-Input-Octets": 1_073_741_824, "Acct-Input-Gigawords": 1,
                    "Acct-Output-Octets": 1024, "Acct-Output-Gigawords": 0, "Acct-Input-Packets": 10,
                    "Acct-Output-Packets": 12, "Acct-Terminate-Cause": "User-Request"
                }),
            ),
        ),
    ];
    for (event, expected) in events.into_iter().zip(expected) {
        let event = without_chance(event);
        let both = |event: &Value| serde_json::to_string_pretty(event).expect("JSON");
        assert!(event == expected, "it is\n{}\nand should be\n{}", both(&event), both(&expected));
    }
}

#[test]
fn without_a_time_of_its_own_an_event_happened_when_it_came_less_its_delay() {
    let bridge = Bridge::start();
    let start = |session: &str, more: &str| {
        format!("Acct-Status-Type = Start, Acct-Session-Id = \"{session}\", NAS-Identifier = \"ap\"{more}")
    };
    // 4294967200 is what FreeRADIUS's detail reader makes of a NAS clock in the future.
    bridge.through_the_proxy(&[
        start("at once", ""),
        start("late", ", Acct-Delay-Time = 90"),
        start("absurd", ", Acct-Delay-Time = 4294967200"),
        start("lost clock", ", Event-Timestamp = 86400"),
    ]);

    for event in bridge.events() {
        let before = time(&event["source"]["received_at"]).duration_since(time(&event["timestamp"])).as_secs();
        let late = event["data"]["session"]["id"] == "late";
        assert_eq!(before, if late { 90 } else { 0 }, "{event}");
        let session = event["data"]["session"].as_object().expect("a session");
        assert_eq!(session.keys().collect::<Vec<_>>(), ["id", "unique_id", "started_at"], "absent facts are absent");
        assert!(event["data"].get("user").is_none());
    }
}

#[test]
fn the_same_start_by_two_ways_and_with_a_raised_delay_is_one_event() {
    let bridge = Bridge::start();
    let dated = Timestamp::now().as_second() - 60;
    for (session, time) in [("dated", format!(", Event-Timestamp = {dated}")), ("undated", String::new())] {
        let start = |delay: u32| {
            format!(
                "Acct-Status-Type = Start, User-Name = \"bob\", Acct-Session-Id = \"{session}\", \
                 NAS-Identifier = \"lobby-ap-1\", Calling-Station-Id = \"AA-BB-CC-DD-EE-01\", \
                 Acct-Delay-Time = {delay}{time}"
            )
        };
        let before = verbs::status(&bridge.config).endpoint("crm").received;
        bridge.directly(&[start(0)]);
        bridge.through_the_proxy(&[start(0)]);
        // A proxy in front of the proxy: FreeRADIUS adds its own Proxy-State behind this one.
        bridge.through_the_proxy(&[format!("{}, Proxy-State = 0x6162", start(2))]);
        bridge.directly(&[start(5)]);
        let after = wait_until_status(&bridge.config, "it is delivered", |status| status.endpoint("crm").pending == 0);
        assert_eq!(after.endpoint("crm").received - before, 1, "{time:?}");
    }
    assert_eq!(bridge.events().len(), 2);
}

#[test]
fn a_nas_that_comes_up_and_goes_down_is_told_too() {
    let bridge = Bridge::start();
    bridge.through_the_proxy(&[
        "Acct-Status-Type = Accounting-On, NAS-Identifier = \"lobby-ap-1\", NAS-IP-Address = 10.0.0.1".to_owned(),
        "Acct-Status-Type = Accounting-Off, NAS-Identifier = \"lobby-ap-1\", NAS-IP-Address = 10.0.0.1".to_owned(),
    ]);

    let events = bridge.events();
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().expect("a type")).collect();
    assert_eq!(kinds.len(), 2);
    assert!(kinds.contains(&"nas.on") && kinds.contains(&"nas.off"), "{kinds:?}");
    for event in &events {
        assert_eq!(event["data"]["nas"], json!({ "ip": "10.0.0.1", "identifier": "lobby-ap-1" }));
        assert!(event["data"].get("session").is_none());
    }
}
