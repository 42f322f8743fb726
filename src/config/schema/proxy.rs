//! `proxy` of an `[[endpoint]]`.

use reqwest::Url;

use super::auth::username;
use super::egress::judge;
use super::url::{stays_here, url};
use crate::config::reader::{Reader, Scope};
use crate::config::secret::secret;
use crate::config::tree::{Node, Place, Value};
use crate::config::value::parsed;
use crate::deliver::egress::Egress;
use crate::deliver::options::{AuthOptions, ProxyOptions};

/// A URL, or a table with credentials too; `None` also where a problem was noted.
pub(super) fn proxy(table: &mut Reader<'_>, egress: &Egress) -> Option<ProxyOptions> {
    let node = table.node("proxy")?;
    if let Value::Text(_) = node.value {
        return Some(ProxyOptions { url: address(table.scope(), node, egress)?, credentials: None });
    }
    let of_table = |table: &mut Reader<'_>| {
        let url = table.required("url", "\"http://proxy.example.com:3128\"", |scope: &Scope<'_>, node: &Node| {
            address(scope, node, egress)
        });
        let user = table.optional("username", parsed("a user's name in quotes", username));
        let password = table.optional("password", secret);
        let credentials = match (user, password) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            (Some(_), None) if table.has("password") => None,
            (None, Some(_)) if table.has("username") => None,
            (user, _) => {
                let (given, missing) = if user.is_some() { ("username", "password") } else { ("password", "username") };
                let what = format!("`proxy` has a {given} and no {missing}");
                table.scope().problem(table.place_of(given), what, format!("add {missing}"));
                None
            }
        };
        Some(ProxyOptions { url: url?, credentials })
    };
    table.table("proxy", of_table).flatten()
}

/// Where the proxy is: scheme, host and port, and nothing else.
fn address(scope: &Scope<'_>, node: &Node, egress: &Egress) -> Option<Url> {
    let proxy = url(scope, node)?;
    if !proxy.username().is_empty() || proxy.password().is_some() {
        return None;
    }
    judge(scope, egress, &proxy, node);
    if proxy.path() != "/" || proxy.query().is_some() {
        let help = "write scheme, host and port: \"http://proxy.example.com:3128\"".to_owned();
        scope.problem(node.place, format!("`{}` of a proxy has a path", node.key), help);
        return None;
    }
    Some(proxy)
}

/// Whether what is sent to this URL stays on the host, on its way too.
pub(super) fn stays_here_by(url: &Url, proxy: Option<&ProxyOptions>) -> bool {
    stays_here(url) && proxy.is_none_or(|proxy| stays_here(&proxy.url))
}

/// A token's URL may be `http` on this host; by a proxy elsewhere the password would leave it.
pub(super) fn judge_token(scope: &Scope<'_>, auth: Option<&AuthOptions>, proxy: Option<&ProxyOptions>, place: Place) {
    let url = match auth {
        Some(AuthOptions::Token(options)) => &options.url,
        Some(AuthOptions::OAuth2(options)) => &options.url,
        _ => return,
    };
    if url.scheme() == "http" && stays_here(url) && !stays_here_by(url, proxy) {
        let what = "`auth` asks for its token by http, which the proxy would see with its password";
        scope.problem(place, what, "use https".to_owned());
    }
}
