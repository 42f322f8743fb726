//! `auth` of an `[[endpoint]]`.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::{HeaderValue, Method};
use reqwest::Url;

use super::egress::judge;
use super::endpoint::METHODS;
use super::headers::headers;
use super::url::{stays_here, url};
use crate::config::reader::{Reader, Scope};
use crate::config::secret::secret;
use crate::config::tree::Node;
use crate::config::units::Complaint;
use crate::config::value::{duration, one_of, parsed, path};
use crate::deliver::egress::Egress;
use crate::deliver::options::{AuthOptions, OAuth2Options, TokenOptions};
use crate::secret::Secret;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    None,
    Basic,
    Bearer,
    Token,
    OAuth2,
    Mtls,
}

const KINDS: &[(&str, Kind)] = &[
    ("none", Kind::None),
    ("basic", Kind::Basic),
    ("bearer", Kind::Bearer),
    ("token", Kind::Token),
    ("oauth2", Kind::OAuth2),
    ("mtls", Kind::Mtls),
];

/// Which keys each type knows. All of them are asked for, so that one of another type is told by its reason.
const KEYS: &[(&str, &[Kind])] = &[
    ("username", &[Kind::Basic, Kind::Token]),
    ("password", &[Kind::Basic, Kind::Token]),
    ("token", &[Kind::Bearer]),
    ("url", &[Kind::Token, Kind::OAuth2]),
    ("method", &[Kind::Token]),
    ("headers", &[Kind::Token]),
    ("body", &[Kind::Token]),
    ("content_type", &[Kind::Token]),
    ("field", &[Kind::Token]),
    ("refresh", &[Kind::Token]),
    ("client_id", &[Kind::OAuth2]),
    ("client_secret", &[Kind::OAuth2]),
    ("scope", &[Kind::OAuth2]),
    ("audience", &[Kind::OAuth2]),
    ("certificate", &[Kind::Mtls]),
    ("key", &[Kind::Mtls]),
];

/// Half an hour: what access points that fetch tokens are shipped with.
const DEFAULT_REFRESH: Duration = Duration::from_secs(30 * 60);

/// Below ten seconds tokens would be fetched all the time; beyond 30 days a fetched token is a fixed one.
const REFRESH: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(30 * 86_400);

/// The longest text of a request for a token.
const MAX_TEXT: usize = 16 * 1024;

/// How radhook shows the receiver who it is; `None` where a problem was noted.
pub(super) fn options(table: &mut Reader<'_>, egress: &Egress) -> Option<AuthOptions> {
    let kind = table.required("type", "\"bearer\"", one_of(KINDS))?;
    for (key, kinds) in KEYS {
        if table.node(key).is_some() && !kinds.contains(&kind) {
            let of = |kind: &Kind| KINDS.iter().find(|(_, known)| known == kind).map_or("", |(name, _)| name);
            let known: Vec<_> = kinds.iter().map(of).collect();
            let what = format!("`{key}` means nothing with type = \"{}\"", of(&kind));
            table.scope().problem(table.place_of(key), what, format!("it belongs to {}", known.join(" and ")));
        }
    }
    match kind {
        Kind::None => Some(AuthOptions::None),
        Kind::Basic => {
            let username = table.required("username", "\"radhook\"", parsed("a user's name in quotes", username));
            let password = table.required("password", "{ file = \"crm-password\" }", secret);
            Some(AuthOptions::Basic { username: username?, password: password? })
        }
        Kind::Bearer => {
            Some(AuthOptions::Bearer { token: table.required("token", "{ file = \"crm-token\" }", token)? })
        }
        Kind::Token => fetched(table, egress),
        Kind::OAuth2 => {
            let server = address(table, egress);
            let client_id = table.required("client_id", "\"radhook\"", parsed("a text in quotes", text));
            let client_secret = table.required("client_secret", "{ file = \"crm-client-secret\" }", secret);
            let scope = table.optional("scope", parsed("scopes separated by spaces, in quotes", text));
            let audience = table.optional("audience", parsed("a text in quotes", text));
            let (url, client_id, client_secret) = (server?, client_id?, client_secret?);
            Some(AuthOptions::OAuth2(OAuth2Options { url, client_id, client_secret, scope, audience }))
        }
        Kind::Mtls => {
            let certificate = table.required("certificate", "\"radhook.pem\"", path);
            let key = table.required("key", "\"radhook-key.pem\"", path);
            Some(AuthOptions::Mtls { certificate: certificate?, key: key? })
        }
    }
}

fn fetched(table: &mut Reader<'_>, egress: &Egress) -> Option<AuthOptions> {
    let server = address(table, egress);
    let method = table.or("method", one_of(METHODS), Method::POST);
    let headers = table.optional("headers", headers).unwrap_or_default();
    let body = table.or("body", parsed("a text in quotes", body), String::new());
    let kind = parsed("a media type in quotes", media_type);
    let content_type = table.or("content_type", kind, HeaderValue::from_static("application/json"));
    let username = table.optional("username", parsed("a user's name in quotes", text));
    let password = table.optional("password", secret);
    let field = table.required("field", "\"auth.token\"", parsed("a dotted field in quotes", text));
    let refresh = table.or("refresh", duration(REFRESH), DEFAULT_REFRESH);
    let (url, field) = (server?, field?);
    Some(AuthOptions::Token(TokenOptions {
        url,
        method,
        headers,
        body,
        content_type,
        username,
        password,
        field,
        refresh,
    }))
}

/// Where tokens come from. Passwords travel there, so that it is https or this host.
fn address(table: &mut Reader<'_>, egress: &Egress) -> Option<Url> {
    let node = table.node("url");
    let url: Url = table.required("url", "\"https://login.example.com/token\"", url)?;
    node.inspect(|node| judge(table.scope(), egress, &url, node));
    if url.scheme() == "http" && !stays_here(&url) {
        let what = "`url` is http to another host, which sends the password unencrypted";
        table.scope().problem(table.place_of("url"), what, "use https".to_owned());
        return None;
    }
    Some(url)
}

/// A bearer's token: what RFC 6750 §2.1 lets a header carry.
fn token(scope: &Scope<'_>, node: &Node) -> Option<Secret> {
    let secret = secret(scope, node)?;
    if secret.expose().iter().all(u8::is_ascii_graphic) {
        return Some(secret);
    }
    let help = "use printable ASCII without spaces; \"Bearer\" is put before it".to_owned();
    scope.problem(node.place, format!("`{}` holds characters that a token cannot have", node.key), help);
    None
}

/// RFC 7617 §2: a colon ends the user's name.
pub(super) fn username(name: &str) -> Result<String, Complaint> {
    if name.contains(':') {
        return Err(Complaint::new("which holds a colon", "a user's name of Basic authentication cannot"));
    }
    text(name)
}

fn text(text: &str) -> Result<String, Complaint> {
    match text {
        "" => Err(Complaint::new("which is empty", "write what the server expects")),
        _ if text.len() > MAX_TEXT => Err(Complaint::new("which is too long", format!("use at most {MAX_TEXT} bytes"))),
        _ if text.contains(char::is_control) => {
            Err(Complaint::new("which holds a control character", "use letters, digits and signs"))
        }
        _ => Ok(text.to_owned()),
    }
}

fn body(text: &str) -> Result<String, Complaint> {
    match text.len() {
        length if length > MAX_TEXT => {
            Err(Complaint::new(format!("which has {length} bytes"), format!("use at most {MAX_TEXT}")))
        }
        _ => Ok(text.to_owned()),
    }
}

fn media_type(text: &str) -> Result<HeaderValue, Complaint> {
    let wrong = || Complaint::new("which is no media type", "write it like \"application/json\"");
    if !text.contains('/') {
        return Err(wrong());
    }
    HeaderValue::from_str(text).map_err(|_| wrong())
}
