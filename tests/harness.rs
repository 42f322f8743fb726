//! The tests' own tools, where a fault in them would make other tests pass or fail for the wrong reason.

mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::kill;
use nix::unistd::Pid;
use support::daemon::{Config, Daemon};
use support::disk::SmallDisk;
use support::process::{Process, Stream};
use tempfile::TempDir;

/// A program that behaves like `radhook run` as far as a shell script can.
fn stand_in(directory: &TempDir, body: &str) -> PathBuf {
    let path = directory.path().join("stand-in");
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("a script can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("it can be made executable");
    path
}

fn lives(pid: u32) -> bool {
    kill(Pid::from_raw(pid.try_into().expect("process ids fit an i32")), None).is_ok()
}

#[test]
fn a_daemon_is_ready_when_it_says_so_and_tells_where_it_listens() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let program = stand_in(
        &directory,
        "echo 'not ready yet' >&2\n\
         echo 'ready accounting=127.0.0.1:40001 accounting=[::1]:40002 admin=unix:/x/admin.sock' >&2\n\
         exec sleep 600",
    );

    let daemon = Daemon::try_start_program(&program, &directory.path().join("none.toml")).expect("it gets ready");

    assert_eq!(daemon.accounting().to_string(), "127.0.0.1:40001");
    assert_eq!(daemon.accounting_addresses()[1].to_string(), "[::1]:40002");
    assert_eq!(daemon.admin(), ["unix:/x/admin.sock"]);
    assert_eq!(daemon.stderr()[0], "not ready yet");
}

#[test]
fn a_daemon_that_ends_before_it_is_ready_is_an_error_with_its_output() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let program = stand_in(&directory, "echo \"$1 $2: no such config\" >&2\nexit 3");

    let output = match Daemon::try_start_program(&program, &directory.path().join("none.toml")) {
        Ok(_) => panic!("it never said it was ready"),
        Err(output) => output,
    };

    assert!(output.contains("run --config: no such config"), "{output}");
}

#[test]
fn what_a_test_starts_does_not_outlive_it() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let program = stand_in(&directory, "echo ready >&2\nexec sleep 600");
    let config = directory.path().join("none.toml");

    let ended_by_drop = Daemon::try_start_program(&program, &config).expect("it gets ready");
    let dropped = ended_by_drop.pid();
    drop(ended_by_drop);
    let ended_by_kill = Daemon::try_start_program(&program, &config).expect("it gets ready");
    let killed = ended_by_kill.pid();
    ended_by_kill.kill9();

    assert!(!lives(dropped));
    assert!(!lives(killed));
}

#[test]
fn a_process_that_ignores_sigterm_is_killed() {
    let mut stubborn = Process::start(
        "a stubborn script",
        Command::new("python3").args([
            "-c",
            "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
        ]),
    );
    stubborn.wait_until_line("up", |line| line == "up");

    let status = stubborn.terminate_within(Duration::from_millis(100));

    assert!(!status.success());
    assert!(!lives(stubborn.pid()));
}

#[test]
fn output_is_kept_apart_by_stream_and_in_order() {
    let mut process =
        Process::start("a script", Command::new("sh").args(["-c", "echo one; echo two; echo three >&2; printf four"]));

    assert!(process.wait_until_exit().success());

    assert_eq!(process.lines(Stream::Stdout), ["one", "two", "four"]);
    assert_eq!(process.lines(Stream::Stderr), ["three"]);
}

#[test]
fn a_small_disk_fills_up_and_has_space_again_after_release() {
    let disk = SmallDisk::mount(256 * 1024);
    let path = disk.path().to_owned();

    let filled = disk.fill();
    let full = fs::File::create(path.join("one-more")).and_then(|mut file| file.write_all(&[0; 8192]));
    disk.release();
    let free = fs::File::create(path.join("another")).and_then(|mut file| file.write_all(&[0; 8192]));

    assert!((128 * 1024..=256 * 1024).contains(&filled), "{filled}");
    assert_eq!(full.expect_err("nothing fits").kind(), std::io::ErrorKind::StorageFull);
    free.expect("there is space again");
    drop(disk);
    assert!(
        !fs::read_to_string("/proc/mounts").expect("Linux tells its mounts").contains(path.to_str().expect("UTF-8"))
    );
}

#[test]
fn a_config_is_toml_whatever_its_values_hold() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");

    let path = Config::new(directory.path(), "a \"quoted\" \\ secret")
        .store("max_size = \"1MiB\"")
        .endpoint("crm", "http://127.0.0.1:1/", "whsec_AAAA", "timeout = \"1s\"")
        .write();

    let config: toml::Table = toml::from_str(&fs::read_to_string(path).expect("it was written")).expect("it is TOML");
    assert_eq!(config["store"]["max_size"].as_str(), Some("1MiB"));
    assert_eq!(config["client"][0]["secret"].as_str(), Some("a \"quoted\" \\ secret"));
    assert_eq!(config["source"][0]["listen"].as_str(), Some("127.0.0.1:0"));
    assert_eq!(config["endpoint"][0]["signature"]["secret"].as_str(), Some("whsec_AAAA"));
    assert_eq!(config["endpoint"][0]["timeout"].as_str(), Some("1s"));
}
