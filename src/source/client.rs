//! Who may send RADIUS: `[[client]]`, as in clients.conf. The longest prefix wins.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::secret::Secret;

/// One `[[client]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Client {
    /// Its name in events, logs and metrics.
    pub name: Arc<str>,
    /// The addresses it sends from.
    pub network: IpNet,
    /// The shared secret (RFC 2865 §3).
    pub secret: Secret,
    /// What is asked of Message-Authenticator (RFC 3579 §3.2; CVE-2024-3596).
    pub message_authenticator: Requirement,
    /// Its input and output counters stand the wrong way round.
    pub swap_octets: bool,
    /// A hint which vendor's habits to expect.
    pub nas_type: Option<String>,
}

/// `require_message_authenticator`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Requirement {
    /// Verified where present. Of Access-Requests also required once a client has sent it (CVE-2024-3596); an
    /// Accounting-Request is covered by its Request Authenticator, and FreeRADIUS proxies it without.
    #[default]
    Auto,
    /// Packets without it are dropped.
    Yes,
    /// Verified where present, never required.
    No,
}

/// All clients, looked up by source address.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Clients {
    /// Longest prefix first, so that the first match is the right one.
    by_length: Vec<Arc<Client>>,
}

impl Clients {
    /// Takes the configured clients in any order.
    pub fn new(clients: Vec<Client>) -> Self {
        let mut by_length: Vec<_> = clients.into_iter().map(Arc::new).collect();
        by_length.sort_by_key(|client| std::cmp::Reverse(client.network.prefix_len()));
        Self { by_length }
    }

    /// The client with the longest prefix that holds `address`. An IPv4 address that arrived on an IPv6 socket
    /// (`::ffff:192.0.2.1`) is looked up as IPv4.
    pub fn lookup(&self, address: IpAddr) -> Option<&Arc<Client>> {
        let address = address.to_canonical();
        self.by_length.iter().find(|client| client.network.contains(&address))
    }

    /// All of them, longest prefix first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.by_length.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(name: &str, network: &str) -> Client {
        Client {
            name: name.into(),
            network: network.parse().unwrap(),
            secret: Secret::new("s"),
            message_authenticator: Requirement::Auto,
            swap_octets: false,
            nas_type: None,
        }
    }

    #[test]
    fn the_longest_prefix_wins_in_both_families() {
        let clients = Clients::new(vec![
            client("everyone", "0.0.0.0/0"),
            client("campus", "10.0.0.0/8"),
            client("one", "10.1.2.3/32"),
            client("v6", "2001:db8::/32"),
        ]);
        let name = |address: &str| clients.lookup(address.parse().unwrap()).map(|client| client.name.to_string());
        assert_eq!(name("10.1.2.3").as_deref(), Some("one"));
        assert_eq!(name("10.1.2.4").as_deref(), Some("campus"));
        assert_eq!(name("192.0.2.1").as_deref(), Some("everyone"));
        assert_eq!(name("::ffff:10.1.2.3").as_deref(), Some("one"));
        assert_eq!(name("2001:db8::1").as_deref(), Some("v6"));
        assert_eq!(name("2001:db9::1"), None);
    }
}
