//! `[[client]]`.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::{IpNet, Ipv6Net};

use crate::config::reader::{Claims, Reader, Scope, shown};
use crate::config::secret::secret;
use crate::config::tree::Place;
use crate::config::units::Complaint;
use crate::config::value::{flag, name, one_of, parsed};
use crate::secret::Secret;
use crate::source::client::{Client, Requirement};

/// The most clients. Each packet's client is looked up among them one by one; whoever has more writes networks.
const MAX_CLIENTS: usize = 10_000;

/// RFC 2865 §3 asks for 16 octets at least; below 8 a captured packet gives the secret away in minutes.
const SHORT_SECRET: usize = 8;

/// The secret in every RADIUS tutorial.
const TUTORIAL_SECRET: &[u8] = b"testing123";

const REQUIREMENTS: &[(&str, Requirement)] =
    &[("auto", Requirement::Auto), ("yes", Requirement::Yes), ("no", Requirement::No)];

/// All clients; `None` where there is no such table.
pub(super) fn clients(top: &mut Reader<'_>) -> Option<Vec<Client>> {
    let (mut names, mut networks) = (Claims::new(), Claims::new());
    top.tables("client", MAX_CLIENTS, |table| {
        let network = table.required("address", "\"127.0.0.1\"", parsed("an address or network in quotes", network));
        let nas_type = table.optional("nas_type", name).map(|vendor| vendor.to_string());
        let name = table.optional("name", name).or_else(|| network.map(|network| bare(network).into()));
        let secret = table.required("secret", "{ file = \"secret\" }", secret);
        let message_authenticator =
            table.or("require_message_authenticator", one_of(REQUIREMENTS), Requirement::default());
        let swap_octets = table.or("swap_octets", flag, false);

        let scope = table.scope();
        if let Some(secret) = &secret {
            judge(scope, secret, table.place_of("secret"));
        }
        if let Some(name) = &name {
            let taken = |name: &Arc<str>| format!("another client is called \"{}\"", shown(name));
            names.claim(scope, name.clone(), table.place_of("name"), taken);
        }
        if let Some(network) = network {
            let place = table.place_of("address");
            if network != network.trunc() {
                let what = format!("`address` is {network}, which means all of {}", network.trunc());
                scope.warn(place, what, format!("write {} for the one address", network.addr()));
            }
            let taken = |network: &IpNet| format!("another client has the address {}", bare(*network));
            networks.claim(scope, network.trunc(), place, taken);
        }
        let network = network?.trunc();
        Some(Client { name: name?, network, secret: secret?, message_authenticator, swap_octets, nas_type })
    })
}

/// An address, or a network in CIDR notation.
pub(super) fn network(text: &str) -> Result<IpNet, Complaint> {
    let network = match (text.parse::<IpAddr>(), text.parse::<IpNet>()) {
        (Ok(address), _) => IpNet::from(address),
        (_, Ok(network)) => network,
        _ => {
            return Err(Complaint::new(
                "which is neither an address nor a network",
                "write it like \"10.1.2.3\", \"10.0.0.0/8\" or \"2001:db8::/32\"; names are not looked up",
            ));
        }
    };
    match network {
        IpNet::V6(v6) if mapped(&v6) => {
            let help = "write the IPv4 address itself; packets are looked up by it on every socket";
            Err(Complaint::new("which is IPv4 within IPv6", help))
        }
        network => Ok(network),
    }
}

fn mapped(network: &Ipv6Net) -> bool {
    network.prefix_len() >= 96 && network.addr().to_ipv4_mapped().is_some()
}

/// A network without the prefix length of a single address.
fn bare(network: IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() { network.addr().to_string() } else { network.to_string() }
}

/// Warns about a secret that protects little.
fn judge(scope: &Scope<'_>, secret: &Secret, place: Place) {
    let length = secret.expose().len();
    let help = "use 16 or more random characters, on both sides".to_owned();
    if secret.expose() == TUTORIAL_SECRET {
        scope.warn(place, "this secret stands in every RADIUS tutorial", help);
    } else if length < SHORT_SECRET {
        scope.warn(place, format!("this secret has only {length} bytes"), help);
    }
}
