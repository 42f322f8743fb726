//! A real FreeRADIUS that takes logins: PAP, CHAP, MS-CHAP, EAP-MD5, PEAP-MSCHAPv2 and EAP-TLS, with certificates of its
//! own, beside accounting and CoA.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tempfile::TempDir;

use super::free_udp_port;
use super::freeradius::{NAS_SECRET, PORT_TRIES, command, start_in, write_template};
use super::process::{Process, Stream};

/// The one user who may.
pub const USER: &str = "alice";

/// Her password: a word that stands nowhere else, so that it can be searched for.
pub const PASSWORD: &str = "w0nderland-Qx7";

/// The name in the server's certificate.
pub const SERVER_NAME: &str = "radius.example.org";

/// A running FreeRADIUS; ended when dropped.
pub struct AuthServer {
    process: Process,
    directory: TempDir,
    ports: Ports,
    options: AuthOptions,
    frozen: bool,
}

/// What is not as it is for most tests. Texts are in FreeRADIUS's own language.
#[derive(Debug, Clone)]
pub struct AuthOptions {
    /// Where it listens.
    pub address: Ipv4Addr,
    /// The network namespace it runs in.
    pub namespace: Option<String>,
    /// The largest piece of a certificate chain that is sent at once. 800 makes PEAP ten requests and nine challenges.
    pub fragment_size: u16,
    /// More attributes for its dictionary.
    pub dictionary: String,
    /// Further `client`s beside 127.0.0.1, and other servers.
    pub servers: String,
    /// Further modules.
    pub modules: String,
    /// First in `authorize`.
    pub authorize: String,
    /// In `post-auth`, for accepts.
    pub post_auth: String,
    /// In `Post-Auth-Type REJECT`.
    pub reject: String,
    /// In `Post-Auth-Type Challenge`.
    pub challenge: String,
    /// In `preacct`.
    pub preacct: String,
    /// In `accounting`.
    pub accounting: String,
}

impl Default for AuthOptions {
    fn default() -> Self {
        let none = String::new;
        Self {
            address: Ipv4Addr::LOCALHOST,
            namespace: None,
            fragment_size: 800,
            dictionary: none(),
            servers: none(),
            modules: none(),
            authorize: none(),
            post_auth: none(),
            reject: none(),
            challenge: none(),
            preacct: none(),
            accounting: none(),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    auth: u16,
    acct: u16,
    coa: u16,
}

impl AuthServer {
    /// Starts one on free ports of 127.0.0.1 and waits until it serves.
    pub fn start() -> Self {
        Self::start_with(AuthOptions::default())
    }

    /// As [`AuthServer::start`], with what a test wants otherwise.
    pub fn start_with(options: AuthOptions) -> Self {
        for _ in 0..PORT_TRIES {
            let directory = tempfile::tempdir().expect("a temporary directory can be made");
            let ports = Ports { auth: free_udp_port(), acct: free_udp_port(), coa: free_udp_port() };
            write_config(directory.path(), ports, &options);
            if let Some(process) = start_in(directory.path(), program(&options)) {
                return Self { process, directory, ports, options, frozen: false };
            }
        }
        panic!("{PORT_TRIES} times a port was taken before freeradius could bind it");
    }

    /// Starts again after [`AuthServer::stop`], on the same ports.
    pub fn start_again(&mut self) {
        self.process = start_in(self.directory.path(), program(&self.options)).expect("its ports are still its own");
    }

    /// Ends it; its ports are closed.
    pub fn stop(&mut self) {
        self.process.terminate();
    }

    /// Stops it where it stands: its ports stay open, and nobody answers.
    pub fn freeze(&mut self) {
        self.frozen = true;
        self.process.signal(Signal::SIGSTOP);
    }

    /// Lets it go on after [`AuthServer::freeze`].
    pub fn thaw(&mut self) {
        if std::mem::take(&mut self.frozen) {
            self.process.signal(Signal::SIGCONT);
        }
    }

    /// Where it takes logins, under [`NAS_SECRET`] as everywhere.
    pub fn auth(&self) -> SocketAddr {
        (self.options.address, self.ports.auth).into()
    }

    /// Where it takes accounting.
    pub fn acct(&self) -> SocketAddr {
        (self.options.address, self.ports.acct).into()
    }

    /// Where it takes CoA and Disconnect, as a NAS does.
    pub fn coa(&self) -> SocketAddr {
        (self.options.address, self.ports.coa).into()
    }

    /// Where `ca.pem`, `client.pem` and `client.key` lie.
    pub fn certificates(&self) -> PathBuf {
        self.directory.path().join("certificates")
    }

    /// Where its modules may keep detail files.
    pub fn radacct(&self) -> PathBuf {
        self.directory.path().join("radacct")
    }

    /// Its log so far.
    pub fn log(&self) -> Vec<String> {
        self.process.lines(Stream::Stdout)
    }

    /// Waits until its log holds a line with `text`, and returns the first such line.
    pub fn wait_until_log(&self, text: &str) -> String {
        self.process.wait_until_line(&format!("{text:?}"), |line| line.contains(text))
    }
}

impl Drop for AuthServer {
    fn drop(&mut self) {
        // A process that is stopped does not hear SIGTERM.
        self.thaw();
    }
}

fn program(options: &AuthOptions) -> std::process::Command {
    match &options.namespace {
        None => command("freeradius"),
        Some(namespace) => {
            let mut command = command("ip");
            command.args(["netns", "exec", namespace, "freeradius"]);
            command
        }
    }
}

fn write_config(directory: &Path, ports: Ports, options: &AuthOptions) {
    let [auth, acct, coa] = [ports.auth, ports.acct, ports.coa].map(|port| port.to_string());
    let (address, fragment_size) = (options.address.to_string(), options.fragment_size.to_string());
    let words = [
        ("@address@", address.as_str()),
        ("@auth_port@", &auth),
        ("@acct_port@", &acct),
        ("@coa_port@", &coa),
        ("@nas_secret@", NAS_SECRET),
        ("@password@", PASSWORD),
        ("@fragment_size@", &fragment_size),
        ("@servers@", &options.servers),
        ("@modules@", &options.modules),
        ("@authorize@", &options.authorize),
        ("@post_auth@", &options.post_auth),
        ("@reject@", &options.reject),
        ("@challenge@", &options.challenge),
        ("@preacct@", &options.preacct),
        ("@accounting@", &options.accounting),
    ];
    write_template(directory, "auth.conf", "variant.conf", &words);
    write_template(directory, "radiusd.conf", "radiusd.conf", &words);
    write_template(directory, "users", "users", &words);
    fs::write(directory.join("dictionary"), &options.dictionary).expect("the dictionary can be written");
    write_certificates(&directory.join("certificates"));
}

/// An authority of this server's own, and what it has signed for the server and for one user.
fn write_certificates(directory: &Path) {
    let key = || KeyPair::generate().expect("a key can be made");
    let params = |name: &str, names: &[&str]| {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("these are names");
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let mut authority = params("radhook's tests", &[]);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, key()).expect("it can sign itself");
    fs::create_dir(directory).expect("a directory can be made");
    let write = |name: &str, text: &str| fs::write(directory.join(name), text).expect("a file can be written");
    write("ca.pem", &authority.pem());
    for (name, subject, names, usage) in [
        ("server", SERVER_NAME, vec![SERVER_NAME], ExtendedKeyUsagePurpose::ServerAuth),
        ("client", USER, vec![], ExtendedKeyUsagePurpose::ClientAuth),
    ] {
        let (key, mut params) = (key(), params(subject, &names));
        params.extended_key_usages = vec![usage];
        let certificate = params.signed_by(&key, &authority).expect("the authority signs");
        write(&format!("{name}.pem"), &certificate.pem());
        write(&format!("{name}.key"), &key.serialize_pem());
    }
}
