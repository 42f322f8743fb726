//! A copy of the configuration that Debian's package installs, on loopback ports of its own, run by the real FreeRADIUS
//! under its own user.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{Uid, User};
use tempfile::TempDir;

use crate::support::free_udp_port;
use crate::support::process::Process;

/// Where the package has it.
const STOCK: &str = "/etc/freeradius/3.0";

/// The user it runs as.
const USER: &str = "freerad";

/// The secret of the client 127.0.0.1 in the stock clients.conf.
pub const SECRET: &str = "testing123";

/// A user for whom the stock configuration has been told a password, and what the accept is to hold.
const BOB: &str = "bob\tCleartext-Password := \"hello\"\n\tReply-Message := \"Hi %{User-Name}\",\n\tSession-Timeout := 3600,\n\
                   \tTunnel-Type := VLAN, Tunnel-Medium-Type := IEEE-802, Tunnel-Private-Group-Id := \"20\",\n\
                   \tClass := 0x626c6f62\n";

/// The copy.
pub struct Stock {
    directory: TempDir,
    auth: u16,
    acct: u16,
}

/// What a file is: its content or where it leads, and its mode and owner.
pub type Entry = (Vec<u8>, u32, u32, u32);

impl Stock {
    /// Copies it.
    pub fn copy() -> Self {
        assert!(Uid::effective().is_root(), "only root may read {STOCK}");
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let (auth, acct) = (free_udp_port(), free_udp_port());
        let stock = Self { directory, auth, acct };
        let copied = Command::new("cp").arg("-a").arg(STOCK).arg(stock.raddb()).status().expect("cp starts");
        assert!(copied.success(), "{STOCK} cannot be copied; tests/run installs what is missing");
        for directory in ["log", "log/radacct", "run"] {
            fs::create_dir(stock.path(directory)).expect("it can be made");
            stock.give(&stock.path(directory));
        }
        let top = stock.directory.path().display().to_string();
        stock.edit("radiusd.conf", |text| {
            text.replace("\nlogdir = /var/log/freeradius\n", &format!("\nlogdir = {top}/log\n"))
                .replace("\nraddbdir = /etc/freeradius/3.0\n", &format!("\nraddbdir = {top}/raddb\n"))
                .replace("\nrun_dir = ${localstatedir}/run/${name}\n", &format!("\nrun_dir = {top}/run\n"))
        });
        stock.edit("sites-available/default", |text| {
            let text = text
                .replace("\tipaddr = *\n", "\tipaddr = 127.0.0.1\n")
                .replace("\tipv6addr = ::\t", "\tipv6addr = ::1\t");
            let text = text.replace("\tipv6addr = ::\n", "\tipv6addr = ::1\n");
            let mut ports = [auth, acct, auth, acct].into_iter();
            let port = |line: &str| match line.trim() {
                "port = 0" => format!("\tport = {}\n", ports.next().expect("the stock site has four listeners")),
                _ => format!("{line}\n"),
            };
            text.lines().map(port).collect()
        });
        stock.edit("sites-available/inner-tunnel", |text| {
            text.replace("port = 18120", &format!("port = {}", free_udp_port()))
        });
        stock.edit("mods-config/files/authorize", |text| text + BOB);
        stock
    }

    /// FreeRADIUS's directory.
    pub fn raddb(&self) -> PathBuf {
        self.path("raddb")
    }

    /// Where the spool is.
    pub fn spool(&self) -> PathBuf {
        self.path("log/radacct/radhook")
    }

    /// Where Access-Requests go.
    pub fn auth(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.auth).into()
    }

    /// Where Accounting-Requests go.
    pub fn acct(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.acct).into()
    }

    /// Starts the server and waits until it serves.
    pub fn start(&self) -> Process {
        let mut command = Command::new("/usr/sbin/freeradius");
        command.arg("-f").args(["-l", "stdout", "-d"]).arg(self.raddb());
        let process = Process::start("freeradius", &mut command);
        process.wait_until_line("that it is ready", |line| line.contains("Ready to process requests"));
        process
    }

    /// Edits one of its files as an administrator would.
    pub fn edit(&self, path: &str, edit: impl FnOnce(String) -> String) {
        let path = self.raddb().join(path);
        let text = fs::read_to_string(&path).expect("the stock file is there");
        let edited = edit(text.clone());
        assert_ne!(edited, text, "{} is not as it was in 3.2.1", path.display());
        fs::write(&path, edited).expect("it can be written");
    }

    /// Everything in the directory.
    pub fn snapshot(&self) -> BTreeMap<PathBuf, Entry> {
        let mut entries = BTreeMap::new();
        let mut waiting = vec![self.raddb()];
        while let Some(path) = waiting.pop() {
            let meta = fs::symlink_metadata(&path).expect("it is there");
            let content = if meta.is_dir() {
                waiting.extend(fs::read_dir(&path).expect("it reads").map(|entry| entry.expect("it reads").path()));
                Vec::new()
            } else if meta.is_symlink() {
                fs::read_link(&path).expect("it reads").into_os_string().into_encoded_bytes()
            } else {
                fs::read(&path).expect("it reads")
            };
            entries.insert(path, (content, meta.mode(), meta.uid(), meta.gid()));
        }
        entries
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn give(&self, path: &Path) {
        let user = User::from_name(USER).expect("users can be asked for").expect("the package has made its user");
        chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("root may");
    }
}
