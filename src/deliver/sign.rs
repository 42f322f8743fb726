//! Signatures: what a receiver checks to know that a request is radhook's, and that check itself.
//!
//! Three schemes. `standard` is Standard Webhooks v1: HMAC-SHA256 over `id.timestamp.body`, in three headers, with the
//! time inside, so that an old request cannot be sent again. `ed25519` is its v1a: the same, signed with a private key, so
//! that whoever verifies cannot sign. `hmac-sha256` is what most other products do: HMAC-SHA256 over the body alone, as hex
//! in one header; it says nothing about when.
//!
//! A [`Signer`] is keyed once and then signs and verifies as often as asked; it is pure, `now` is an argument.

mod ed25519;
mod error;
pub mod keys;

use std::fmt::{self, Write as _};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use crate::deliver::options::SignatureOptions;
use crate::secret::Secret;
use ed25519::Pair;
pub use error::{SignError, VerifyError};
pub use keys::{Key, KeyFileError, KeySource, MAX_KEYS};

/// Holds the request's id in `standard`.
pub const WEBHOOK_ID: &str = "webhook-id";

/// Holds the seconds since 1970 at which `standard` was signed.
pub const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";

/// Holds the signatures of `standard`, separated by spaces.
pub const WEBHOOK_SIGNATURE: &str = "webhook-signature";

/// The header of `hmac-sha256` unless another is set.
pub const DEFAULT_HEADER: &str = "x-radhook-signature";

/// How far a `webhook-timestamp` may lie from now, in either direction, unless told otherwise: what the libraries of
/// Standard Webhooks allow.
pub const DEFAULT_TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// Marks a secret that is base64 of the key's bytes.
const ENCODED_SECRET: &str = "whsec_";

/// Stands before each signature of `standard`; other versions are passed over.
const VERSION: &str = "v1,";

/// Stands before each signature of `ed25519`.
const ASYMMETRIC: &str = "v1a,";

/// Signs requests under one scheme with every active secret, and verifies them.
#[derive(Clone)]
pub struct Signer {
    scheme: Scheme,
    /// Of `standard` and `hmac-sha256`, already keyed: a copy of this state costs less than keying anew for each request.
    keys: Vec<Ending<Hmac<Sha256>>>,
    /// Of `ed25519`.
    pairs: Vec<Ending<Pair>>,
}

/// Something that signs up to a time.
#[derive(Clone)]
struct Ending<K> {
    key: K,
    until: Option<Timestamp>,
}

#[derive(Debug, Clone)]
enum Scheme {
    Standard,
    Ed25519,
    HmacSha256 { header: HeaderName, prefix: String },
}

impl Signer {
    /// Keys every secret.
    pub fn new(options: &SignatureOptions) -> Result<Self, SignError> {
        let (scheme, secrets) = match options {
            SignatureOptions::Standard { secrets } => (Scheme::Standard, secrets),
            SignatureOptions::Ed25519 { secrets } => (Scheme::Ed25519, secrets),
            SignatureOptions::HmacSha256 { secrets, header, prefix } => {
                if HeaderValue::from_str(prefix).is_err() || prefix.contains(',') {
                    return Err(SignError::Prefix(prefix.clone()));
                }
                (Scheme::HmacSha256 { header: header.clone(), prefix: prefix.clone() }, secrets)
            }
        };
        let secrets: Vec<Key> = secrets.iter().flat_map(KeySource::keys).collect();
        match secrets.len() {
            0 => return Err(SignError::NoSecret),
            count if count > MAX_KEYS => return Err(SignError::TooMany(count)),
            _ => {}
        }
        let (mut keys, mut pairs) = (Vec::new(), Vec::new());
        for (Key { secret, until }, number) in secrets.iter().zip(1..) {
            let until = *until;
            match scheme {
                Scheme::Ed25519 => pairs.push(Ending { key: Pair::read(secret, number)?, until }),
                _ => keys.push(Ending { key: scheme.key(secret, number)?, until }),
            }
        }
        Ok(Self { scheme, keys, pairs })
    }

    /// What receivers of `ed25519` verify with, `whpk_` and base64, newest first; nothing for the other schemes.
    pub fn public_keys(&self) -> Vec<String> {
        self.pairs.iter().map(|pair| pair.key.public()).collect()
    }

    /// Whether each secret can sign: a public key of `ed25519` cannot.
    pub fn can_sign(&self) -> Result<(), SignError> {
        let public = self.pairs.iter().position(|pair| !pair.key.can_sign());
        public.map_or(Ok(()), |at| Err(SignError::PublicKey { number: at + 1 }))
    }

    /// The headers that sign `body`, by each secret that has not ended. `id` is the event's, or the batch's; it and the time are covered in `standard`
    /// only. Every attempt is signed afresh.
    ///
    /// Fails with [`SignError::Id`] for an id that cannot stand in a header; event ids always can.
    pub fn sign(&self, id: &str, now: Timestamp, body: &[u8]) -> Result<Vec<(HeaderName, HeaderValue)>, SignError> {
        let made = |text: String| HeaderValue::from_str(&text).expect("base64, hex, digits and a checked prefix");
        match &self.scheme {
            Scheme::Standard | Scheme::Ed25519 => {
                let unfit = |_| SignError::Id(id.to_owned());
                let id_value = HeaderValue::from_str(id).map_err(unfit)?;
                let timestamp = now.as_second().to_string();
                let (id_bytes, time_bytes) = (id.as_bytes(), timestamp.as_bytes());
                let signatures = match self.scheme {
                    Scheme::Ed25519 => self.asymmetric(id_bytes, time_bytes, body, now)?,
                    _ => self.standard(id_bytes, time_bytes, body, now),
                };
                let signatures = signatures.join(" ");
                Ok(vec![
                    (HeaderName::from_static(WEBHOOK_ID), id_value),
                    (HeaderName::from_static(WEBHOOK_TIMESTAMP), made(timestamp)),
                    (HeaderName::from_static(WEBHOOK_SIGNATURE), made(signatures)),
                ])
            }
            Scheme::HmacSha256 { header, prefix } => {
                Ok(vec![(header.clone(), made(self.of_body(prefix, body, now).join(", ")))])
            }
        }
    }

    /// Whether the request with these headers and this body was signed with one of the secrets that have not ended and, in `standard`, at
    /// a time no further than `tolerance` from `now`; `None` takes any age. Compares in constant time. The time is
    /// looked at after the signature: only then is it the signer's.
    pub fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        tolerance: Option<Duration>,
        now: Timestamp,
    ) -> Result<(), VerifyError> {
        match &self.scheme {
            Scheme::Standard | Scheme::Ed25519 => {
                let id = only(headers, &HeaderName::from_static(WEBHOOK_ID))?;
                let timestamp = only(headers, &HeaderName::from_static(WEBHOOK_TIMESTAMP))?;
                let seconds: i64 =
                    timestamp.parse().map_err(|_| VerifyError::MalformedTimestamp(timestamp.to_owned()))?;
                let header = HeaderName::from_static(WEBHOOK_SIGNATURE);
                let found = only(headers, &header)?;
                let given = found.split(' ').map(str::trim);
                let (id, timestamp) = (id.as_bytes(), timestamp.as_bytes());
                match self.scheme {
                    Scheme::Ed25519 => {
                        let content = [id, b".", timestamp, b".", body].concat();
                        let genuine = |signature: &str| {
                            let encoded = signature.strip_prefix(ASYMMETRIC).unwrap_or_default();
                            active(&self.pairs, now).any(|pair| pair.verifies(&content, encoded))
                        };
                        self.judge((&header, ASYMMETRIC, found), given, now, genuine)?;
                    }
                    _ => {
                        let expected = self.standard(id, timestamp, body, now);
                        self.judge((&header, VERSION, found), given, now, |signature| one_of(&expected, signature))?;
                    }
                }
                tolerance.map_or(Ok(()), |tolerance| within(seconds, tolerance.as_secs(), now.as_second()))
            }
            Scheme::HmacSha256 { header, prefix } => {
                let found = only(headers, header)?;
                let given = found.split(',').map(str::trim);
                let expected = self.of_body(prefix, body, now);
                self.judge((header, prefix, found), given, now, |signature| one_of(&expected, signature))
            }
        }
    }

    /// One `v1,<base64>` per key.
    fn standard(&self, id: &[u8], timestamp: &[u8], body: &[u8], now: Timestamp) -> Vec<String> {
        let signature = |key: &Hmac<Sha256>| {
            let mac = [id, b".", timestamp, b".", body].into_iter().fold(key.clone(), Mac::chain_update);
            let mut text = VERSION.to_owned();
            STANDARD.encode_string(mac.finalize().into_bytes(), &mut text);
            text
        };
        active(&self.keys, now).map(signature).collect()
    }

    /// One `<prefix><hex>` per key.
    fn of_body(&self, prefix: &str, body: &[u8], now: Timestamp) -> Vec<String> {
        let signature = |key: &Hmac<Sha256>| {
            let mut text = prefix.to_owned();
            for byte in key.clone().chain_update(body).finalize().into_bytes() {
                write!(text, "{byte:02x}").expect("a String takes everything");
            }
            text
        };
        active(&self.keys, now).map(signature).collect()
    }

    /// One `v1a,<base64>` per key.
    fn asymmetric(&self, id: &[u8], timestamp: &[u8], body: &[u8], now: Timestamp) -> Result<Vec<String>, SignError> {
        let content = [id, b".", timestamp, b".", body].concat();
        let signed = active(&self.pairs, now).zip(1..).map(|(pair, number)| {
            let signature = pair.sign(&content).ok_or(SignError::PublicKey { number })?;
            Ok(format!("{ASYMMETRIC}{signature}"))
        });
        signed.collect()
    }

    /// Whether one of the signatures that begin with `prefix` is genuine.
    fn judge<'a>(
        &self,
        (header, prefix, found): (&HeaderName, &str, &str),
        given: impl Iterator<Item = &'a str>,
        now: Timestamp,
        genuine: impl Fn(&str) -> bool,
    ) -> Result<(), VerifyError> {
        let mut signatures = 0;
        let mut matches = false;
        for signature in given.filter(|signature| !signature.is_empty() && signature.starts_with(prefix)) {
            signatures += 1;
            matches |= genuine(signature);
        }
        if matches {
            Ok(())
        } else if signatures == 0 {
            Err(VerifyError::NoSignature { header: header.clone(), prefix: prefix.to_owned(), found: found.to_owned() })
        } else {
            let covered = match self.scheme {
                Scheme::Standard | Scheme::Ed25519 => "webhook-id, webhook-timestamp or the body was",
                Scheme::HmacSha256 { .. } => "the body was",
            };
            let secrets = active(&self.keys, now).count() + active(&self.pairs, now).count();
            Err(VerifyError::Mismatch { signatures, secrets, covered })
        }
    }
}

/// What has not ended.
fn active<K>(keys: &[Ending<K>], now: Timestamp) -> impl Iterator<Item = &K> {
    keys.iter().filter(move |key| keys::signs(key.until, now)).map(|key| &key.key)
}

/// Whether a signature is one of the expected ones, compared in constant time.
fn one_of(expected: &[String], signature: &str) -> bool {
    let mut matches = Choice::from(0);
    for expected in expected {
        matches |= signature.as_bytes().ct_eq(expected.as_bytes());
    }
    matches.into()
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("scheme", &self.scheme)
            .field("keys", &(self.keys.len() + self.pairs.len()))
            .finish()
    }
}

impl Scheme {
    /// The key a secret stands for. `whsec_` means base64 in `standard` only.
    fn key(&self, secret: &Secret, number: usize) -> Result<Hmac<Sha256>, SignError> {
        let keyed = |bytes: &[u8]| match bytes {
            [] => Err(SignError::EmptySecret { number }),
            bytes => Ok(Hmac::<Sha256>::new_from_slice(bytes).expect("HMAC takes keys of any length (RFC 2104 §2)")),
        };
        match (self, secret.expose().strip_prefix(ENCODED_SECRET.as_bytes())) {
            (Self::Standard, Some(encoded)) => {
                let malformed =
                    |cause: base64::DecodeError| SignError::MalformedSecret { number, cause: cause_of(&cause) };
                keyed(&STANDARD.decode(encoded).map_err(malformed)?)
            }
            _ => keyed(secret.expose()),
        }
    }
}

/// The decoder's complaint without the symbol it stumbled on, which is part of the secret.
fn cause_of(error: &base64::DecodeError) -> String {
    use base64::DecodeError::{InvalidByte, InvalidLastSymbol, InvalidLength, InvalidPadding};
    match error {
        InvalidByte(at, _) => format!("character {} after whsec_ is none of base64", at + 1),
        InvalidLength(length) => format!("{length} characters are no whole number of bytes"),
        InvalidLastSymbol { .. } => "its last character is cut off".to_owned(),
        InvalidPadding => "its padding with = is missing or wrong".to_owned(),
    }
}

/// The value of a header that must be there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, VerifyError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.count()) {
        (None, _) => Err(VerifyError::MissingHeader(name.clone())),
        (Some(value), 0) => value.to_str().map_err(|_| VerifyError::UnreadableHeader(name.clone())),
        (Some(_), more) => Err(VerifyError::RepeatedHeader(name.clone(), more + 1)),
    }
}

/// Whether two times, in seconds, are no further apart than `tolerance`.
fn within(signed: i64, tolerance: u64, now: i64) -> Result<(), VerifyError> {
    let apart = signed.abs_diff(now);
    if apart <= tolerance {
        Ok(())
    } else if signed < now {
        Err(VerifyError::TooOld { age: apart, tolerance })
    } else {
        Err(VerifyError::TooNew { ahead: apart, tolerance })
    }
}

#[cfg(test)]
mod tests;
