//! systemd's watchdog: the daemon says that all is well for as long as its writer turns, and not while it hangs.

mod support;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use support::daemon::{Config, Daemon};
use support::process::PATIENCE;

/// What the daemon takes as systemd's patience, in microseconds: it tells every two seconds.
const WATCHDOG_USEC: &str = "8000000";

/// The daemon's thread of this name.
fn thread(daemon: &Daemon, name: &str) -> Pid {
    let tasks = format!("/proc/{}/task", daemon.pid());
    let named = fs::read_dir(tasks).expect("the daemon runs").map(|entry| entry.expect("the daemon runs").path());
    let task =
        named.into_iter().find(|task| fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name));
    let number = task.and_then(|task| task.file_name()?.to_str()?.parse().ok());
    Pid::from_raw(number.unwrap_or_else(|| panic!("there is no thread {name}")))
}

/// The next message that systemd would get.
fn told(systemd: &UnixDatagram) -> String {
    let mut message = [0; 4096];
    let length = systemd.recv(&mut message).expect("systemd is told something");
    String::from_utf8_lossy(&message[..length]).into_owned()
}

#[test]
fn systemd_is_told_that_all_is_well_only_while_the_writer_turns() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let config = Config::new(directory.path(), "s3cret-of-radius")
        .endpoint("hook", "http://127.0.0.1:9", "whsec_c2VjcmV0IG9mIHRoZSB3YXRjaGRvZyB0ZXN0", "enabled = false")
        .write();
    let socket = directory.path().join("notify");
    let systemd = UnixDatagram::bind(&socket).expect("a socket can be made");
    systemd.set_read_timeout(Some(PATIENCE)).expect("a socket has a timeout");
    let mut command = Command::new(env!("CARGO_BIN_EXE_radhook"));
    command.args(["run", "--config"]).arg(config);
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", WATCHDOG_USEC);
    let daemon = Daemon::try_start_command(command).unwrap_or_else(|output| panic!("{output}"));
    assert!(told(&systemd).contains("READY=1"));
    assert!(told(&systemd).contains("WATCHDOG=1"));

    let writer = thread(&daemon, "writer");
    ptrace::attach(writer).expect("root may stop a thread");
    waitpid(writer, Some(WaitPidFlag::__WALL)).expect("the thread stops");
    daemon.wait_until_log("the writer hangs, for 2s");
    systemd.set_nonblocking(true).expect("a socket can be asked");
    let mut message = [0; 4096];
    while systemd.recv(&mut message).is_ok() {}
    daemon.wait_until_log("the writer hangs, for 6s");
    let silence = systemd.recv(&mut message).expect_err("of a hung writer nobody says that it is well");
    assert_eq!(silence.kind(), ErrorKind::WouldBlock);

    ptrace::detach(writer, None).expect("the thread goes on");
    systemd.set_nonblocking(false).expect("a socket can be asked");
    assert!(told(&systemd).contains("WATCHDOG=1"));
    daemon.wait_until_log("the writer goes on");
}
