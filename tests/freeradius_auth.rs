//! A real FreeRADIUS with real supplicants, without radhook: so that a test of radhook that fails beside them has the fault
//! on radhook's side.

mod support;

use support::eapol::{ACCEPT, Eap, Login, REJECT};
use support::freeradius::NAS_SECRET;
use support::freeradius_auth::{AuthServer, PASSWORD, USER};
use support::radclient::{Radclient, session};

fn login(server: &AuthServer, eap: Eap) -> Login {
    Login::new(eap, server.auth(), NAS_SECRET, &server.certificates())
}

#[test]
fn every_kind_of_eap_lets_alice_in_and_peap_is_ten_requests_and_nine_challenges() {
    let server = AuthServer::start();
    for (eap, challenges, keys) in [(Eap::Md5, 1, 0), (Eap::Peap, 9, 2), (Eap::Tls, 5, 2)] {
        let login = login(&server, eap);

        assert!(login.succeeded, "{eap:?}: {}", login.output);
        assert_eq!(login.replies.last(), Some(&ACCEPT), "{}", login.output);
        assert_eq!(login.challenges(), challenges, "{eap:?}: {}", login.output);
        assert_eq!(login.keys.len(), keys, "{eap:?}: {}", login.output);
        assert!(login.keys.iter().all(|key| key.len() == 64), "{:?}", login.keys);
    }
}

#[test]
fn a_wrong_password_is_rejected_whatever_the_eap() {
    let server = AuthServer::start();
    for eap in [Eap::Md5, Eap::Peap] {
        let login = Login::with_password(eap, server.auth(), NAS_SECRET, &server.certificates(), "wrong");

        assert!(!login.succeeded, "{eap:?}: {}", login.output);
        assert_eq!(login.replies.last(), Some(&REJECT), "{eap:?}: {}", login.output);
    }
}

#[test]
fn radclient_logs_in_by_pap_chap_and_mschap() {
    let server = AuthServer::start();
    let packets = ["User-Password", "CHAP-Password", "MS-CHAP-Password"]
        .map(|kind| format!("User-Name = {USER}, {kind} = \"{PASSWORD}\", NAS-IP-Address = 192.0.2.1"));
    let wrong = format!("User-Name = {USER}, User-Password = \"wrong\", NAS-IP-Address = 192.0.2.1");

    let answers = Radclient::auth(server.auth(), NAS_SECRET).send(&packets);
    let refused = Radclient::auth(server.auth(), NAS_SECRET).send(&[wrong]);

    assert_eq!((answers.answered, answers.lost), (3, 0), "{}", answers.output);
    for reply in &answers.replies {
        assert_eq!(reply[0], "Access-Accept");
        assert!(reply.contains(&"Tunnel-Private-Group-Id:1 = \"20\"".to_owned()), "{reply:?}");
    }
    assert_eq!((refused.rejected, refused.lost), (1, 0), "{}", refused.output);
}

#[test]
fn accounting_and_coa_are_answered_on_ports_of_their_own() {
    let server = AuthServer::start();

    let accounting = Radclient::accounting(server.acct(), NAS_SECRET).send(&session(USER, "A-1", 0));
    let kick = format!("Packet-Type = Disconnect-Request, User-Name = {USER}, Acct-Session-Id = A-1");
    let kicked = Radclient::dynamic_authorization(server.coa(), NAS_SECRET).send(&[kick]);

    assert_eq!((accounting.answered, accounting.lost), (2, 0), "{}", accounting.output);
    assert_eq!(kicked.replies.len(), 1, "{}", kicked.output);
    assert_eq!(kicked.replies[0][0], "Disconnect-ACK", "{}", kicked.output);
}
