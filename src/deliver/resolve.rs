//! Names to addresses, without those that no request may go to: checked after resolution, so that no name leads there.

use std::io;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::egress::refusal;

/// The system's resolver, without the addresses that are refused.
#[derive(Debug, Clone, Copy)]
pub struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let all: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let refused = all.iter().find_map(|address| refusal(address.ip()).map(|why| (address.ip(), why)));
            let allowed: Vec<SocketAddr> = all.into_iter().filter(|address| refusal(address.ip()).is_none()).collect();
            match refused {
                Some((address, why)) if allowed.is_empty() => {
                    let what = format!("{} resolves to {address}, which is refused: {why}", name.as_str());
                    Err(io::Error::new(io::ErrorKind::PermissionDenied, what).into())
                }
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}
