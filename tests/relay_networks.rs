//! A relay in networks of the test's own. With `preserve_source` servers see the NAS's address and port, and know each NAS
//! by its own secret; the routes are those that docs/relay.md names.

mod support;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use support::backend::Backend;
use support::daemon::{Config, Daemon};
use support::freeradius::NAS_SECRET;
use support::freeradius_auth::{AuthOptions, AuthServer, PASSWORD, USER};
use support::logins::Logins;
use support::network::Host;
use support::process::PATIENCE;
use support::verbs::{self, wait_until_status};
use support::witness::SECRET;

const RADHOOK: &str = env!("CARGO_BIN_EXE_radhook");

/// Two NASes with secrets of their own, as FreeRADIUS knows them.
const NASES: [(&str, &str); 2] = [("10.77.1.2", "secret-of-the-lobby"), ("10.77.1.3", "secret-of-the-roof")];

/// The NASes' network, radhook between, and FreeRADIUS's network.
struct Site {
    nas: Host,
    hook: Host,
    radius: Host,
}

impl Site {
    fn build() -> Self {
        let site = Self { nas: Host::add(), hook: Host::add(), radius: Host::add() };
        let nases = ["10.77.1.2/24", "10.77.1.3/24", "fd77:1::2/64"];
        site.nas.join("uplink", &nases, &site.hook, "nases", &["10.77.1.1/24", "fd77:1::1/64"]);
        let servers = ["10.77.2.1/24", "fd77:2::1/64"];
        site.hook.join("servers", &servers, &site.radius, "uplink", &["10.77.2.2/24", "fd77:2::2/64"]);
        // As strict as distributions set it.
        site.hook.set("net/ipv4/conf/all/rp_filter", "1");
        site
    }

    /// Replies come back to radhook, and stay there, though they are addressed to the NASes.
    fn route_replies(&self, port: u16) {
        self.radius.ip("route add 10.77.1.0/24 via 10.77.2.1");
        self.radius.ip("-6 route add fd77:1::/64 via fd77:2::1");
        for family in ["-4", "-6"] {
            self.hook.ip(&format!("{family} rule add iif servers ipproto udp sport {port} lookup 100"));
            self.hook.ip(&format!("{family} route add local default dev lo table 100"));
        }
    }
}

fn config(directory: &Path, listen: &str, server: SocketAddr) -> PathBuf {
    let mut config = Config::bare(directory).relay("edge", listen, &[server], "preserve_source = true");
    for (address, secret) in NASES {
        config = config.client(address, address, secret);
    }
    config.endpoint("crm", "http://127.0.0.1:9/", SECRET, "events = [\"auth.*\"]").write()
}

fn daemon(host: &Host, config: &Path) -> Daemon {
    let mut command = host.command(RADHOOK);
    command.args(["run", "--config"]).arg(config);
    Daemon::try_start_command(command).unwrap_or_else(|output| panic!("it starts:\n{output}"))
}

/// FreeRADIUS with the NASes as its clients. What it takes the sender for stands in its log.
fn freeradius(host: &Host, address: &str) -> AuthServer {
    let clients =
        NASES.map(|(address, secret)| format!("client {address} {{\nipaddr = {address}\nsecret = {secret}\n}}\n"));
    AuthServer::start_with(AuthOptions {
        address: address.parse().expect("an IPv4 address"),
        namespace: Some(host.name().to_owned()),
        servers: clients.concat(),
        modules: "linelog {\nfilename = ${radacctdir}/seen\nformat = \"from %{Packet-Src-IP-Address}\"\n}".to_owned(),
        post_auth: "linelog".to_owned(),
        ..AuthOptions::default()
    })
}

fn assert_each_nas_logs_in_by_its_own_secret(nas: &Host, daemon: &Daemon, config: &Path, server: &AuthServer) {
    for (address, secret) in NASES {
        let here: IpAddr = address.parse().expect("an address");
        let every = Duration::from_millis(1);
        let relay = daemon.relay();
        let logins = nas.enter(|| Logins::start_from(here, relay, secret, USER, PASSWORD, 4, every));
        verbs::wait_until("logins are answered", || (logins.answered() >= 20).then_some(()));
        let outcome = logins.finish();
        assert_eq!((outcome.lost, outcome.refused, outcome.resent), (0, 0, 0), "{address}");
    }
    let seen = std::fs::read_to_string(server.radacct().join("seen")).expect("FreeRADIUS wrote it");
    for (address, _) in NASES {
        assert!(seen.lines().filter(|line| *line == format!("from {address}")).count() >= 20, "{seen}");
    }
    assert!(seen.lines().all(|line| NASES.iter().any(|(address, _)| line.ends_with(address))), "{seen}");
    wait_until_status(config, "the logins are told", |status| status.endpoint("crm").received >= 40);
    let told = verbs::radhook(config, &["deliveries", "list", "--json", "--limit", "0"]).json();
    assert!(told.len() >= 40 && told.iter().all(|delivery| delivery["type"] == "auth.accept"), "{told:?}");
}

#[test]
fn freeradius_on_another_host_sees_each_nas_and_knows_it_by_its_own_secret() {
    let (site, directory) = (Site::build(), tempfile::tempdir().expect("a temporary directory can be made"));
    let server = freeradius(&site.radius, "10.77.2.2");
    site.route_replies(server.auth().port());
    let config = config(directory.path(), "10.77.1.1:1812", server.auth());
    let daemon = daemon(&site.hook, &config);

    assert_each_nas_logs_in_by_its_own_secret(&site.nas, &daemon, &config, &server);
}

#[test]
fn freeradius_on_the_same_host_sees_each_nas_and_knows_it_by_its_own_secret() {
    let (site, directory) = (Site::build(), tempfile::tempdir().expect("a temporary directory can be made"));
    let server = freeradius(&site.hook, "127.0.0.1");
    site.hook.ip(&format!("rule add from 127.0.0.1 ipproto udp sport {} lookup 100", server.auth().port()));
    site.hook.ip("route add local default dev lo table 100");
    let config = config(directory.path(), "10.77.1.1:1812", server.auth());
    let daemon = daemon(&site.hook, &config);

    assert_each_nas_logs_in_by_its_own_secret(&site.nas, &daemon, &config, &server);
}

#[test]
fn servers_see_the_nas_by_ipv6_too_address_and_port() {
    let (site, directory) = (Site::build(), tempfile::tempdir().expect("a temporary directory can be made"));
    let server = site.radius.enter(|| Backend::echo("[fd77:2::2]:18120"));
    site.route_replies(18120);
    let daemon = daemon(&site.hook, &config(directory.path(), "[fd77:1::1]:1812", server.address()));

    let nas = site.nas.enter(|| UdpSocket::bind("[fd77:1::2]:0").expect("its address is there"));
    nas.set_read_timeout(Some(PATIENCE)).expect("a read timeout can be set");
    for octets in [b"one", b"two"] {
        nas.send_to(octets, daemon.relay()).expect("it leaves");
        let mut room = [0; 16];
        let (length, from) = nas.recv_from(&mut room).expect("an answer comes");
        assert_eq!((&room[..length], from), (&octets[..], daemon.relay()));
    }
    let own = nas.local_addr().expect("it is bound");
    assert_eq!(server.seen(), [(own, b"one".to_vec()), (own, b"two".to_vec())]);
}

#[test]
fn one_port_of_a_nas_that_asks_two_relays_is_that_port_to_both_servers() {
    let (site, directory) = (Site::build(), tempfile::tempdir().expect("a temporary directory can be made"));
    let [auth, acct] = [18120, 18130].map(|port| site.radius.enter(|| Backend::echo(&format!("10.77.2.2:{port}"))));
    site.radius.ip("route add 10.77.1.0/24 via 10.77.2.1");
    site.hook.ip("rule add iif servers ipproto udp lookup 100");
    site.hook.ip("route add local default dev lo table 100");
    let more = "preserve_source = true";
    let config = Config::bare(directory.path())
        .relay("auth", "10.77.1.1:1812", &[auth.address()], more)
        .relay("acct", "10.77.1.1:1813", &[acct.address()], more)
        .client("nas", "10.77.1.2", NAS_SECRET)
        .endpoint("crm", "http://127.0.0.1:9/", SECRET, "")
        .write();
    let daemon = daemon(&site.hook, &config);

    let nas = site.nas.enter(|| UdpSocket::bind("10.77.1.2:0").expect("its address is there"));
    nas.set_read_timeout(Some(PATIENCE)).expect("a read timeout can be set");
    let own = nas.local_addr().expect("it is bound");
    for _ in 0..3 {
        for relay in daemon.relay_addresses() {
            nas.send_to(relay.to_string().as_bytes(), relay).expect("it leaves");
            let mut room = [0; 64];
            let (length, from) = nas.recv_from(&mut room).expect("an answer comes");
            assert_eq!((&room[..length], from), (relay.to_string().as_bytes(), *relay));
        }
    }
    assert!(auth.seen().iter().chain(&acct.seen()).all(|(from, _)| *from == own));
    assert_eq!((auth.seen().len(), acct.seen().len()), (3, 3));
}

#[test]
fn a_server_that_no_route_leads_to_is_passed_over_and_no_reason_not_to_start() {
    let (site, directory) = (Site::build(), tempfile::tempdir().expect("a temporary directory can be made"));
    let server = site.radius.enter(|| Backend::echo("10.77.2.2:18120"));
    let nowhere = "203.0.113.1:1812".parse().expect("an address");
    let config = Config::bare(directory.path())
        .relay("edge", "10.77.1.1:1812", &[nowhere, server.address()], "probe = { secret = \"of-the-probe\" }")
        .client("nas", "10.77.1.2", NAS_SECRET)
        .endpoint("crm", "http://127.0.0.1:9/", SECRET, "")
        .write();
    let daemon = daemon(&site.hook, &config);

    let nas = site.nas.enter(|| UdpSocket::bind("10.77.1.2:0").expect("its address is there"));
    nas.set_read_timeout(Some(PATIENCE)).expect("a read timeout can be set");
    nas.send_to(b"hello", daemon.relay()).expect("it leaves");
    let mut room = [0; 16];
    assert_eq!(nas.recv(&mut room).expect("an answer comes"), 5);
    daemon.wait_until_log("the server is down: it cannot be reached");
}

#[test]
fn without_the_capability_it_does_not_start_and_says_which_one_it_needs() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let config = config(directory.path(), "127.0.0.1:0", "127.0.0.1:9".parse().expect("an address"));
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-net_admin,-net_raw", RADHOOK, "run", "--config"]).arg(config);
    let output = Daemon::try_start_command(command).err().expect("it needs the capability");
    assert!(output.contains("CAP_NET_ADMIN") && output.contains("source \"edge\""), "{output}");
}
