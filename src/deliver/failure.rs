//! Why no answer came, in words that an operator can act on. Never with a URL, which may hold a token and stands in the
//! config anyway.

use std::error::Error;
use std::io;

use jiff::Timestamp;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, PeerIncompatible};

/// The most names of a certificate that are told: shared hosts have hundreds.
const NAMES_TOLD: usize = 3;

/// How the errors of a tunnel through a proxy begin. Their type is private to hyper-util, so that their words are all there
/// is to know them by; `tests/proxy.rs` holds them.
const TUNNEL: &str = "tunnel error: ";

type Cause = dyn Error + 'static;

/// An error of a request with its causes. `proxy` is what the request went through, if anything.
pub(super) fn describe(error: &reqwest::Error, proxy: Option<&str>) -> String {
    let by_proxy = proxy.and_then(|proxy| failed_proxy(error, proxy));
    let mut text = match by_proxy {
        Some(Blamed { text, whole: true }) => return text,
        Some(Blamed { text, whole: false }) => text,
        None if error.is_connect() => "cannot connect".to_owned(),
        None => "request failed".to_owned(),
    };
    if let Some(words) = causes(error).find_map(|cause| tls(cause.downcast_ref()?)) {
        return format!("{text}: {words}");
    }
    if error.is_connect() && timed_out(error) {
        return format!("{text}: nobody answered in time");
    }
    for cause in causes(error) {
        let words = cause.to_string();
        // Wrappers often repeat their cause, or only say that there is one.
        if !text.ends_with(&words) && words != "client error (Connect)" && !words.starts_with(TUNNEL) {
            text.push_str(": ");
            text.push_str(&words);
        }
    }
    text
}

/// What is beneath an error, from the top.
fn causes<'e>(error: &'e reqwest::Error) -> impl Iterator<Item = &'e Cause> {
    let beneath = |&cause: &&'e Cause| -> Option<&'e Cause> {
        match cause.downcast_ref().and_then(io::Error::get_ref) {
            // `source` of an io::Error leaves out the error that it was made of.
            Some(within) => Some(within),
            None => cause.source(),
        }
    };
    std::iter::successors(error.source(), beneath)
}

struct Blamed {
    text: String,
    /// There is nothing to be added.
    whole: bool,
}

/// What the proxy did, where it is the one that failed. To an `http` receiver every connection is one to the proxy.
fn failed_proxy(error: &reqwest::Error, proxy: &str) -> Option<Blamed> {
    let begun = |text: String| Some(Blamed { text, whole: false });
    let whole = |text: String| Some(Blamed { text, whole: true });
    let tunnel = causes(error).find_map(|cause| Some(cause.to_string().strip_prefix(TUNNEL)?.to_owned()));
    match tunnel.as_deref() {
        Some("failed to create underlying connection") => begun(format!("cannot connect to the proxy {proxy}")),
        Some("proxy authorization required") => whole(wants_credentials(proxy)),
        Some("unsuccessful") => whole(format!("the proxy {proxy} refused to connect to the receiver, or could not")),
        Some("unexpected end of file") => {
            whole(format!("the proxy {proxy} closed the connection when it was asked for the receiver"))
        }
        Some(other) => begun(format!("the proxy {proxy} failed: {other}")),
        None if error.is_connect() && error.url().is_some_and(|url| url.scheme() == "http") => {
            begun(format!("cannot connect to the proxy {proxy}"))
        }
        // It took the connection, and what became of the receiver's it does not say.
        None if error.is_connect() && timed_out(error) => begun(format!("cannot connect by the proxy {proxy}")),
        None => None,
    }
}

fn timed_out(error: &reqwest::Error) -> bool {
    error.is_timeout() || causes(error).any(|cause| cause.is::<tokio::time::error::Elapsed>())
}

/// RFC 9110 §15.5.8: 407 is never a receiver's. 502 and 504 are of a proxy, this one or one that stands before the
/// receiver. All of them can only be seen where no tunnel hides the receiver's answers.
pub(super) fn answered_by_proxy(status: u16, proxy: &str) -> Option<String> {
    match status {
        407 => Some(wants_credentials(proxy)),
        502 | 504 => Some(format!("answered {status}, by the proxy {proxy} or by one before the receiver")),
        _ => None,
    }
}

fn wants_credentials(proxy: &str) -> String {
    format!("the proxy {proxy} answered 407: it wants other credentials, see `proxy`")
}

/// What is wrong with the other side's TLS, and what to do about it.
fn tls(error: &rustls::Error) -> Option<String> {
    Some(match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::ExpiredContext { not_after, .. } => {
                format!("the certificate has expired on {}", date(*not_after))
            }
            CertificateError::NotValidYetContext { not_before, .. } => {
                format!("the certificate is valid from {} on: is this host's clock right?", date(*not_before))
            }
            CertificateError::NotValidForNameContext { expected, presented } => {
                format!("the certificate is for {}, not {}", names(presented), host(expected))
            }
            CertificateError::UnknownIssuer => {
                "the certificate's issuer is unknown: set tls.ca, or have the receiver send the whole chain".to_owned()
            }
            CertificateError::Revoked => "the certificate is revoked".to_owned(),
            _ => return None,
        },
        rustls::Error::PeerIncompatible(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig)
        | rustls::Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13)
        | rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) => {
            "the receiver speaks only older TLS than tls.min_version".to_owned()
        }
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the receiver asks for a certificate of ours: see auth type mtls".to_owned()
        }
        rustls::Error::InvalidMessage(_) => "what answers there does not speak TLS".to_owned(),
        _ => return None,
    })
}

fn date(time: UnixTime) -> String {
    let at = i64::try_from(time.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    at.map_or_else(|| "a day beyond all calendars".to_owned(), |at| at.to_string())
}

fn host(name: &ServerName<'_>) -> String {
    name.to_str().into_owned()
}

/// As a verifier tells them: `DnsName("example.com")`, `IpAddress(192.0.2.1)`.
fn names(presented: &[String]) -> String {
    let plain = |name: &String| {
        let within = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
        within.trim_matches('"').to_owned()
    };
    let told: Vec<String> = presented.iter().take(NAMES_TOLD).map(plain).collect();
    match (told.as_slice(), presented.len().saturating_sub(NAMES_TOLD)) {
        ([], _) => "no name at all".to_owned(),
        (told, 0) => told.join(", "),
        (told, more) => format!("{} and {more} more", told.join(", ")),
    }
}
