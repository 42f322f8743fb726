//! Where FreeRADIUS finds radhook, out of radhook's config.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context as _, anyhow, bail};
use rand::Rng as _;
use rand::distr::Alphanumeric;

use super::dropins::{Target, Way};
use crate::config::Peers;
use crate::listen::Address;
use crate::secret::Secret;
use crate::source::SourceOptions;
use crate::source::client::Client;

/// Letters and digits of a made-up secret: so many hold as much as 32 random octets.
const SECRET_LENGTH: usize = 43;

/// Which of radhook's addresses and clients are meant.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct TargetArgs {
    /// The source FreeRADIUS sends to [default: the first of type "accounting"]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// The address and port under which FreeRADIUS reaches that source, where it is another host
    #[arg(long, value_name = "ADDRESS:PORT")]
    to: Option<SocketAddr>,
    /// The [[client]] that FreeRADIUS is to radhook [default: the one of the address it sends from]
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
}

/// What FreeRADIUS is to be told, and what has to be written on radhook's side first.
pub struct Meant {
    /// Where radhook is.
    pub target: Target,
    /// The file of the shared secret, where it does not exist yet.
    pub new_secret: Option<PathBuf>,
}

/// Makes up a secret: letters and digits, which no file has to quote.
pub fn invent() -> Secret {
    Secret::new(rand::rng().sample_iter(Alphanumeric).take(SECRET_LENGTH).collect::<Vec<u8>>())
}

impl TargetArgs {
    /// What is meant, or what is missing in the config.
    pub fn find(&self, peers: &Peers, way: Way) -> anyhow::Result<Meant> {
        let rest = peers.sources.iter().find_map(local_tcp);
        if way == Way::Rest {
            let rest = rest.ok_or_else(|| {
                anyhow!(
                    "rlm_rest posts over TCP: add a [[source]] with type = \"local\" and listen = \"127.0.0.1:8464\""
                )
            })?;
            // Nothing of it is a home server.
            let target = Target { home: rest, secret: Secret::new([]), rest: Some(rest) };
            return Ok(Meant { target, new_secret: None });
        }
        let home = match self.to {
            Some(to) => to,
            None => self.listen(peers)?,
        };
        let client = self.client(peers, home.ip())?;
        let invented = peers.invented.iter().find(|(_, secret)| *secret == client.secret);
        judge(client)?;
        let target = Target { home, secret: client.secret.clone(), rest };
        Ok(Meant { target, new_secret: invented.map(|(path, _)| path.clone()) })
    }

    fn listen(&self, peers: &Peers) -> anyhow::Result<SocketAddr> {
        let meant = |source: &&SourceOptions| self.source.as_ref().is_none_or(|name| **name == **source.name());
        let listen = peers.sources.iter().filter(meant).find_map(|source| match source {
            SourceOptions::Accounting(options) => options.listen.first(),
            _ => None,
        });
        let listen = *listen.ok_or_else(|| match &self.source {
            Some(name) => anyhow!("there is no [[source]] of type \"accounting\" that is called \"{name}\""),
            None => anyhow!("add a [[source]] with type = \"accounting\" and listen = \"127.0.0.1:11813\""),
        })?;
        if listen.port() == 0 {
            bail!("the source listens on a port that changes with every start: write its `listen` with a port");
        }
        Ok(match listen.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), listen.port()),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), listen.port()),
            _ => listen,
        })
    }

    /// On one host, packets come from the address that they go to.
    fn client<'a>(&self, peers: &'a Peers, from: IpAddr) -> anyhow::Result<&'a Client> {
        let all: Vec<&Client> = peers.clients.iter().map(|client| &**client).collect();
        if let Some(name) = &self.client {
            let found = all.into_iter().find(|client| *client.name == **name);
            return found.ok_or_else(|| anyhow!("there is no [[client]] that is called \"{name}\""));
        }
        match (peers.clients.lookup(from), all.as_slice()) {
            (Some(client), _) => Ok(client),
            (None, [only]) if self.to.is_some() => Ok(only),
            _ => Err(anyhow!(
                "no [[client]] has the address {from}, from which FreeRADIUS would send: add one, or name one by --client"
            )),
        }
    }
}

/// FreeRADIUS expands and ends strings at some characters, each version in its own way: none of them is let through.
fn judge(client: &Client) -> anyhow::Result<()> {
    let odd = |octet: &u8| !octet.is_ascii_graphic() || br#""'`\$%{}"#.contains(octet);
    match client.secret.expose().iter().any(odd) {
        false => Ok(()),
        true => Err(anyhow!("FreeRADIUS would not read the secret of [[client]] \"{}\" as it is", client.name))
            .context("make it of letters, digits and signs other than \" ' ` \\ $ % { }"),
    }
}

fn local_tcp(source: &SourceOptions) -> Option<SocketAddr> {
    let SourceOptions::Local(options) = source else { return None };
    options.listen.iter().find_map(|address| match address {
        Address::Tcp(address) => Some(*address),
        Address::Unix(_) => None,
    })
}

/// Where the relays of the config pass packets on to: in the order of the config, each with where it listens.
pub fn relays(peers: &Peers) -> Vec<(SocketAddr, SocketAddr)> {
    let relay = |source: &SourceOptions| match source {
        SourceOptions::Relay(options) => Some((*options.listen.first()?, *options.upstream.first()?)),
        _ => None,
    };
    peers.sources.iter().filter_map(relay).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::source::client::{Clients, Requirement};
    use crate::source::{AccountingOptions, LocalOptions};

    fn peers(listen: &str, client: &str, secret: &str) -> Peers {
        let client = Client {
            name: "freeradius".into(),
            network: client.parse().unwrap(),
            secret: Secret::new(secret),
            message_authenticator: Requirement::Auto,
            swap_octets: false,
            nas_type: None,
        };
        let accounting = AccountingOptions { name: "acct".into(), listen: vec![listen.parse().unwrap()] };
        let local = LocalOptions { name: Arc::from("local"), listen: vec![Address::Unix("/run/x".into())] };
        Peers {
            clients: Clients::new(vec![client]),
            sources: vec![SourceOptions::Local(local), SourceOptions::Accounting(accounting)],
            invented: Vec::new(),
        }
    }

    fn found(peers: &Peers, args: &TargetArgs, way: Way) -> String {
        match args.find(peers, way) {
            Ok(meant) => meant.target.home.to_string(),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn freeradius_on_the_same_host_is_sent_to_loopback_where_radhook_listens_everywhere() {
        let args = TargetArgs::default();
        assert_eq!(found(&peers("0.0.0.0:1813", "127.0.0.1/32", "s"), &args, Way::Spool), "127.0.0.1:1813");
        assert_eq!(found(&peers("[::]:1813", "::1/128", "s"), &args, Way::Spool), "[::1]:1813");
        assert_eq!(found(&peers("10.0.0.5:1813", "10.0.0.0/8", "s"), &args, Way::Proxy), "10.0.0.5:1813");
    }

    #[test]
    fn what_is_missing_in_the_config_is_told() {
        let args = TargetArgs::default();
        let told = |listen: &str, client: &str, secret: &str, args: &TargetArgs, way| {
            found(&peers(listen, client, secret), args, way)
        };
        assert!(
            told("127.0.0.1:1813", "10.0.0.1/32", "s", &args, Way::Spool)
                .contains("no [[client]] has the address 127.0.0.1")
        );
        assert!(told("127.0.0.1:0", "127.0.0.1/32", "s", &args, Way::Spool).contains("changes with every start"));
        assert!(told("127.0.0.1:1", "127.0.0.1/32", "a\"b", &args, Way::Spool).contains("would not read the secret"));
        assert!(told("127.0.0.1:1", "127.0.0.1/32", "a${b", &args, Way::Spool).contains("would not read the secret"));
        assert!(told("127.0.0.1:1", "127.0.0.1/32", "s", &args, Way::Rest).contains("type = \"local\""));
        let other = TargetArgs { source: Some("other".into()), ..args.clone() };
        assert!(told("127.0.0.1:1", "127.0.0.1/32", "s", &other, Way::Spool).contains("is called \"other\""));
        let remote = TargetArgs { to: Some("192.0.2.7:1813".parse().unwrap()), ..args };
        assert_eq!(told("127.0.0.1:0", "10.0.0.1/32", "s", &remote, Way::Spool), "192.0.2.7:1813");
    }

    #[test]
    fn a_made_up_secret_is_long_and_never_the_same() {
        let (one, other) = (invent(), invent());
        assert_ne!(one, other);
        assert!(one.expose().len() == SECRET_LENGTH && one.expose().iter().all(u8::is_ascii_alphanumeric));
    }
}
