//! The same traffic by every way in at once: a relay in front of a real FreeRADIUS, captures on both its sides, FreeRADIUS's
//! spool, which its own reader hands on, and detail files of the same records. Each login and each report of a session is
//! told once. In a network namespace, so that the captures see nobody else's packets; that needs root.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use jiff::Timestamp;
use support::daemon::{Config, Daemon};
use support::eapol::{Eap, Login};
use support::freeradius::NAS_SECRET;
use support::freeradius_auth::{AuthServer, PASSWORD, USER};
use support::metrics::{scrape, sum};
use support::network::Host;
use support::radclient::{Answers, Radclient};
use support::secrets::{self, Places};
use support::spooling::{PLAIN, spooling};
use support::verbs::{status, wait_until, wait_until_status};
use support::witness::{SECRET, Taken, Witness};
use tempfile::TempDir;

/// The NAS. FreeRADIUS sees the relay's address instead.
const NAS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Where radhook takes what NASes send.
const FRONT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const AUTH: u16 = 1812;
const ACCOUNTING: u16 = 1813;
/// Where radhook takes what FreeRADIUS reads from its spool.
const HOME: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1913);

/// Everything that a packet passes is seen so often: by the relays, by a capture on either side of them, from the spool and
/// from the files.
const WAYS: usize = 5;

const WRONG_PASSWORD: &str = "l00king-glass-Zk4";

/// What an event tells, by whichever way: its type, user and session, and the seconds that this has lasted.
type Fact = (String, String, String, Option<u64>);

fn fact(kind: &str, user: &str, session: &str, seconds: Option<u64>) -> Fact {
    (kind.to_owned(), user.to_owned(), session.to_owned(), seconds)
}

struct Site {
    server: AuthServer,
    daemon: Daemon,
    witness: Witness,
    config: PathBuf,
    directory: TempDir,
}

/// Runs a test against a site in a namespace of its own.
fn at_a_site(test: impl FnOnce(Site) + Send) {
    Host::add().enter(|| test(Site::start()));
}

impl Site {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let server = AuthServer::start_with(spooling(HOME));
        let witness = Witness::start();
        let capture = |name: &str, ports: [u16; 2]| {
            format!("[[source]]\ntype = \"capture\"\nname = \"{name}\"\ninterface = \"lo\"\nports = {ports:?}")
        };
        let files = server.radacct().join(PLAIN).join("detail-*");
        let files = format!("[[source]]\ntype = \"detail\"\nname = \"files\"\npath = {files:?}");
        let config = Config::bare(directory.path())
            .relay("front-logins", &format!("{FRONT}:{AUTH}"), &[server.auth()], "")
            .relay("front-accounting", &format!("{FRONT}:{ACCOUNTING}"), &[server.acct()], "")
            .table(&capture("before", [AUTH, ACCOUNTING]))
            .table(&capture("behind", [server.auth().port(), server.acct().port()]))
            .accounting(&HOME.to_string())
            .table(&files)
            .client("nas", &NAS.to_string(), NAS_SECRET)
            .client("freeradius", "127.0.0.1", NAS_SECRET)
            .endpoint("crm", &witness.url(), SECRET, "events = [\"*\"]")
            .write();
        let daemon = Daemon::start(&config);
        Self { server, daemon, witness, config, directory }
    }

    /// Sends packets from the NAS, one after the other.
    fn send(&self, radclient: fn(SocketAddr, &str) -> Radclient, port: u16, packets: &[String]) -> Answers {
        let from = |packet: &String| format!("{packet}, Packet-Src-IP-Address = {NAS}");
        let packets: Vec<String> = packets.iter().map(from).collect();
        let answers = radclient((FRONT, port).into(), NAS_SECRET).send(&packets);
        assert_eq!((answers.lost, answers.replies.len()), (0, packets.len()), "{}", answers.output);
        answers
    }

    fn eap(&self, eap: Eap) -> Login {
        let front = (FRONT, AUTH).into();
        let login = Login::by_nas(NAS, eap, front, NAS_SECRET, &self.server.certificates());
        assert!(login.succeeded, "{}", login.output);
        login
    }

    /// Waits until all that passed was seen by every way and is settled, and demands that just these facts were told, each
    /// as often as it stands here. `logins` and `records` are how many replies and Accounting-Requests passed.
    fn wait_until_told(&self, logins: usize, records: usize, facts: &[Fact]) -> Vec<Taken> {
        let count = |name: &str, labels: &[&str]| sum(&self.daemon, name, labels) as usize;
        let seen = || count("radhook_intake_events_total", &[]) + count("radhook_intake_without_event_total", &[]);
        let all = WAYS * (logins + records);
        wait_until("everything was seen by every way", || (seen() >= all).then_some(()));
        wait_until_status(&self.config, "everything is settled", |status| status.endpoint("crm").pending == 0);

        let observed = |source: &str, result: &str| {
            let labels = [format!("source=\"{source}\""), format!("result=\"{result}\"")];
            count("radhook_observed_packets_total", &labels.each_ref().map(String::as_str))
        };
        for (source, of) in [("front-logins", logins), ("before", logins), ("behind", logins)] {
            assert_eq!((observed(source, "request"), observed(source, "answer")), (of, of), "{source}");
        }
        for source in ["front-accounting", "before", "behind"] {
            assert_eq!(observed(source, "accounting"), records, "{source}");
        }
        assert_eq!(count("radhook_accounting_packets_total", &["result=\"accepted\""]), logins + records);
        for (result, of) in [("login", logins), ("accounting", records)] {
            assert_eq!(count("radhook_detail_records_total", &[&format!("result=\"{result}\"")]), of, "{result}");
        }
        for unwanted in ["radhook_observed_drops_total", "radhook_detail_files_total", "radhook_relay_drops_total"] {
            assert_eq!(count(unwanted, &[]), 0, "{unwanted}");
        }

        self.witness.assert_no_repeats();
        let taken = self.witness.taken();
        assert_told(&taken, facts);
        let endpoint = status(&self.config).endpoint("crm").clone();
        let expected = facts.len() as u64;
        assert_eq!((endpoint.received, endpoint.delivered), (expected, expected), "{endpoint:?}");
        assert_eq!(count("radhook_intake_events_total", &[]), facts.len());
        let repeats = count("radhook_intake_without_event_total", &["reason=\"repeat\""]);
        assert_eq!(repeats, all - facts.len(), "{}", scrape(&self.daemon));
        taken
    }
}

/// Fails unless just these facts were told, and says of one that was told too often what its events differ in.
fn assert_told(taken: &[Taken], facts: &[Fact]) {
    let mut told: BTreeMap<Fact, Vec<&Taken>> = BTreeMap::new();
    for event in taken {
        let data = &event.body["data"];
        let user = data["attributes"]["User-Name"].as_str().unwrap_or_default();
        let seconds = data["session"]["duration"].as_u64();
        told.entry(fact(&event.kind, user, &event.session(), seconds)).or_default().push(event);
    }
    let mut expected: BTreeMap<&Fact, usize> = BTreeMap::new();
    facts.iter().for_each(|fact| *expected.entry(fact).or_default() += 1);
    for (fact, events) in &told {
        let times = expected.get(fact).copied().unwrap_or(0);
        let differ = || {
            let about = |event: &&Taken| format!("{} {}\n  {}", event.body["source"]["name"], event.id, event.body);
            events.iter().map(about).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(events.len(), times, "so often {fact:?} was told, and so often it happened:\n{}", differ());
    }
    assert_eq!(told.keys().collect::<BTreeSet<_>>(), expected.into_keys().collect(), "some were not told");
}

fn login(user: &str, password: &str, device: &str) -> String {
    format!(
        "User-Name = \"{user}\", User-Password = \"{password}\", NAS-Identifier = \"lobby-ap-1\", NAS-Port = 7, \
         Calling-Station-Id = \"{device}\""
    )
}

/// Start, update and stop of a session of [`USER`], of which the NAS says this beside.
fn session(id: &str, more: &str) -> [String; 3] {
    [("Start", 0), ("Interim-Update", 300), ("Stop", 600)].map(|(status, seconds)| {
        format!(
            "Acct-Status-Type = {status}, User-Name = {USER}, Acct-Session-Id = \"{id}\", Acct-Session-Time = {seconds}, \
             Acct-Input-Octets = {seconds}, Acct-Output-Octets = {seconds}, Calling-Station-Id = \"AA-BB-CC-DD-EE-FF\", \
             {more}"
        )
    })
}

/// What such a session becomes.
fn told_of(session: &str) -> [Fact; 3] {
    [("session.start", 0), ("session.update", 300), ("session.stop", 600)]
        .map(|(kind, seconds)| fact(kind, USER, session, Some(seconds)))
}

#[test]
fn each_login_is_told_once_and_no_way_lets_a_secret_out() {
    at_a_site(|site| {
        let packets = [
            login(USER, PASSWORD, "AA-BB-CC-DD-EE-FF"),
            login(USER, WRONG_PASSWORD, "AA-BB-CC-DD-EE-FF"),
            login("mallory", WRONG_PASSWORD, "AA-BB-CC-DD-EE-00"),
            // The same words again are another login.
            login(USER, PASSWORD, "AA-BB-CC-DD-EE-FF"),
        ];
        let answers = site.send(Radclient::auth, AUTH, &packets);
        assert_eq!((answers.answered, answers.rejected), (2, 2), "{}", answers.output);
        let mut facts = vec![
            fact("auth.accept", USER, "", None),
            fact("auth.reject", USER, "", None),
            fact("auth.reject", "mallory", "", None),
            fact("auth.accept", USER, "", None),
        ];
        let mut secrets = vec![PASSWORD.to_owned(), WRONG_PASSWORD.to_owned()];
        for (eap, name) in [(Eap::Md5, USER), (Eap::Peap, "anon")] {
            let login = site.eap(eap);
            facts.extend((0..login.challenges()).map(|_| fact("auth.challenge", name, "", None)));
            facts.push(fact("auth.accept", name, "", None));
            secrets.extend(secrets::of_login(&login));
        }
        assert!(facts.len() == 4 + 2 + 10 && secrets.len() > 20, "{} secrets, {facts:?}", secrets.len());

        let taken = site.wait_until_told(facts.len(), 0, &facts);

        let Site { server, daemon, directory, .. } = site;
        let log = daemon.stderr().join("\n");
        assert!(daemon.stop().success());
        let mut places = Places::default();
        places.add("the log", &log);
        places.add("the deliveries", &taken.iter().map(|taken| taken.body.to_string()).collect::<String>());
        places.add_files(&directory.path().join("data"));
        assert!(places.holding("auth.accept") > 1, "there is a store");
        places.add_files(&server.radacct());
        places.assert_free_of(&secrets);
    });
}

#[test]
fn sessions_of_a_nas_that_tells_the_time_are_told_once_and_joined_to_their_login() {
    at_a_site(|site| {
        site.send(Radclient::auth, AUTH, &[login(USER, PASSWORD, "AA-BB-CC-DD-EE-FF")]);
        let accept = [fact("auth.accept", USER, "", None)];
        let taken = site.wait_until_told(1, 0, &accept);
        let login = &taken[0].id;

        let now = Timestamp::now().strftime("%b %e %Y %H:%M:%S UTC").to_string();
        // What names the NAS is enough by itself; FreeRADIUS puts the relay's address beside.
        let packets = session(
            "D-1",
            &format!("NAS-Identifier = \"lobby-ap-1\", Class = 0x7261646d696e, Event-Timestamp = \"{now}\""),
        );
        site.send(Radclient::accounting, ACCOUNTING, &packets);
        let packets = session("D-2", &format!("NAS-IP-Address = 192.0.2.1, Event-Timestamp = \"{now}\""));
        site.send(Radclient::accounting, ACCOUNTING, &packets);

        let facts = [&accept[..], &told_of("D-1"), &told_of("D-2")].concat();
        let taken = site.wait_until_told(1, 6, &facts);
        let start = taken.iter().find(|taken| taken.kind == "session.start" && taken.session() == "D-1");
        let start = &start.expect("it was told").body;
        assert_eq!(start["data"]["session"]["auth_id"], **login, "{start}");
    });
}

#[test]
fn sessions_of_a_nas_that_tells_no_time_are_told_once_though_freeradius_adds_it_to_its_copies() {
    at_a_site(|site| {
        let on = "Acct-Status-Type = Accounting-On, Acct-Session-Id = \"0\", NAS-Identifier = \"lobby-ap-1\"";
        site.send(Radclient::accounting, ACCOUNTING, &[on.to_owned()]);
        site.send(Radclient::accounting, ACCOUNTING, &session("U-1", "NAS-Identifier = \"lobby-ap-1\""));
        site.send(Radclient::accounting, ACCOUNTING, &session("U-2", "NAS-IP-Address = 192.0.2.1"));

        let facts = [&[fact("nas.on", "", "", None)][..], &told_of("U-1"), &told_of("U-2")].concat();
        site.wait_until_told(0, 7, &facts);
    });
}

#[test]
fn a_record_sent_again_with_a_greater_delay_is_told_once_though_each_copy_has_a_time_of_its_own() {
    at_a_site(|site| {
        let [start, update, stop] = session("R-1", "NAS-Identifier = \"lobby-ap-1\"");
        // The NAS has heard no answer for two seconds, and says so.
        let again = format!("{stop}, Acct-Delay-Time = 2");
        site.send(Radclient::accounting, ACCOUNTING, &[start, update, stop, again]);
        site.wait_until_told(0, 4, &told_of("R-1"));
    });
}
