//! `eapol_test` of package eapoltest: hostapd's own supplicant and NAS, for logins by EAP.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use super::freeradius::command;
use super::freeradius_auth::{PASSWORD, SERVER_NAME, USER};
use super::process::{Process, Stream};

/// How a user proves who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eap {
    /// A password, by challenge.
    Md5,
    /// A password inside a tunnel. Outside the user is `anon`.
    Peap,
    /// A certificate.
    Tls,
}

/// One login, seen from the supplicant.
#[derive(Debug)]
pub struct Login {
    /// Whether it let the user in, and the keys of both sides agreed.
    pub succeeded: bool,
    /// What the server answered, in order: the packets' codes.
    pub replies: Vec<u8>,
    /// The last reply's attributes: type and length of each, in order.
    pub attributes: Vec<(u8, usize)>,
    /// The MPPE keys that the accept carried, in hex without spaces.
    pub keys: Vec<String>,
    /// The EAP-Message attributes of both sides, in hex; those that hold more than a header.
    pub eap_messages: Vec<String>,
    /// The Vendor-Specific attributes of the replies, in hex: the MPPE keys as they go over the wire.
    pub vendor_specific: Vec<String>,
    /// All it printed.
    pub output: String,
}

/// EAP-Messages shorter than this (in hex) hold a header and a little: they look like any other number.
const TELLING: usize = 32;

/// Access-Challenge.
pub const CHALLENGE: u8 = 11;
/// Access-Accept.
pub const ACCEPT: u8 = 2;
/// Access-Reject.
pub const REJECT: u8 = 3;

impl Login {
    /// Logs [`USER`] in by these means at a server, whose authority's certificate lies in `certificates`.
    pub fn new(eap: Eap, server: SocketAddr, secret: &str, certificates: &Path) -> Self {
        Self::with_password(eap, server, secret, certificates, PASSWORD)
    }

    /// As [`Login::new`], by a NAS with this address.
    pub fn by_nas(nas: Ipv4Addr, eap: Eap, server: SocketAddr, secret: &str, certificates: &Path) -> Self {
        Self::run(eap, server, secret, certificates, PASSWORD, &["-A", &nas.to_string()])
    }

    /// As [`Login::new`], with another password than the right one.
    pub fn with_password(eap: Eap, server: SocketAddr, secret: &str, certificates: &Path, password: &str) -> Self {
        Self::run(eap, server, secret, certificates, password, &[])
    }

    fn run(eap: Eap, server: SocketAddr, secret: &str, certificates: &Path, password: &str, more: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let at = |name: &str| certificates.join(name).display().to_string();
        let checks = format!("ca_cert=\"{}\"\ndomain_match=\"{SERVER_NAME}\"", at("ca.pem"));
        let network = match eap {
            Eap::Md5 => format!("eap=MD5\nidentity=\"{USER}\"\npassword=\"{password}\""),
            Eap::Peap => format!(
                "eap=PEAP\nanonymous_identity=\"anon\"\nidentity=\"{USER}\"\npassword=\"{password}\"\n{checks}\n\
                 phase2=\"auth=MSCHAPV2\""
            ),
            Eap::Tls => format!(
                "eap=TLS\nidentity=\"{USER}\"\n{checks}\nclient_cert=\"{}\"\nprivate_key=\"{}\"",
                at("client.pem"),
                at("client.key")
            ),
        };
        // With plain IEEE8021X it would look for keys of MD5, too, which has none.
        let network = format!("network={{\nkey_mgmt=IEEE8021X\neapol_flags=0\n{network}\n}}\n");
        let config = directory.path().join("network.conf");
        fs::write(&config, network).expect("a file can be written");
        let (address, port) = (server.ip().to_string(), server.port().to_string());
        let mut arguments = vec!["-a", &address, "-p", &port, "-s", secret, "-M", "02:1a:00:00:00:07", "-t", "30"];
        if eap == Eap::Md5 {
            arguments.push("-n");
        }
        let mut command = command("eapol_test");
        command.args(arguments).args(more).arg("-c").arg(config);
        let mut process = Process::start("eapol_test", &mut command);
        let succeeded = process.wait_until_exit().success();
        Self::read(succeeded, &process.lines(Stream::Stdout), process.transcript())
    }

    fn read(succeeded: bool, lines: &[String], output: String) -> Self {
        let mut login = Self {
            succeeded,
            replies: Vec::new(),
            attributes: Vec::new(),
            keys: Vec::new(),
            eap_messages: Vec::new(),
            vendor_specific: Vec::new(),
            output,
        };
        let mut attribute = 0_u8;
        let mut received = false;
        for line in lines {
            if line.starts_with("Received RADIUS message") {
                received = true;
            } else if let Some(rest) = line.strip_prefix("RADIUS message: code=") {
                if received {
                    login.replies.push(number(rest));
                    login.attributes.clear();
                }
            } else if let Some(rest) = line.trim_start().strip_prefix("Attribute ") {
                attribute = number(rest);
                if received {
                    let length = rest.split("length=").nth(1).expect("every attribute has its length");
                    login.attributes.push((attribute, number(length)));
                }
            } else if let Some(value) = line.trim_start().strip_prefix("Value: ") {
                match attribute {
                    79 if value.len() >= TELLING => login.eap_messages.push(value.to_owned()),
                    26 => login.vendor_specific.push(value.to_owned()),
                    _ => {}
                }
            } else if line.starts_with("MS-MPPE-") {
                let hex = line.rsplit(": ").next().unwrap_or_default();
                login.keys.push(hex.replace(' ', ""));
            } else if line.starts_with("Sending RADIUS message") {
                received = false;
            }
        }
        login
    }

    /// How many challenges it was given.
    pub fn challenges(&self) -> usize {
        self.replies.iter().filter(|code| **code == CHALLENGE).count()
    }
}

/// The number that a text begins with.
fn number<T: std::str::FromStr>(text: &str) -> T {
    let digits = text.split(|character: char| !character.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or_else(|_| panic!("no number: {text}"))
}
