//! Database servers of Debian's packages as private instances: in a temporary directory, by a user of their own, on a Unix socket.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use nix::unistd::{User, chown};
use tempfile::TempDir;

use crate::support::process::Process;

/// A running server; ended when dropped.
pub struct Server {
    process: Process,
    directory: TempDir,
}

impl Server {
    /// PostgreSQL, with the database `postgres` of the user `radhook`.
    pub fn postgres() -> Self {
        let (directory, user) = home("postgres");
        let data = directory.path().join("data");
        let bin = newest("/usr/lib/postgresql").join("bin");
        let words = ["--username=radhook", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"];
        run(as_user(bin.join("initdb"), &user).args(words).arg("--pgdata").arg(&data));
        let mut command = as_user(bin.join("postgres"), &user);
        command.arg("-D").arg(&data).arg("-k").arg(directory.path());
        command.args(["-h", "", "-c", "fsync=off", "-c", "shared_buffers=8MB", "-c", "max_connections=20"]);
        let process = Process::start("postgres", &mut command);
        process.wait_until_line("that it is ready", |line| line.contains("ready to accept connections"));
        Self { process, directory }
    }

    /// MariaDB, with the user `root`, who needs no password.
    pub fn mariadb() -> Self {
        let (directory, user) = home("mysql");
        let option = |name: &str, path: &Path| format!("--{name}={}", path.display());
        let data = option("datadir", &directory.path().join("data"));
        let words = ["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"];
        run(as_user("mariadb-install-db", &user).args(words).arg(&data));
        let mut command = as_user("/usr/sbin/mariadbd", &user);
        command.args(["--no-defaults", "--skip-networking", "--innodb-flush-log-at-trx-commit=0"]);
        command.args(["--innodb-buffer-pool-size=8M", "--innodb-log-file-size=8M"]).arg(&data);
        command.arg(option("socket", &directory.path().join("socket")));
        command.arg(option("pid-file", &directory.path().join("pid")));
        let process = Process::start("mariadbd", &mut command);
        process.wait_until_line("that it is ready", |line| line.contains("ready for connections"));
        Self { process, directory }
    }

    /// Where it keeps its socket.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // PostgreSQL waits for its clients where it is asked to end in peace.
        self.process.signal(Signal::SIGINT);
        self.process.terminate();
    }
}

/// A directory of this user's own.
fn home(name: &str) -> (TempDir, User) {
    let user = User::from_name(name).ok().flatten().unwrap_or_else(|| panic!("{name}'s package makes its user"));
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    chown(directory.path(), Some(user.uid), Some(user.gid)).expect("root runs this");
    (directory, user)
}

fn as_user(program: impl AsRef<OsStr>, user: &User) -> Command {
    let mut command = Command::new(program);
    command.uid(user.uid.as_raw()).gid(user.gid.as_raw()).current_dir("/");
    command
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} starts: {error}; tests/run --prepare"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn newest(directory: &str) -> PathBuf {
    let versions = std::fs::read_dir(directory).expect("PostgreSQL is installed: tests/run --prepare");
    let mut versions: Vec<PathBuf> = versions.filter_map(|entry| Some(entry.ok()?.path())).collect();
    versions.sort();
    versions.pop().expect("PostgreSQL is installed: tests/run --prepare")
}
