//! Names to addresses, without those that no request may go to: checked after resolution, so that no name leads there.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::egress::Egress;

/// The system's resolver, without the addresses that are refused.
#[derive(Debug, Clone)]
pub struct Resolver(pub Arc<Egress>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let egress = Arc::clone(&self.0);
        Box::pin(async move {
            let all: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let refused = all.iter().find_map(|address| egress.refusal(address.ip()).map(|why| (address.ip(), why)));
            let allowed: Vec<SocketAddr> =
                all.into_iter().filter(|address| egress.refusal(address.ip()).is_none()).collect();
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
