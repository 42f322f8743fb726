//! What a relay in front of FreeRADIUS adds to a login, in one run: the same users log in by PAP directly, through a bare relay that
//! does nothing but pass datagrams on, through radhook's, and through one of radhook's whose store is full and whose receiver hangs.
//!
//! `cargo bench --bench relay [-- --logins N] [--window N]... [--rounds N]`
//!
//! Needs what `tests/run --prepare` installs. Everything shares the machine's cores, so the figures compare with each other
//! and not with those of another machine. The ways take turns, and each line holds the logins of all its rounds.

#[path = "../tests/support/mod.rs"]
mod support;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use support::daemon::{Config, Daemon};
use support::freeradius::NAS_SECRET;
use support::freeradius_auth::{AuthServer, PASSWORD, USER};
use support::logins::Logins;
use support::raw::{Conduct, RawReceiver};
use support::verbs::{status, wait_until};
use support::witness::SECRET;

#[derive(Debug, Parser)]
struct Options {
    /// Logins a round
    #[arg(long, default_value_t = 5000)]
    logins: u64,
    /// Logins under way at once; may be given several times
    #[arg(long = "window", default_values_t = [1, 32])]
    windows: Vec<u8>,
    /// Rounds for each way and window
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// What cargo bench adds by itself
    #[arg(long, hide = true)]
    bench: bool,
}

/// One way to FreeRADIUS, and how long logins took by it.
struct Way {
    name: &'static str,
    to: SocketAddr,
    latencies: Vec<Duration>,
    resent: u64,
    took: Duration,
}

fn main() {
    let options = Options::parse();
    let server = AuthServer::start();
    let hanging = RawReceiver::start(Conduct::Hang);
    let [one, other] = [(), ()].map(|()| tempfile::tempdir().expect("a temporary directory can be made"));
    let (relay, _) = relay(one.path(), &server, &hanging, "8GiB");
    let (stuck, stuck_config) = self::relay(other.path(), &server, &hanging, "16MiB");
    println!("filling the store of the third way …");
    let filling = logins(stuck.relay(), 64);
    wait_until("its store refuses", || (!status(&stuck_config).ready).then_some(()));
    filling.finish();

    let bare = bare_relay(server.auth());
    println!(
        "window  way                        logins  sent again    logins/s       p50       p90       p99     p99.9       max"
    );
    for window in options.windows {
        let ways = [
            ("directly", server.auth()),
            ("bare relay", bare),
            ("relay", relay.relay()),
            ("relay, store full", stuck.relay()),
        ];
        let mut ways = ways.map(|(name, to)| Way { name, to, latencies: Vec::new(), resent: 0, took: Duration::ZERO });
        for _ in 0..options.rounds {
            for way in &mut ways {
                let begun = Instant::now();
                let going = logins(way.to, window);
                wait_until("they are all in", || (going.answered() >= options.logins).then_some(()));
                let outcome = going.finish();
                way.took += begun.elapsed();
                assert_eq!((outcome.lost, outcome.refused), (0, 0), "{}", way.name);
                way.latencies.extend(outcome.latencies);
                way.resent += outcome.resent;
            }
        }
        for way in &mut ways {
            way.latencies.sort();
            let count = way.latencies.len();
            let at = |share: f64| way.latencies[((count - 1) as f64 * share) as usize].as_micros();
            println!(
                "{window:>6}  {:<25}{count:>8}{:>12}{:>12.0}{:>7} µs{:>7} µs{:>7} µs{:>7} µs{:>7} µs",
                way.name,
                way.resent,
                count as f64 / way.took.as_secs_f64(),
                at(0.5),
                at(0.9),
                at(0.99),
                at(0.999),
                at(1.0)
            );
        }
    }
    // In order they would wait for the receiver.
    relay.kill9();
    stuck.kill9();
}

/// A relay that looks at nothing but the Identifier, by which an answer finds its way back: two threads, a system call for each
/// datagram in and out. It goes on until the process ends.
fn bare_relay(server: SocketAddr) -> SocketAddr {
    let socket = || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback takes a UDP socket");
        Arc::new(socket)
    };
    let (front, back) = (socket(), socket());
    back.connect(server).expect("the server has an address");
    let at = front.local_addr().expect("it is bound");
    let clients = Arc::new(Mutex::new([at; 256]));
    let (from, to, heard) = (Arc::clone(&front), Arc::clone(&back), Arc::clone(&clients));
    thread::spawn(move || {
        let mut packet = [0; 4096];
        while let Ok((length, client)) = from.recv_from(&mut packet) {
            heard.lock().expect("nobody panics with it")[usize::from(packet[1])] = client;
            let _ = to.send(&packet[..length]);
        }
    });
    thread::spawn(move || {
        let mut packet = [0; 4096];
        while let Ok(length) = back.recv(&mut packet) {
            let client = clients.lock().expect("nobody panics with it")[usize::from(packet[1])];
            let _ = front.send_to(&packet[..length], client);
        }
    });
    at
}

fn logins(to: SocketAddr, window: u8) -> Logins {
    Logins::start(to, NAS_SECRET, USER, PASSWORD, window, Duration::ZERO)
}

fn relay(
    directory: &Path,
    server: &AuthServer,
    receiver: &RawReceiver,
    max_size: &str,
) -> (Daemon, std::path::PathBuf) {
    let config = Config::bare(directory)
        .store(&format!("max_size = \"{max_size}\""))
        .relay("edge", "127.0.0.1:0", &[server.auth()], "")
        .client("nas", "127.0.0.1", NAS_SECRET)
        .endpoint("crm", &receiver.url(), SECRET, "events = [\"auth.*\"]")
        .write();
    (Daemon::start(&config), config)
}
