//! A relay between real supplicants and a real FreeRADIUS: they notice nothing of it, every login becomes its event, and
//! nothing that must stay secret comes out.

mod support;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::Value;
use support::daemon::{Config, Daemon};
use support::eapol::{Eap, Login};
use support::freeradius::NAS_SECRET;
use support::freeradius_auth::{AuthOptions, AuthServer, PASSWORD, USER};
use support::own_loopback;
use support::radclient::{Answers, Radclient, session};
use support::secrets::{self, Places};
use support::verbs::{wait_until, wait_until_status};
use support::witness::{SECRET, Taken, Witness};
use tempfile::TempDir;

const EVENTS: &str = "events = [\"auth.*\", \"auth.challenge\", \"session.*\", \"coa.*\", \"disconnect.*\"]";

struct Site {
    server: AuthServer,
    daemon: Daemon,
    witness: Witness,
    config: std::path::PathBuf,
    directory: TempDir,
}

impl Site {
    /// FreeRADIUS behind a relay for logins, one for accounting and one for CoA.
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        // Where the CoA relay leads to the address is a NAS's.
        let address = own_loopback();
        let server = AuthServer::start_with(AuthOptions { address, ..AuthOptions::default() });
        let witness = Witness::start();
        let config = Config::bare(directory.path())
            .relay("logins", "127.0.0.1:0", &[server.auth()], "")
            .relay("accounting", "127.0.0.1:0", &[server.acct()], "")
            .relay("coa", "127.0.0.1:0", &[server.coa()], "")
            .client("nas", "127.0.0.1", NAS_SECRET)
            .client("kicked", &address.to_string(), NAS_SECRET)
            .endpoint("crm", &witness.url(), SECRET, EVENTS)
            .write();
        let daemon = Daemon::start(&config);
        Self { server, daemon, witness, config, directory }
    }

    /// Waits until so many events were taken.
    fn wait_until_taken(&self, count: usize) -> Vec<Taken> {
        wait_until("all events are delivered", || {
            let taken = self.witness.taken();
            (taken.len() >= count).then_some(taken)
        })
    }

    fn eap(&self, eap: Eap, server: SocketAddr) -> Login {
        Login::new(eap, server, NAS_SECRET, &self.server.certificates())
    }
}

fn of_kind<'a>(taken: &'a [Taken], kind: &str) -> Vec<&'a Value> {
    taken.iter().filter(|taken| taken.kind == kind).map(|taken| &taken.body).collect()
}

#[test]
fn supplicants_see_the_same_with_and_without_the_relay_and_every_login_is_told_with_its_rounds() {
    let site = Site::start();
    for (eap, method, rounds, name) in
        [(Eap::Md5, "EAP-MD5", 1, USER), (Eap::Peap, "PEAP", 9, "anon"), (Eap::Tls, "EAP-TLS", 5, USER)]
    {
        let before = site.witness.taken().len();
        let direct = site.eap(eap, site.server.auth());
        let relayed = site.eap(eap, site.daemon.relay());

        assert!(direct.succeeded && relayed.succeeded, "{}", relayed.output);
        assert_eq!(relayed.replies, direct.replies, "{eap:?}");
        assert_eq!(relayed.attributes, direct.attributes, "{eap:?}");
        assert_eq!(relayed.keys.len(), direct.keys.len(), "{eap:?}");
        assert_eq!(relayed.challenges(), rounds, "{eap:?}");

        let taken = site.wait_until_taken(before + rounds + 1);
        let taken = &taken[before..];
        assert_eq!(of_kind(taken, "auth.challenge").len(), rounds, "{eap:?}");
        let accepts = of_kind(taken, "auth.accept");
        let [accept] = accepts[..] else { panic!("{eap:?}: {taken:?}") };
        let auth = &accept["data"]["auth"];
        assert_eq!((&auth["method"], &auth["rounds"]), (&method.into(), &rounds.into()), "{accept}");
        assert_eq!(accept["data"]["user"]["name"], name, "{accept}");
        assert_eq!(accept["data"]["client"]["mac"], "02-1A-00-00-00-07", "{accept}");
        assert_eq!(accept["source"]["type"], "relay", "{accept}");
        assert_eq!(accept["source"]["client"], "nas", "{accept}");
        assert!(auth["latency_ms"].is_u64(), "{accept}");
    }
}

#[test]
fn pap_chap_and_mschap_pass_and_rejects_are_told_as_such() {
    let site = Site::start();
    let login = |kind: &str, password: &str| {
        format!("User-Name = {USER}, {kind} = \"{password}\", NAS-IP-Address = 192.0.2.1, NAS-Port = 7")
    };
    let packets: Vec<String> = [("User-Password", "PAP"), ("CHAP-Password", "CHAP"), ("MS-CHAP-Password", "MS-CHAP")]
        .iter()
        .flat_map(|(kind, _)| [login(kind, PASSWORD), login(kind, "wrong")])
        .collect();
    let ask = |server: SocketAddr| Radclient::auth(server, NAS_SECRET).send(&packets);
    // Each MS-CHAP reply tells of its own challenge.
    let comparable = |answers: &Answers| -> Vec<Vec<String>> {
        let constant = |attribute: &String| !attribute.starts_with("MS-");
        answers
            .replies
            .iter()
            .map(|reply| reply.iter().filter(|attribute| constant(attribute)).cloned().collect())
            .collect()
    };

    let direct = ask(site.server.auth());
    let relayed = ask(site.daemon.relay());

    assert_eq!((relayed.answered, relayed.rejected, relayed.lost), (3, 3, 0), "{}", relayed.output);
    assert_eq!(comparable(&relayed), comparable(&direct));
    let taken = site.wait_until_taken(6);
    let methods = |kind: &str| -> Vec<Value> {
        of_kind(&taken, kind).iter().map(|event| event["data"]["auth"]["method"].clone()).collect()
    };
    assert_eq!(methods("auth.accept"), ["PAP", "CHAP", "MS-CHAP"]);
    assert_eq!(methods("auth.reject"), ["PAP", "CHAP", "MS-CHAP"]);
    for accept in of_kind(&taken, "auth.accept") {
        let auth = &accept["data"]["auth"];
        assert_eq!((&auth["vlan"], &auth["session_timeout"]), (&"20".into(), &3600.into()), "{accept}");
        assert_eq!(auth["reply_message"][0], "Hello alice", "{accept}");
        assert_eq!(accept["data"]["reply_attributes"]["Tunnel-Private-Group-Id:1"], "20", "{accept}");
    }
}

#[test]
fn accounting_and_coa_pass_the_same_way_and_are_answered_by_the_server_alone() {
    let site = Site::start();
    let [_, accounting, coa] = site.daemon.relay_addresses() else { panic!("three relays") };

    let answers = Radclient::accounting(*accounting, NAS_SECRET).send(&session(USER, "R-1", 1));
    let kick = format!("Packet-Type = Disconnect-Request, User-Name = {USER}, Acct-Session-Id = R-1");
    let change = format!("Packet-Type = CoA-Request, User-Name = {USER}, Acct-Session-Id = R-1, Session-Timeout = 60");
    let told = Radclient::dynamic_authorization(*coa, NAS_SECRET).send(&[kick, change]);

    assert_eq!((answers.answered, answers.lost), (3, 0), "{}", answers.output);
    assert_eq!(answers.replies.len(), 3, "each once: {}", answers.output);
    let replies: Vec<&str> = told.replies.iter().map(|reply| reply[0].as_str()).collect();
    assert_eq!(replies, ["Disconnect-ACK", "CoA-ACK"], "{}", told.output);
    let taken = site.wait_until_taken(5);
    for event in ["coa.ack", "disconnect.ack"].iter().flat_map(|kind| of_kind(&taken, kind)) {
        let nas = site.server.coa().ip().to_string();
        assert_eq!(
            (&event["source"]["client"], &event["source"]["address"]),
            (&"kicked".into(), &nas.into()),
            "{event}"
        );
    }
    let kinds: BTreeSet<String> = taken.into_iter().map(|taken| taken.kind).collect();
    let expected = ["coa.ack", "disconnect.ack", "session.start", "session.stop", "session.update"];
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn no_password_key_or_eap_octet_is_in_any_event_log_or_store() {
    let site = Site::start();
    let mut secrets: Vec<String> = vec![PASSWORD.to_owned()];
    let mut events = 0;
    for eap in [Eap::Md5, Eap::Peap, Eap::Tls] {
        let login = site.eap(eap, site.daemon.relay());
        assert!(login.succeeded, "{}", login.output);
        events += login.replies.len();
        secrets.extend(secrets::of_login(&login));
    }
    let packets = ["User-Password", "CHAP-Password", "MS-CHAP-Password"]
        .map(|kind| format!("User-Name = {USER}, {kind} = \"{PASSWORD}\", NAS-IP-Address = 192.0.2.1"));
    let answers = Radclient::auth(site.daemon.relay(), NAS_SECRET).send(&packets);
    assert_eq!(answers.answered, 3, "{}", answers.output);
    secrets.extend(secrets::hex_values(&answers.output));
    events += 3;
    assert!(secrets.len() > 40, "only {} secrets were seen to look for", secrets.len());
    let taken = site.wait_until_taken(events);
    wait_until_status(&site.config, "all is written down", |status| status.endpoint("crm").pending == 0);
    let log = site.daemon.stderr().join("\n");
    let Site { daemon, directory, .. } = site;
    assert!(daemon.stop().success());

    let mut places = Places::default();
    places.add("the log", &log);
    places.add("the deliveries", &taken.iter().map(|taken| taken.body.to_string()).collect::<String>());
    places.add_files(&directory.path().join("data"));
    assert!(places.holding("auth.accept") > 1, "there is a store");
    places.assert_free_of(&secrets);
}
