//! `radhook sessions`: who is there, over restarts; closing what hangs; forgetting a person. And the id that FreeRADIUS gives.

mod support;

use serde_json::Value;
use support::daemon::{Config, Daemon};
use support::freeradius::{Accounting, FreeRadius, NAS_SECRET};
use support::http_sink::HttpSink;
use support::radclient::Radclient;
use support::verbs::{radhook, wait_until, wait_until_status};
use support::witness::SECRET;

const NAS: &str = "nas-to-radhook";

fn packet(status: &str, user: &str, session: &str, mac: &str, more: &str) -> String {
    format!(
        "Acct-Status-Type = {status}, User-Name = \"{user}\", Acct-Session-Id = \"{session}\", NAS-Identifier = \"lobby\", \
         NAS-IP-Address = 192.0.2.1, Calling-Station-Id = \"{mac}\", Called-Station-Id = \"00-11-22-33-44-55:Guest\"{more}"
    )
}

fn send(daemon: &Daemon, packets: &[String]) {
    let answers = Radclient::accounting(daemon.accounting(), NAS).send(packets);
    assert_eq!(answers.answered, packets.len(), "{answers:?}");
}

#[test]
fn who_is_there_is_listed_over_a_restart_and_what_hangs_is_closed() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let sink = HttpSink::start();
    let config = Config::new(directory.path(), NAS).endpoint("crm", &sink.url(), SECRET, "").write();
    let daemon = Daemon::start(&config);
    send(
        &daemon,
        &[
            packet("Start", "alice", "a1", "A8-00-00-00-00-01", ", Framed-IP-Address = 10.1.2.3"),
            packet("Start", "bob", "b1", "A8-00-00-00-00-02", ""),
            packet("Start", "carol", "c1", "A8-00-00-00-00-03", ""),
            packet("Stop", "carol", "c1", "A8-00-00-00-00-03", ", Acct-Session-Time = 9"),
        ],
    );
    assert!(daemon.stop().success());

    let daemon = Daemon::start(&config);
    let list = |words: &[&str]| radhook(&config, &[&["sessions", "list", "--json"], words].concat()).json();
    let ids = |sessions: &[Value]| {
        let mut ids: Vec<_> = sessions.iter().map(|session| session["id"].as_str().unwrap_or("?").to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&list(&[])), ["a1", "b1"]);
    assert_eq!(ids(&list(&["--ended"])), ["a1", "b1", "c1"]);
    for by in [["--user", "alice"], ["--mac", "a800.0000.0001"]] {
        assert_eq!(ids(&list(&by)), ["a1"], "{by:?}");
    }
    for by in [["--nas", "lobby"], ["--nas", "192.0.2.1"]] {
        assert_eq!(ids(&list(&by)), ["a1", "b1"], "{by:?}");
    }
    assert!(list(&["--nas", "bar"]).is_empty() && list(&["--user", "mallory"]).is_empty());
    let alice = &list(&["--user", "alice"])[0];
    assert_eq!((&alice["ip"], &alice["ssid"], &alice["state"]), (&"10.1.2.3".into(), &"Guest".into(), &"open".into()));
    let table = radhook(&config, &["sessions", "list"]).stdout;
    assert!(table.starts_with("UNIQUE ID") && table.lines().count() == 3, "{table}");
    let venue = radhook(&config, &["sessions", "list", "--venue", "888"]);
    assert!(venue.code == 1 && venue.stderr.contains("knows no venues"), "{venue:?}");
    let wrong = radhook(&config, &["sessions", "list", "--mac", "alice"]);
    assert!(wrong.code == 1 && wrong.stderr.contains("no MAC address"), "{wrong:?}");

    let unique = alice["unique_id"].as_str().expect("every session has one");
    let shown = radhook(&config, &["sessions", "show", unique]);
    assert!(shown.code == 0 && shown.stdout.contains("\"a1\""), "{shown:?}");
    let shown = radhook(&config, &["sessions", "show", "c1"]);
    assert!(shown.stdout.contains("\"stopped\""), "{shown:?}");
    assert_eq!(radhook(&config, &["sessions", "show", "nobody's"]).code, 1);

    let all = radhook(&config, &["sessions", "close"]);
    assert!(all.code == 1 && all.stderr.contains("name what is to be closed"), "{all:?}");
    let closed = radhook(&config, &["sessions", "close", unique, "--json"]).json();
    assert_eq!(closed[0]["closed"], 1);
    assert_eq!(radhook(&config, &["sessions", "close", unique]).code, 1, "it is closed already");
    assert_eq!(ids(&list(&[])), ["b1"]);
    wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").delivered == 5);
    let events = radhook(&config, &["events", "list", "--json", "--session", "a1"]).json();
    let last = events.last().expect("it was told");
    assert_eq!(
        (&last["type"], &last["data"]["session"]["terminate_cause"]),
        (&"session.lost".into(), &"Closed".into())
    );
    assert!(daemon.stop().success());
}

#[test]
fn a_person_who_is_forgotten_is_nowhere_any_more_and_the_figures_still_add_up() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let sink = HttpSink::start();
    let config = Config::new(directory.path(), NAS)
        .endpoint("crm", &sink.url(), SECRET, "")
        .endpoint("down", "http://127.0.0.1:9/", SECRET, "")
        .endpoint("hopeless", "http://127.0.0.1:9/", SECRET, "retry = { schedule = [] }")
        .write();
    let daemon = Daemon::start(&config);
    let row = |user: &str, mac: &str| {
        let time = |seconds: u32| format!(", Acct-Session-Time = {seconds}");
        let (first, second) = (format!("{user}-1"), format!("{user}-2"));
        vec![
            packet("Start", user, &first, mac, ""),
            packet("Interim-Update", user, &first, mac, &time(5)),
            packet("Stop", user, &first, mac, &time(9)),
            packet("Start", user, &second, mac, ""),
        ]
    };
    send(&daemon, &row("alice@example.org", "A8-00-00-00-00-01"));
    send(&daemon, &row("bob", "A8-00-00-00-00-02"));
    wait_until_status(&config, "all is settled", |status| {
        status.endpoint("crm").delivered == 8 && status.endpoint("hopeless").dead == 8
    });

    let purge = |words: &[&str]| radhook(&config, &[&["sessions", "purge", "--user"], words].concat());
    let rehearsed = purge(&["alice@example.org", "--dry-run"]);
    assert!(rehearsed.stdout.contains("2 sessions (1 open), 4 events and 2 memories"), "{rehearsed:?}");
    let done = purge(&["alice@example.org"]);
    assert_eq!(done.code, 0, "{done:?}");
    for said in ["2 sessions, 4 events and 2 memories", "8 deliveries", "nothing is left", "journal_keep"] {
        assert!(done.stdout.contains(said), "{said}: {done:?}");
    }

    let status = support::verbs::status(&config);
    let (down, hopeless) = (status.endpoint("down"), status.endpoint("hopeless"));
    assert_eq!((down.pending, down.received, hopeless.dead, hopeless.received), (4, 4, 4, 4));
    let everything = ["events", "deliveries", "sessions"].map(|verb| {
        let listed = radhook(&config, &[verb, "list", "--limit", "0", "--json"]);
        listed.json().iter().map(Value::to_string).collect::<String>()
    });
    assert!(everything.iter().all(|listed| !listed.contains("alice") && listed.len() > 2), "{everything:?}");
    assert!(everything[0].contains("bob") && everything[2].contains("bob-2"));
    let again = purge(&["alice@example.org", "--json"]).json();
    assert_eq!((&again[0]["forgotten"]["events"], &again[0]["left"]["sessions"]), (&0.into(), &0.into()));

    // Whoever is still online is met anew, as for the first time.
    send(
        &daemon,
        &[packet(
            "Interim-Update",
            "alice@example.org",
            "alice@example.org-2",
            "A8-00-00-00-00-01",
            ", Acct-Session-Time = 60",
        )],
    );
    let events = radhook(&config, &["events", "list", "--json", "--type", "session.start"]).json();
    let last = &events.last().expect("it was told")["data"]["session"];
    assert_eq!((&last["inferred"], &last["login"]), (&true.into(), &"first".into()));
    assert!(daemon.stop().success());
}

#[test]
fn a_session_that_falls_silent_and_a_nas_that_restarts_are_told_in_the_order_of_each_session() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let sink = HttpSink::start();
    let config = Config::new(directory.path(), NAS)
        .endpoint("crm", &sink.url(), SECRET, "events = [\"*\"]")
        .table("[limits]\nmax_users = 1\n")
        .write();
    let text = std::fs::read_to_string(&config).expect("it was written");
    std::fs::write(&config, text.replace("[sessions]\n", "[sessions]\ninterim_grace = \"1s\"\n")).expect("it can be");
    let daemon = Daemon::start(&config);
    let interim = ", Acct-Session-Time = 5, Acct-Input-Octets = 7";
    send(
        &daemon,
        &[
            packet("Start", "bob", "b1", "A8-00-00-00-00-02", ""),
            packet("Interim-Update", "alice", "a1", "A8-00-00-00-00-01", ", Acct-Session-Time = 2"),
            packet("Interim-Update", "alice", "a1", "A8-00-00-00-00-01", interim),
        ],
    );
    let listed = || radhook(&config, &["events", "list", "--limit", "0", "--json"]).json();
    let of = |events: &[Value], session: &str| -> Vec<String> {
        let of_it = events.iter().filter(|event| event["data"]["session"]["id"] == session);
        of_it.map(|event| event["type"].as_str().unwrap_or("?").to_owned()).collect()
    };
    wait_until("alice is lost", || of(&listed(), "a1").contains(&"session.lost".to_owned()).then_some(()));
    send(
        &daemon,
        &["Acct-Status-Type = Accounting-On, NAS-Identifier = \"lobby\", NAS-IP-Address = 192.0.2.1".to_owned()],
    );
    wait_until("bob is lost", || of(&listed(), "b1").contains(&"session.lost".to_owned()).then_some(()));
    let status = wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").pending == 0);
    let crm = status.endpoint("crm");
    let taken: Vec<Value> =
        (0..crm.delivered).map(|_| serde_json::from_slice(&sink.wait_until_body()).expect("events are JSON")).collect();
    assert_eq!(of(&taken, "a1"), ["session.start", "session.update", "session.update", "session.lost"]);
    assert_eq!(of(&taken, "b1"), ["session.start", "session.lost"]);
    let cause = |session: &str| {
        let lost =
            taken.iter().find(|event| event["type"] == "session.lost" && event["data"]["session"]["id"] == session);
        lost.expect("it was told")["data"]["session"]["terminate_cause"].clone()
    };
    assert_eq!((cause("a1"), cause("b1")), ("No-Interim".into(), "NAS-Reboot".into()));
    let limit = taken.iter().filter(|event| event["type"] == "system.userlimit_exceeded").count();
    assert_eq!((limit, crm.received), (1, taken.len() as u64));
    assert!(daemon.stop().success());
}

#[test]
fn the_id_that_freeradius_gives_a_session_is_told_as_it_gives_it() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let sink = HttpSink::start();
    let freeradius = FreeRadius::start(&Accounting::Unique);
    let detail = freeradius.radacct().join("*/detail-*");
    let source = format!(
        "[[source]]\ntype = \"detail\"\npath = \"{}\"\n",
        detail.to_str().expect("temporary directories have UTF-8 names")
    );
    let config = Config::bare(directory.path()).endpoint("crm", &sink.url(), SECRET, "").table(&source).write();
    let text = std::fs::read_to_string(&config).expect("it was written");
    std::fs::write(&config, text.replace("[sessions]\n", "[sessions]\nacct_unique_id = true\n")).expect("it can be");
    let daemon = Daemon::start(&config);
    let start = |session: &str, more: &str| {
        format!("Acct-Status-Type = Start, Acct-Session-Id = \"{session}\", NAS-Port-Type = Virtual{more}")
    };
    let packets = [
        start(
            "plain",
            ", User-Name = \"alice\", NAS-IP-Address = 192.0.2.1, NAS-Identifier = \"lobby\", NAS-Port = 7, NAS-Port-Id = \"wlan0\"",
        ),
        start("bare", ""),
        start("no address", ", User-Name = \"bob\""),
        start("six", ", User-Name = \"carol\", NAS-IPv6-Address = 2001:db8::1, NAS-IP-Address = 192.0.2.1"),
        start("domain", ", User-Name = \"CORP\\\\dave\""),
        start("quoted", ", User-Name = \"er\\\"in, o'\", NAS-Port-Id = \"100% {x} $y\""),
        start("umlaut", ", User-Name = \"jürgen@straße.example\""),
        start("tab\\tnew\\nline", ", User-Name = \"a\\tb\\rc\""),
        start(
            "class",
            ", User-Name = \"frank\", Class = 0x61693a3031323334353637383961626364656630313233343536373839616263646566",
        ),
        start(
            "longer class",
            ", User-Name = \"grace\", Class = 0x61693a3031323334353637383961626364656630313233343536373839616263646566ffff",
        ),
        start("other class", ", User-Name = \"heidi\", Class = 0x61693a30313233"),
        start("port", ", User-Name = \"ivan\", NAS-Port = 4294967295"),
    ];
    let answers = Radclient::accounting(freeradius.accounting(), NAS_SECRET).send(&packets);
    assert_eq!(answers.answered, packets.len(), "{answers:?}");
    let events = wait_until("all was told", || {
        let events = radhook(&config, &["events", "list", "--limit", "0", "--json"]).json();
        (events.len() == packets.len()).then_some(events)
    });
    for event in &events {
        let (session, attributes) = (&event["data"]["session"], &event["data"]["attributes"]);
        assert!(attributes["Acct-Unique-Session-Id"].is_string(), "{event}");
        assert_eq!(session["acct_unique_id"], attributes["Acct-Unique-Session-Id"], "{event}");
    }
    assert!(daemon.stop().success());
}
