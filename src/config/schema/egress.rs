//! `[egress]`.

use std::sync::Arc;

use ipnet::IpNet;
use reqwest::Url;

use super::client::network;
use super::url::address;
use crate::config::reader::{Reader, Scope};
use crate::config::tree::Node;
use crate::config::value::{list, parsed};
use crate::deliver::egress::Egress;

/// The most networks of each list; each is compared with every address that is resolved.
const MAX_NETWORKS: usize = 256;

/// Where requests may go; everywhere but where they never may, unless said otherwise.
pub(super) fn options(top: &mut Reader<'_>) -> Arc<Egress> {
    let networks = |table: &mut Reader<'_>, key| {
        let network = parsed("an address or network in quotes", network);
        let networks: Vec<IpNet> = table.or(key, list("an array of networks", MAX_NETWORKS, network), Vec::new());
        networks.iter().map(IpNet::trunc).collect()
    };
    let read = |table: &mut Reader<'_>| Egress { allow: networks(table, "allow"), deny: networks(table, "deny") };
    Arc::new(top.table("egress", read).unwrap_or_default())
}

/// Refuses a URL with an address in it that requests may not go to; names are judged when they are resolved.
pub(super) fn judge(scope: &Scope<'_>, egress: &Egress, url: &Url, node: &Node) {
    if let Some(address) = address(url)
        && let Some(why) = egress.refusal(address)
    {
        let what = format!("`{}` leads to {address}: {why}", node.key);
        scope.problem(node.place, what, "requests never go there".to_owned());
    }
}
