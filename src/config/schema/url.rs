//! The URL of a receiver.

use reqwest::Url;

use crate::config::reader::{Scope, shown};
use crate::config::tree::{Node, Value};
use crate::deliver::egress;

/// The longest URL, in bytes: what every server and proxy takes.
const MAX_URL: usize = 2048;

/// A URL that requests may be sent to, judged by what stands in it; what a name resolves to is judged at delivery.
/// Messages never repeat it: it may hold a password or a token.
pub(super) fn url(scope: &Scope<'_>, node: &Node) -> Option<Url> {
    let Value::Text(text) = &node.value else {
        scope.wrong_type(node, "a URL in quotes");
        return None;
    };
    let refuse = |what: String, help: &str| {
        scope.problem(
            node.place,
            format!("`{}` {what}", node.key),
            Some(help.to_owned()).filter(|help| !help.is_empty()),
        );
    };
    if text.len() > MAX_URL {
        refuse(format!("has {} bytes, and at most {MAX_URL} are allowed", text.len()), "");
        return None;
    }
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => {
            refuse(format!("is no URL: {error}"), "write it like \"https://crm.example.com/hooks/wifi\"");
            return None;
        }
    };
    if !matches!(url.scheme(), "https" | "http") {
        refuse(format!("has the scheme \"{}\"", shown(url.scheme())), "only https and http are spoken");
        return None;
    }
    if !url.username().is_empty() || url.password().is_some() {
        let help = match &*node.key {
            "proxy" => "write them apart: proxy = { url = \"…\", username = \"…\", password = { file = \"…\" } }",
            _ => "credentials belong in an Authorization header",
        };
        refuse("holds a user name or password".to_owned(), help);
    }
    if url.fragment().is_some() {
        refuse("has a fragment, which is never sent".to_owned(), "remove what begins with #");
    }
    Some(url)
}

/// Whether requests stay on this host.
pub(super) fn stays_here(url: &Url) -> bool {
    match (address(url), url.host_str()) {
        (Some(address), _) => egress::is_loopback(address),
        (None, Some(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        (None, None) => false,
    }
}

/// The address that stands in a URL in place of a name.
pub(super) fn address(url: &Url) -> Option<std::net::IpAddr> {
    let host = url.host_str()?;
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).parse().ok()
}
