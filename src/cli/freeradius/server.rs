//! What FreeRADIUS's own configuration says of where it listens, and of the secret for its own host.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context as _, anyhow};

use super::change::content;
use super::sections::{self, Section};
use crate::secret::Secret;

/// RFC 2865 §3 and RFC 2866 §3: what port 0 stands for.
const PORTS: [(&str, u16); 2] = [("auth", 1812), ("acct", 1813)];

/// Where a FreeRADIUS takes packets from its own host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Access-Requests.
    pub auth: SocketAddr,
    /// Accounting-Requests.
    pub acct: SocketAddr,
}

impl Server {
    /// Where a site listens; what it does not say is loopback and RADIUS's own ports.
    pub fn read(directory: &Path, site: &str) -> anyhow::Result<Self> {
        let whole = read(&directory.join("sites-enabled").join(site))?;
        let [auth, acct] = PORTS.map(|(kind, port)| {
            let mut sections = whole.sections.iter().flat_map(|server| &server.sections);
            let listen = sections.find(|section| section.is(&["listen"]) && section.setting("type") == Some(kind));
            listen.map_or((Ipv4Addr::LOCALHOST, port).into(), |listen| address(listen, port))
        });
        Ok(Self { auth, acct })
    }
}

/// Where a `listen` section is reached from its own host.
fn address(listen: &Section, default: u16) -> SocketAddr {
    let port = listen.setting("port").and_then(|port| port.parse().ok()).filter(|port| *port != 0);
    let address = ["ipaddr", "ipv4addr", "ipv6addr"].into_iter().find_map(|key| listen.setting(key)?.parse().ok());
    let address = address.filter(|address: &IpAddr| !address.is_unspecified()).unwrap_or(Ipv4Addr::LOCALHOST.into());
    SocketAddr::new(address, port.unwrap_or(default))
}

/// The secret in clients.conf for the host itself.
pub fn local_secret(directory: &Path) -> anyhow::Result<Secret> {
    let path = directory.join("clients.conf");
    let whole = read(&path)?;
    let is_local = |client: &&Section| {
        client.words.first().is_some_and(|word| word == "client")
            && ["ipaddr", "ipv4addr"].into_iter().any(|key| client.setting(key) == Some("127.0.0.1"))
    };
    let secret = whole.sections.iter().find(is_local).and_then(|client| client.setting("secret"));
    secret
        .map(Secret::new)
        .ok_or_else(|| anyhow!("{} names no client 127.0.0.1: give the secret by --secret-file", path.display()))
}

fn read(path: &Path) -> anyhow::Result<Section> {
    let text = content(path)?.ok_or_else(|| anyhow!("there is no {}", path.display()))?;
    sections::parse(&text).with_context(|| path.display().to_string())
}
