//! Network namespaces, joined by virtual cables: hosts of a test's own. Needs root.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::geteuid;

use super::freeradius::command;

/// A host of its own, with loopback; gone when dropped.
pub struct Host {
    name: String,
}

impl Host {
    /// Adds one.
    pub fn add() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        assert!(geteuid().is_root(), "network namespaces need root: run tests/run as root, as CI does");
        let name = format!("radhook-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        ip(&["netns", "add", &name]);
        let host = Self { name };
        host.ip("link set lo up");
        host
    }

    /// The namespace's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Joins this host and another by a cable; the words are each end's name and addresses.
    pub fn join(&self, end: &str, addresses: &[&str], other: &Self, other_end: &str, other_addresses: &[&str]) {
        self.ip(&format!("link add name {end} type veth peer name {other_end} netns {}", other.name));
        for (host, end, addresses) in [(self, end, addresses), (other, other_end, other_addresses)] {
            host.ip(&format!("link set {end} up"));
            for address in addresses {
                // Used at once, without asking whether somebody else has it.
                let dad = if address.contains(':') { " nodad" } else { "" };
                host.ip(&format!("address add {address} dev {end}{dad}"));
            }
        }
    }

    /// Runs `ip` with these words there.
    pub fn ip(&self, words: &str) {
        let mut all = vec!["-n", self.name.as_str()];
        all.extend(words.split(' '));
        ip(&all);
    }

    /// Sets a kernel parameter of its network, such as `net/ipv4/conf/all/rp_filter`.
    pub fn set(&self, parameter: &str, value: &str) {
        self.enter(|| std::fs::write(format!("/proc/sys/{parameter}"), value).expect("root sets it"));
    }

    /// A program that will run there.
    pub fn command(&self, program: &str) -> Command {
        let mut command = command("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Runs `there` on a thread that is in this namespace: the sockets it makes belong there.
    pub fn enter<T: Send>(&self, there: impl FnOnce() -> T + Send) -> T {
        let path = format!("/run/netns/{}", self.name);
        std::thread::scope(|scope| {
            let entered = scope.spawn(|| {
                let namespace = std::fs::File::open(path).expect("the namespace is there");
                nix::sched::setns(namespace, nix::sched::CloneFlags::CLONE_NEWNET).expect("root enters it");
                there()
            });
            entered.join().expect("it does not panic there")
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Its cables go with it.
        let deleted = command("ip").args(["netns", "delete", &self.name]).status();
        if !deleted.is_ok_and(|status| status.success()) {
            eprintln!("the network namespace {} stays", self.name);
        }
    }
}

fn ip(words: &[&str]) {
    let output = command("ip").args(words).output().expect("ip starts; package iproute2 has it");
    assert!(output.status.success(), "ip {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr));
}
