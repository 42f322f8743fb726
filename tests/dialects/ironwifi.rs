use serde_json::json;

use super::support::dialect::SECRET;
use super::support::eapol::{Eap, Login};
use super::*;

fn keys(more: &str) -> String {
    format!("signature = {{ secret = \"{SECRET}\" }}\n{more}")
}

#[test]
fn logins_sessions_users_and_vouchers_arrive_signed_as_ironwifi_signs_them() {
    let receiver = DialectReceiver::start("ironwifi", &[]);
    let site = Site::start(&endpoint("crm", "ironwifi", &receiver, &keys("")));
    site.login(PASSWORD);
    site.login("wrong");
    let md5 = Login::new(Eap::Md5, site.daemon().relay(), NAS_SECRET, &site.server.certificates());
    assert!(md5.succeeded, "{}", md5.output);
    site.accounting(&[
        packet("I-1", "Start", "Framed-IP-Address = 10.1.2.3"),
        packet("I-1", "Interim-Update", "Acct-Session-Time = 300, Acct-Input-Octets = 10"),
        packet("I-1", "Stop", "Acct-Session-Time = 600, Acct-Output-Packets = 12, Acct-Terminate-Cause = User-Request"),
        "Acct-Status-Type = Accounting-Off, NAS-Identifier = \"lobby-ap-9\", NAS-IP-Address = 192.0.2.9".to_owned(),
    ]);
    let hostile = "o'neill \"}]]> 🦔\u{0}";
    site.emit("user.created", &json!({ "user": { "name": hostile, "email": "o@example.org" } }));
    site.emit("voucher.redeemed", &json!({ "voucher": { "code": "K7Q-9PM" }, "client": { "mac": MAC } }));

    let requests = sound(receiver.wait_until_requests(9));

    let bodies: Vec<&Value> = requests.iter().map(|request| &request.body).collect();
    let told = sorted(words(bodies.iter().copied(), "event"));
    assert_eq!(
        told,
        [
            "auth.accept",
            "auth.accept",
            "auth.challenge",
            "auth.reject",
            "session.start",
            "session.stop",
            "session.update",
            "user.created",
            "voucher.redeemed"
        ]
    );
    let data = |event: &str| &bodies.iter().find(|body| body["event"] == event).expect("it came")["data"];
    let reject = data("auth.reject");
    assert_eq!(
        (
            &reject["username"],
            &reject["nas_identifier"],
            &reject["client_mac"],
            &reject["ssid"],
            &reject["auth_method"]
        ),
        (&json!(USER), &json!("lobby-ap-1"), &json!(MAC), &json!("Guest"), &json!("PAP"))
    );
    let stop = data("session.stop");
    assert_eq!(
        (&stop["session_id"], &stop["session_time"], &stop["terminate_cause"], &stop["client_ip"]),
        (&json!("I-1"), &json!(600), &json!("User-Request"), &json!("10.1.2.3"))
    );
    assert_eq!(data("user.created")["username"], hostile);
    assert_eq!(data("voucher.redeemed")["code"], "K7Q-9PM");
    for request in &requests {
        assert_eq!(request.headers["idempotency-key"], request.body["id"]);
    }
    // The NAS's going off has no word.
    let status = site.wait_until("all is delivered", |status| status.endpoint("crm").delivered == 9);
    assert_eq!((status.endpoint("crm").received, status.endpoint("crm").filtered), (10, 1));
}

#[test]
fn a_failed_delivery_is_tried_again_five_times_and_is_then_a_dead_letter() {
    let receiver = DialectReceiver::start("ironwifi", &[]);
    receiver.told("{\"status\": 500}");
    let schedule = "retry = { schedule = [\"10ms\", \"10ms\", \"10ms\", \"10ms\", \"10ms\"] }";
    let site = Site::start(&endpoint("crm", "ironwifi", &receiver, &keys(schedule)));
    site.accounting(&[packet("I-2", "Start", "NAS-Port = 1")]);
    site.wait_until("it is given up", |status| status.endpoint("crm").dead == 1);
    let requests = receiver.requests();
    assert_eq!(requests.len(), 6);
    assert!(requests.iter().all(|request| request.verdict == "valid" && request.body == requests[0].body));
    receiver.told("{}");
    assert_eq!(radhook(&site.config, &["deliveries", "retry", "--endpoint", "crm"]).code, 0);
    site.wait_until("it is taken", |status| status.endpoint("crm").delivered == 1);
    assert_eq!(receiver.wait_until_requests(7)[6].body, requests[0].body);
}
