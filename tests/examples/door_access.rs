use super::*;

#[test]
fn the_badge_of_whoever_has_left_is_taken_back() {
    let receiver = receiver();
    let site = Site::start("door-access", origin(&receiver));
    let at = |ssid: &str, mac: &str| {
        format!("Calling-Station-Id = \"{mac}\", Called-Station-Id = \"00-11-22-33-44-55:{ssid}\", NAS-Identifier = ap")
    };
    let (phone, laptop) = (at("Members", MAC), at("Members", "AA-BB-CC-00-00-01"));
    let elsewhere = at("Guest", "AA-BB-CC-00-00-02");
    let cause = "Acct-Session-Time = 60, Acct-Terminate-Cause = User-Request";
    site.accounting(&[
        packet("al/ice?", "D-1", "Start", &phone),
        packet("al/ice?", "D-2", "Start", &laptop),
        // The laptop is still there.
        packet("al/ice?", "D-1", "Stop", &format!("{phone}, {cause}")),
        packet("bob", "D-3", "Start", &elsewhere),
        packet("bob", "D-3", "Stop", &format!("{elsewhere}, {cause}")),
        packet("al/ice?", "D-2", "Stop", &format!("{laptop}, {cause}")),
    ]);
    let asked = receiver.wait_until_asked(1);
    assert_eq!(asked[0].method, "DELETE");
    assert_eq!(asked[0].uri, "/v1/badges/al%2Fice%3F?reason=User-Request");
    assert_eq!(asked[0].header("authorization"), format!("Bearer {TOKEN}"));

    // Whose access point begins anew is lost, and no stop says so.
    site.accounting(&[
        packet("carol", "D-4", "Start", &at("Members", "AA-BB-CC-00-00-03")),
        "Acct-Status-Type = Accounting-On, NAS-Identifier = ap, NAS-IP-Address = 192.0.2.1".to_owned(),
    ]);
    let asked = receiver.wait_until_asked(2);
    assert_eq!(asked[1].uri, "/v1/badges/carol?reason=NAS-Reboot");
    site.wait_until("all is settled", |status| status.endpoint("door").delivered == 2);
    assert_eq!(receiver.asked().len(), 2);
}
