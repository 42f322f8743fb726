//! IronWiFi, rlm_rest and OpenWISP: one object an event, without parts.

use super::*;

#[test]
fn ironwifi_tells_logins_and_sessions_in_its_own_fields() {
    let auth = with(json!({ "auth": { "method": "PEAP", "reply_message": ["no", "way"], "rounds": 9 } }));
    assert_eq!(
        body(Dialect::IronWifi, "auth.reject", &auth),
        json!({
            "id": ID, "event": "auth.reject", "timestamp": "2026-11-22T10:15:30.250Z",
            "data": {
                "username": "alice@example.org", "nas_ip": "10.0.0.1", "nas_identifier": "lobby-ap-1",
                "client_mac": "AA-BB-CC-DD-EE-FF", "ap_mac": "00-11-22-33-44-55", "ssid": "Guest",
                "reply_message": "no\nway", "auth_method": "PEAP",
            },
        })
    );
    assert_eq!(
        body(Dialect::IronWifi, "session.stop", &with(json!({ "session": session() })))["data"],
        json!({
            "username": "alice@example.org", "nas_ip": "10.0.0.1", "nas_identifier": "lobby-ap-1",
            "client_mac": "AA-BB-CC-DD-EE-FF", "ap_mac": "00-11-22-33-44-55", "ssid": "Guest",
            "session_id": "5F1A-0001", "client_ip": "10.1.2.3", "session_time": 3600,
            "input_octets": 5_368_709_120_u64, "output_octets": 1024, "input_packets": 10, "output_packets": 12,
            "terminate_cause": "User-Request",
        })
    );
}

#[test]
fn ironwifi_tells_users_and_vouchers_that_were_posted() {
    let changes = json!({ "email": ["a@example.org", "b@example.org"] });
    let user = json!({ "user": { "name": "alice", "email": "b@example.org", "changes": changes } });
    assert_eq!(
        body(Dialect::IronWifi, "user.updated", &user)["data"],
        json!({ "username": "alice", "email": "b@example.org", "changes": changes })
    );
    let beside = json!({ "user": { "name": "alice" }, "changes": changes });
    assert_eq!(body(Dialect::IronWifi, "user.updated", &beside)["data"]["changes"], changes);
    let voucher = json!({ "voucher": { "code": "K7Q-9PM" }, "client": { "mac": "AA-BB-CC-DD-EE-FF" } });
    assert_eq!(
        body(Dialect::IronWifi, "voucher.redeemed", &voucher)["data"],
        json!({ "code": "K7Q-9PM", "redeemed_at": "2026-11-22T10:15:30.250Z", "client_mac": "AA-BB-CC-DD-EE-FF" })
    );
    let ended = json!({ "voucher": { "code": "K7Q-9PM", "expired_at": "2026-11-22T00:00:00Z" } });
    assert_eq!(
        body(Dialect::IronWifi, "voucher.expired", &ended)["data"],
        json!({ "code": "K7Q-9PM", "expired_at": "2026-11-22T00:00:00Z" })
    );
}

#[test]
fn rlm_rest_posts_each_attribute_with_its_type() {
    let attributes = json!({
        "User-Name": "hü", "NAS-IP-Address": "10.1.1.1", "NAS-Port": 7, "Service-Type": "Framed-User",
        "Class": ["0xab", "0xcd"], "Event-Timestamp": "2026-11-02T10:15:30.000Z", "Framed-IPv6-Prefix": "2001:db8::/64",
        "Tunnel-Type:1": "VLAN", "Tunnel-Type:2": "VLAN", "Acct-Input-Octets": 1, "Attr-26.32473.250": "0x61",
        "Acme-Thing": 3, "Acme-Words": "so: 1",
    });
    let rendered = rendered(Dialect::RlmRest, "session.start", &json!({ "attributes": attributes }));
    assert!(rendered.body.is_ascii());
    let header = |name: &str| rendered.headers.iter().find(|(known, _)| known == name).unwrap().1.to_str().unwrap();
    assert_eq!((header("x-freeradius-section"), header("x-freeradius-server")), ("accounting", "default"));
    let one = |kind: &str, value: Value| json!({ "type": kind, "value": [value] });
    assert_eq!(
        serde_json::from_slice::<Value>(&rendered.body).unwrap(),
        json!({
            "User-Name": one("string", json!("h\u{c3}\u{bc}")),
            "NAS-IP-Address": one("ipaddr", json!("10.1.1.1")),
            "NAS-Port": one("integer", json!(7)),
            "Service-Type": one("integer", json!("Framed-User")),
            "Class": { "type": "octets", "value": ["0xab", "0xcd"] },
            "Event-Timestamp": one("date", json!("Nov  2 2026 10:15:30 UTC")),
            "Framed-IPv6-Prefix": one("ipv6prefix", json!("2001:db8::/64")),
            "Tunnel-Type": { "type": "integer", "value": ["VLAN", "VLAN"] },
            "Acct-Input-Octets": one("integer", json!(1)),
            "Attr-26.32473.250": one("octets", json!("0x61")),
            "Acme-Thing": one("integer", json!(3)),
            "Acme-Words": one("string", json!("so: 1")),
        })
    );
}

#[test]
fn rlm_rest_posts_packets_only_and_says_in_which_section() {
    let attributes = json!({ "User-Name": "alice" });
    for kind in ["auth.accept", "auth.reject", "auth.challenge"] {
        let rendered = rendered(Dialect::RlmRest, kind, &json!({ "attributes": attributes }));
        assert_eq!(rendered.headers[0].1, "post-auth");
    }
    assert!(has_word_for(Dialect::RlmRest, "nas.on", &json!({ "attributes": attributes })));
    for data in
        [json!({}), json!({ "attributes": {} }), json!({ "attributes": attributes, "session": { "inferred": true } })]
    {
        assert!(!has_word_for(Dialect::RlmRest, "session.start", &data), "{data}");
    }
}

#[test]
fn openwisp_is_posted_every_key_of_its_handbook_as_text() {
    let data = with(json!({
        "session": session(),
        "attributes": {
            "Called-Station-Id": "00-11-22-33-44-55:Guest", "Calling-Station-Id": "aabb.ccdd.eeff", "Acct-Authentic": "RADIUS",
            "Service-Type": "Login-User", "Framed-Protocol": "PPP", "Acct-Unique-Session-Id": "c0ffee",
        },
    }));
    assert_eq!(
        body(Dialect::OpenWisp, "session.stop", &data),
        json!({
            "status_type": "Stop", "session_id": "5F1A-0001", "unique_id": "c0ffee", "username": "alice@example.org",
            "realm": "example.org", "nas_ip_address": "10.0.0.1", "nas_port_id": "7", "nas_port_type": "Wireless-802.11",
            "session_time": "3600", "authentication": "RADIUS", "input_octets": "5368709120", "output_octets": "1024",
            "called_station_id": "00-11-22-33-44-55:Guest", "calling_station_id": "aabb.ccdd.eeff",
            "terminate_cause": "User-Request", "service_type": "Login-User", "framed_protocol": "PPP",
            "framed_ip_address": "10.1.2.3",
        })
    );
    let bare = json!({ "session": { "unique_id": "9d1f0c", "id": "1" } });
    assert_eq!(
        body(Dialect::OpenWisp, "session.lost", &bare),
        json!({
            "status_type": "Stop", "session_id": "1", "unique_id": "9d1f0c", "username": "", "realm": "",
            "nas_ip_address": "10.0.0.1", "nas_port_id": "", "nas_port_type": "", "session_time": "0",
            "authentication": "", "input_octets": "0", "output_octets": "0", "called_station_id": "",
            "calling_station_id": "", "terminate_cause": "", "service_type": "", "framed_protocol": "",
            "framed_ip_address": "",
        })
    );
    for (kind, status) in [("session.start", "Start"), ("session.update", "Interim-Update")] {
        assert_eq!(body(Dialect::OpenWisp, kind, &bare)["status_type"], status);
    }
}

#[test]
fn openwisp_is_told_of_logins_that_have_a_name() {
    assert_eq!(
        body(Dialect::OpenWisp, "auth.reject", &parts()),
        json!({
            "username": "alice@example.org", "password": "", "reply": "Access-Reject",
            "called_station_id": "00-11-22-33-44-55:Guest", "calling_station_id": "AA-BB-CC-DD-EE-FF",
        })
    );
    assert_eq!(body(Dialect::OpenWisp, "auth.accept", &parts())["reply"], "Access-Accept");
    assert!(!has_word_for(Dialect::OpenWisp, "auth.accept", &json!({})));
    assert!(!has_word_for(Dialect::OpenWisp, "session.stop", &json!({ "session": { "id": "1" } })));
}
