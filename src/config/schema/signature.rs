//! `signature` of an `[[endpoint]]`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;

use crate::config::reader::{Reader, Scope};
use crate::config::secret::{file, secret};
use crate::config::tree::Node;
use crate::config::units::Complaint;
use crate::config::value::{one_of, one_or_more, parsed};
use crate::deliver::options::SignatureOptions;
use crate::deliver::sign::{KeySource, MAX_KEYS, Signer, keys};
use crate::secret::Secret;

/// Below 16 bytes an HMAC key can be searched for. Standard Webhooks asks for 24.
const SHORT_KEY: usize = 16;

/// The longest prefix before the hex of `hmac-sha256`.
const MAX_PREFIX: usize = 64;

/// Marks a Standard Webhooks secret; base64 follows.
const WHSEC: &[u8] = b"whsec_";

/// Marks the half of a key pair that receivers have.
const PUBLIC: &[u8] = b"whpk_";

const DEFAULT_HEADER: &str = "X-Radhook-Signature";

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Scheme {
    Standard,
    Ed25519,
    HmacSha256,
}

const SCHEMES: &[(&str, Scheme)] =
    &[("standard", Scheme::Standard), ("ed25519", Scheme::Ed25519), ("hmac-sha256", Scheme::HmacSha256)];

/// What a format sets: then the operator gives the secret alone.
#[derive(Default)]
pub(super) struct Defaults {
    pub scheme: Option<Scheme>,
    pub header: Option<HeaderName>,
}

/// The signature of an endpoint; `None` inside where a problem was noted.
pub(super) fn options(table: &mut Reader<'_>, defaults: Defaults) -> Option<SignatureOptions> {
    let scheme = match defaults.scheme {
        Some(scheme) => Some(table.or("scheme", one_of(SCHEMES), scheme)),
        None => table.required("scheme", "\"standard\"", one_of(SCHEMES)),
    };
    let source = |scope: &Scope<'_>, node: &Node| source(scope, node, scheme?);
    let secrets = one_or_more("a secret, or an array of them", MAX_KEYS, source);
    let secrets = table.required("secret", "{ file = \"crm.key\" }", secrets);
    let count: usize = secrets.iter().flatten().map(|source| source.keys().len()).sum();
    if count > MAX_KEYS {
        let what = format!("`secret` has {count} secrets with those in its files, and at most {MAX_KEYS} are allowed");
        table.scope().problem(table.place_of("secret"), what, "remove those that have ended".to_owned());
        return None;
    }
    let header = table.optional("header", parsed("the name of a header in quotes", header));
    let prefix = table.optional("prefix", parsed("a text in quotes", prefix));
    match scheme? {
        Scheme::Standard => {
            refuse_header(table, "standard");
            Some(SignatureOptions::Standard { secrets: secrets? })
        }
        Scheme::Ed25519 => {
            refuse_header(table, "ed25519");
            Some(SignatureOptions::Ed25519 { secrets: secrets? })
        }
        Scheme::HmacSha256 => Some(SignatureOptions::HmacSha256 {
            secrets: secrets?,
            header: header
                .or(defaults.header)
                .unwrap_or_else(|| DEFAULT_HEADER.parse().expect("the default is a header's name")),
            prefix: prefix.unwrap_or_default(),
        }),
    }
}

/// The headers of Standard Webhooks are its own.
fn refuse_header(table: &Reader<'_>, scheme: &str) {
    for key in ["header", "prefix"].into_iter().filter(|key| table.has(key)) {
        let what = format!("`{key}` means nothing with scheme = \"{scheme}\", whose headers are fixed");
        table.scope().problem(table.place_of(key), what, "remove it, or use \"hmac-sha256\"".to_owned());
    }
}

/// A secret, or the secrets in a file, one a line.
fn source(scope: &Scope<'_>, node: &Node, scheme: Scheme) -> Option<KeySource> {
    let whole = secret(scope, node)?;
    let Some(path) = file(scope, node) else {
        judge(scope, node, &format!("`{}`", node.key), &whole, scheme)?;
        return Some(whole.into());
    };
    let unusable = |error: keys::LineError| {
        scope.problem(node.place, format!("`{}`: {}:{error}", node.key, path.display()), None);
    };
    let lines = keys::numbered(whole.expose()).map_err(unusable).ok()?;
    let judged = lines.into_iter().map(|(line, key)| {
        let named = format!("`{}`: {}:{line}", node.key, path.display());
        judge(scope, node, &named, &key.secret, scheme).map(|()| key)
    });
    // All of them are judged, whatever the first is.
    let keys: Vec<Option<keys::Key>> = judged.collect();
    Some(KeySource::File { keys: keys.into_iter().collect::<Option<_>>()?, path })
}

/// Whether it is a signing key; short ones are warned about. `whsec_` promises base64 to the scheme that knows it: anything
/// else after it is a slip of copying, which every receiver would stumble over.
fn judge(scope: &Scope<'_>, node: &Node, named: &str, secret: &Secret, scheme: Scheme) -> Option<()> {
    if scheme == Scheme::Ed25519 {
        let usable = Signer::new(&SignatureOptions::Ed25519 { secrets: vec![secret.clone().into()] }).is_ok();
        if !usable || secret.expose().starts_with(PUBLIC) {
            let what = format!("{named} is no private key of Ed25519");
            scope.problem(node.place, what, "write whsk_ and the base64 of 32 random bytes".to_owned());
            return None;
        }
        return Some(());
    }
    let length = match secret.expose().strip_prefix(WHSEC) {
        Some(encoded) if scheme == Scheme::Standard => match STANDARD.decode(encoded) {
            Ok(key) if !key.is_empty() => key.len(),
            _ => {
                let what = format!("{named} begins with whsec_, and what follows is not base64");
                scope.problem(node.place, what, "copy it whole, with its = at the end".to_owned());
                return None;
            }
        },
        _ => secret.expose().len(),
    };
    if length < SHORT_KEY {
        let what = format!("{named} has only {length} bytes");
        scope.warn(node.place, what, "use 24 or more random bytes, such as whsec_ and their base64".to_owned());
    }
    Some(())
}

fn header(text: &str) -> Result<HeaderName, Complaint> {
    text.parse().map_err(|_| Complaint::new("which is no header's name", "use letters, digits and -"))
}

fn prefix(text: &str) -> Result<String, Complaint> {
    match text.len() {
        length if length > MAX_PREFIX => {
            Err(Complaint::new(format!("which has {length} bytes"), format!("use at most {MAX_PREFIX}")))
        }
        _ if !text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) => {
            Err(Complaint::new("which a header cannot carry", "use printable ASCII"))
        }
        _ => Ok(text.to_owned()),
    }
}
