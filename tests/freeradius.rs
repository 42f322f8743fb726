//! What a real FreeRADIUS does in each of the ways it can be joined to radhook, against a stand-in for radhook: so that a
//! test of radhook that fails beside FreeRADIUS has the fault on radhook's side.

mod support;

use std::fs;

use radius::core::packet::Packet;
use radius::core::rfc2865::{lookup_all_proxy_state, lookup_user_name};
use radius::core::rfc2866::{ACCT_STATUS_TYPE_STOP, lookup_acct_session_id, lookup_acct_status_type};
use serde_json::Value;
use support::freeradius::{Accounting, FreeRadius, HOME_SECRET, NAS_SECRET, STATUS_CHECK_USER, StatusCheck};
use support::http_sink::HttpSink;
use support::radclient::{Radclient, session};
use support::responder::Responder;

fn user(packet: &Packet) -> String {
    lookup_user_name(packet).expect("it has a User-Name").expect("it is text")
}

fn status(packet: &Packet) -> u32 {
    lookup_acct_status_type(packet).expect("it has an Acct-Status-Type").expect("it is a number")
}

fn proxying(home: &Responder, status_check: StatusCheck) -> FreeRadius {
    FreeRadius::start(&Accounting::Proxy { home: home.address(), status_check })
}

#[test]
fn accounting_that_does_nothing_answers_every_packet() {
    let freeradius = FreeRadius::start(&Accounting::Nothing);
    let packets: Vec<String> = (0..20).flat_map(|n| session("alice", &format!("N-{n}"), 1)).collect();

    let answers = Radclient::accounting(freeradius.accounting(), NAS_SECRET).parallel(8).send(&packets);

    assert_eq!((answers.answered, answers.lost), (60, 0), "{}", answers.output);
}

#[test]
fn a_packet_with_the_wrong_secret_gets_no_answer() {
    let freeradius = FreeRadius::start(&Accounting::Nothing);

    let answers =
        Radclient::accounting(freeradius.accounting(), "wrong").tries(1, 0.5).send(&session("alice", "W-1", 0)[..1]);

    assert_eq!((answers.answered, answers.lost), (0, 1), "{}", answers.output);
    freeradius.wait_until_log("Shared secret is incorrect");
}

#[test]
fn proxied_accounting_reaches_the_home_server_in_order_and_the_nas_is_answered() {
    let home = Responder::start(HOME_SECRET);
    let freeradius = proxying(&home, StatusCheck::None);

    let answers =
        Radclient::accounting(freeradius.accounting(), NAS_SECRET).send(&session("alice@example.org", "P-1", 2));

    assert_eq!((answers.answered, answers.lost), (4, 0), "{}", answers.output);
    let requests = home.requests();
    assert_eq!(requests.iter().map(status).collect::<Vec<_>>(), [1, 3, 3, 2]);
    for request in &requests {
        assert_eq!(user(request), "alice@example.org");
        assert_eq!(lookup_all_proxy_state(request).len(), 1);
    }
}

#[test]
fn a_home_server_that_stays_silent_leaves_the_nas_without_an_answer() {
    let home = Responder::start(HOME_SECRET);
    home.set_silent(true);
    let freeradius = proxying(&home, StatusCheck::None);

    let nas = Radclient::accounting(freeradius.accounting(), NAS_SECRET).tries(1, 1.0);
    let answers = nas.send(&session("bob", "Q-1", 0)[..1]);

    assert_eq!((answers.answered, answers.lost), (0, 1), "{}", answers.output);
    assert_eq!(user(&home.wait_until_request()), "bob");
}

#[test]
fn a_silent_home_server_is_probed_with_status_server_and_used_again() {
    let home = Responder::start(HOME_SECRET);
    home.set_silent(true);
    let freeradius = proxying(&home, StatusCheck::StatusServer);
    let nas = Radclient::accounting(freeradius.accounting(), NAS_SECRET);

    // One try, so that FreeRADIUS still calls it a zombie, and not yet dead, when it answers again.
    Radclient::accounting(freeradius.accounting(), NAS_SECRET).tries(1, 1.0).send(&session("carol", "R-1", 0)[..1]);
    freeradius.wait_until_log("as zombie");
    home.set_silent(false);
    freeradius.wait_until_log("alive");
    let answers = nas.send(&session("carol", "R-1", 0)[1..]);

    assert_eq!((answers.answered, answers.lost), (1, 0), "{}", answers.output);
}

#[test]
fn the_status_check_by_request_is_a_made_up_stop() {
    let home = Responder::start(HOME_SECRET);
    home.set_silent(true);
    let freeradius = proxying(&home, StatusCheck::Request);

    Radclient::accounting(freeradius.accounting(), NAS_SECRET).tries(1, 1.0).send(&session("dave", "S-1", 0)[..1]);
    let check = std::iter::repeat_with(|| home.wait_until_request())
        .find(|request| user(request) == STATUS_CHECK_USER)
        .expect("requests go on until it is found");

    assert_eq!(status(&check), ACCT_STATUS_TYPE_STOP);
    assert_eq!(lookup_acct_session_id(&check).expect("it has a session").expect("it is text"), "00000000");
}

#[test]
fn rlm_rest_posts_each_record_as_json() {
    let sink = HttpSink::start();
    let freeradius = FreeRadius::start(&Accounting::Rest { url: sink.url() });

    let answers = Radclient::accounting(freeradius.accounting(), NAS_SECRET).send(&session("erin", "J-1", 0));

    assert_eq!((answers.answered, answers.lost), (2, 0), "{}", answers.output);
    let record: Value = serde_json::from_slice(&sink.wait_until_body()).expect("rlm_rest posts JSON");
    assert_eq!(record["User-Name"]["value"][0], "erin");
    assert_eq!(record["Acct-Session-Id"]["value"][0], "J-1");
    assert_eq!(sink.taken(), 2);
}

#[test]
fn detail_files_hold_each_record() {
    let freeradius = FreeRadius::start(&Accounting::Detail);

    let answers = Radclient::accounting(freeradius.accounting(), NAS_SECRET).send(&session("frank", "D-1", 1));

    assert_eq!((answers.answered, answers.lost), (3, 0), "{}", answers.output);
    let client = freeradius.radacct().join("127.0.0.1");
    let file = fs::read_dir(client).expect("the client has its directory").next().expect("it holds a file");
    let text = fs::read_to_string(file.expect("the entry reads").path()).expect("a detail file is text");
    assert_eq!(text.matches("User-Name = \"frank\"").count(), 3, "{text}");
}

#[test]
fn the_spool_answers_at_once_and_feeds_the_home_server_until_it_answers() {
    let home = Responder::start(HOME_SECRET);
    home.set_silent(true);
    let freeradius = FreeRadius::start(&Accounting::Spool { home: home.address() });

    let answers = Radclient::accounting(freeradius.accounting(), NAS_SECRET).send(&session("grace", "L-1", 1));
    assert_eq!((answers.answered, answers.lost), (3, 0), "{}", answers.output);
    assert_eq!(user(&home.wait_until_request()), "grace");
    home.set_silent(false);

    // The unanswered Start comes again, and then what follows it, one after the other.
    let mut seen = Vec::new();
    while seen.last() != Some(&ACCT_STATUS_TYPE_STOP) {
        let request = home.wait_until_request();
        // Status-Server carries no session.
        if lookup_acct_session_id(&request).is_some() {
            seen.push(status(&request));
        }
    }
    seen.dedup();
    assert_eq!(seen, [1, 3, 2]);
}
