//! Signatures: what a receiver checks to know that a request is radhook's, and that check itself.
//!
//! Two schemes. `standard` is Standard Webhooks v1: HMAC-SHA256 over `id.timestamp.body`, in three headers, with the
//! time inside, so that an old request cannot be sent again. `hmac-sha256` is what most other products do: HMAC-SHA256
//! over the body alone, as hex in one header; it says nothing about when.
//!
//! A [`Signer`] is keyed once and then signs and verifies as often as asked; it is pure, `now` is an argument.

use std::fmt::{self, Write as _};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;

use crate::deliver::options::SignatureOptions;
use crate::secret::Secret;

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

/// Stands before each symmetric signature of `standard`; other versions (`v1a,` is ed25519) are passed over.
const VERSION: &str = "v1,";

/// Signs requests under one scheme with every active secret, and verifies them.
#[derive(Clone)]
pub struct Signer {
    scheme: Scheme,
    /// Already keyed: a copy of this state costs less than keying anew for each request.
    keys: Vec<Hmac<Sha256>>,
}

#[derive(Debug, Clone)]
enum Scheme {
    Standard,
    HmacSha256 { header: HeaderName, prefix: String },
}

/// What is wrong with the signature options, or with an id to be signed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignError {
    /// No secret is set.
    #[error("a signature needs at least one secret")]
    NoSecret,
    /// A secret is empty; everybody can sign with an empty key.
    #[error("secret {number} is empty")]
    EmptySecret {
        /// Which one, counted from 1.
        number: usize,
    },
    /// A secret begins with `whsec_` and what follows is not base64.
    #[error("secret {number} begins with whsec_ but does not go on in base64 with padding: {cause}")]
    MalformedSecret {
        /// Which one, counted from 1.
        number: usize,
        /// What the decoder said; names a position, never the secret.
        cause: String,
    },
    /// The prefix cannot stand in a header, or its comma would read as the border between two signatures.
    #[error("the prefix {0:?} must be printable ASCII without a comma")]
    Prefix(String),
    /// The id cannot stand in a header.
    #[error("the id {0:?} must be printable ASCII")]
    Id(String),
}

/// Why a request is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// The request carries no such header.
    #[error("the header {0} is missing")]
    MissingHeader(HeaderName),
    /// The header stands there more than once, so what was signed is not clear.
    #[error("the header {0} stands in the request {1} times")]
    RepeatedHeader(HeaderName, usize),
    /// The header's value is not printable ASCII.
    #[error("the header {0} is not printable ASCII")]
    UnreadableHeader(HeaderName),
    /// `webhook-timestamp` is not a whole number of seconds.
    #[error("webhook-timestamp is {0:?}, not a number of seconds since 1970")]
    MalformedTimestamp(String),
    /// The signature header holds nothing of this scheme.
    #[error("the header {header} holds no signature that begins with {prefix:?}: {found:?}")]
    NoSignature {
        /// Where it was looked for.
        header: HeaderName,
        /// What every signature of the scheme begins with.
        prefix: String,
        /// What stands there.
        found: String,
    },
    /// None of the signatures was made with one of the secrets over this request.
    #[error(
        "no signature matches (in the request: {signatures}, secrets tried: {secrets}): the secret is another, or {covered} changed"
    )]
    Mismatch {
        /// How many signatures of the scheme the request carries.
        signatures: usize,
        /// How many secrets were tried.
        secrets: usize,
        /// What the scheme signs, in words.
        covered: &'static str,
    },
    /// Rightly signed, too long ago: perhaps a copy sent again.
    #[error("the signature is right but {age} s old, and {tolerance} s are allowed")]
    TooOld {
        /// Seconds since it was signed.
        age: u64,
        /// Seconds allowed.
        tolerance: u64,
    },
    /// Rightly signed, by a clock that is ahead of ours.
    #[error("the signature is right but {ahead} s in the future, and {tolerance} s are allowed")]
    TooNew {
        /// Seconds until the time it names.
        ahead: u64,
        /// Seconds allowed.
        tolerance: u64,
    },
}

impl Signer {
    /// Keys every secret.
    pub fn new(options: &SignatureOptions) -> Result<Self, SignError> {
        let (scheme, secrets) = match options {
            SignatureOptions::Standard { secrets } => (Scheme::Standard, secrets),
            SignatureOptions::HmacSha256 { secrets, header, prefix } => {
                if HeaderValue::from_str(prefix).is_err() || prefix.contains(',') {
                    return Err(SignError::Prefix(prefix.clone()));
                }
                (Scheme::HmacSha256 { header: header.clone(), prefix: prefix.clone() }, secrets)
            }
        };
        if secrets.is_empty() {
            return Err(SignError::NoSecret);
        }
        let keys = secrets.iter().zip(1..).map(|(secret, number)| scheme.key(secret, number));
        Ok(Self { keys: keys.collect::<Result<_, _>>()?, scheme })
    }

    /// The headers that sign `body`. `id` is the event's, or the batch's; it and the time are covered in `standard`
    /// only. Every attempt is signed afresh.
    ///
    /// Fails with [`SignError::Id`] for an id that cannot stand in a header; event ids always can.
    pub fn sign(&self, id: &str, now: Timestamp, body: &[u8]) -> Result<Vec<(HeaderName, HeaderValue)>, SignError> {
        let made = |text: String| HeaderValue::from_str(&text).expect("base64, hex, digits and a checked prefix");
        match &self.scheme {
            Scheme::Standard => {
                let unfit = |_| SignError::Id(id.to_owned());
                let id_value = HeaderValue::from_str(id).map_err(unfit)?;
                let timestamp = now.as_second().to_string();
                let signatures = self.standard(id.as_bytes(), timestamp.as_bytes(), body).join(" ");
                Ok(vec![
                    (HeaderName::from_static(WEBHOOK_ID), id_value),
                    (HeaderName::from_static(WEBHOOK_TIMESTAMP), made(timestamp)),
                    (HeaderName::from_static(WEBHOOK_SIGNATURE), made(signatures)),
                ])
            }
            Scheme::HmacSha256 { header, prefix } => {
                Ok(vec![(header.clone(), made(self.of_body(prefix, body).join(", ")))])
            }
        }
    }

    /// Whether the request with these headers and this body was signed with one of the secrets and, in `standard`, at
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
            Scheme::Standard => {
                let id = only(headers, &HeaderName::from_static(WEBHOOK_ID))?;
                let timestamp = only(headers, &HeaderName::from_static(WEBHOOK_TIMESTAMP))?;
                let seconds: i64 =
                    timestamp.parse().map_err(|_| VerifyError::MalformedTimestamp(timestamp.to_owned()))?;
                let header = HeaderName::from_static(WEBHOOK_SIGNATURE);
                let found = only(headers, &header)?;
                let given = found.split(' ').map(str::trim);
                let expected = self.standard(id.as_bytes(), timestamp.as_bytes(), body);
                self.compare(&header, VERSION, found, given, &expected)?;
                tolerance.map_or(Ok(()), |tolerance| within(seconds, tolerance.as_secs(), now.as_second()))
            }
            Scheme::HmacSha256 { header, prefix } => {
                let found = only(headers, header)?;
                let given = found.split(',').map(str::trim);
                self.compare(header, prefix, found, given, &self.of_body(prefix, body))
            }
        }
    }

    /// One `v1,<base64>` per key.
    fn standard(&self, id: &[u8], timestamp: &[u8], body: &[u8]) -> Vec<String> {
        let signature = |key: &Hmac<Sha256>| {
            let mac = [id, b".", timestamp, b".", body].into_iter().fold(key.clone(), Mac::chain_update);
            let mut text = VERSION.to_owned();
            STANDARD.encode_string(mac.finalize().into_bytes(), &mut text);
            text
        };
        self.keys.iter().map(signature).collect()
    }

    /// One `<prefix><hex>` per key.
    fn of_body(&self, prefix: &str, body: &[u8]) -> Vec<String> {
        let signature = |key: &Hmac<Sha256>| {
            let mut text = prefix.to_owned();
            for byte in key.clone().chain_update(body).finalize().into_bytes() {
                write!(text, "{byte:02x}").expect("a String takes everything");
            }
            text
        };
        self.keys.iter().map(signature).collect()
    }

    /// Whether one of the signatures that begin with `prefix` is one of the expected ones.
    fn compare<'a>(
        &self,
        header: &HeaderName,
        prefix: &str,
        found: &str,
        given: impl Iterator<Item = &'a str>,
        expected: &[String],
    ) -> Result<(), VerifyError> {
        let mut signatures = 0;
        let mut matches = Choice::from(0);
        for signature in given.filter(|signature| !signature.is_empty() && signature.starts_with(prefix)) {
            signatures += 1;
            for expected in expected {
                matches |= signature.as_bytes().ct_eq(expected.as_bytes());
            }
        }
        if bool::from(matches) {
            Ok(())
        } else if signatures == 0 {
            Err(VerifyError::NoSignature { header: header.clone(), prefix: prefix.to_owned(), found: found.to_owned() })
        } else {
            let covered = match self.scheme {
                Scheme::Standard => "webhook-id, webhook-timestamp or the body was",
                Scheme::HmacSha256 { .. } => "the body was",
            };
            Err(VerifyError::Mismatch { signatures, secrets: self.keys.len(), covered })
        }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("scheme", &self.scheme).field("keys", &self.keys.len()).finish()
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
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNED_AT: i64 = 1_614_265_330;
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const RAW: &str = "a raw secret of radhook";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn secrets(secrets: &[&str]) -> Vec<Secret> {
        secrets.iter().map(|secret| Secret::new(*secret)).collect()
    }

    fn standard(with: &[&str]) -> Signer {
        Signer::new(&SignatureOptions::Standard { secrets: secrets(with) }).unwrap()
    }

    fn of_body(with: &[&str], prefix: &str) -> Signer {
        let header = HeaderName::from_static("x-hub-signature-256");
        Signer::new(&SignatureOptions::HmacSha256 { secrets: secrets(with), header, prefix: prefix.into() }).unwrap()
    }

    fn signed(signer: &Signer, id: &str) -> HeaderMap {
        signer.sign(id, at(SIGNED_AT), BODY).unwrap().into_iter().collect()
    }

    fn reason(signer: &Signer, headers: &HeaderMap, body: &[u8]) -> String {
        signer.verify(headers, body, None, at(SIGNED_AT)).unwrap_err().to_string()
    }

    #[test]
    fn the_reference_vector_of_standard_webhooks_is_met() {
        let headers = signed(&standard(&[SECRET]), ID);
        assert_eq!(headers[WEBHOOK_ID], ID);
        assert_eq!(headers[WEBHOOK_TIMESTAMP], "1614265330");
        assert_eq!(headers[WEBHOOK_SIGNATURE], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    /// Computed with the Python package standardwebhooks 1.1.0, from the base64 of the raw secret.
    #[test]
    fn every_active_secret_signs_encoded_or_raw() {
        let headers = signed(&standard(&[RAW, SECRET]), "3f0e4c7a-52d1-8b6e-9a53-0c5d8a1be1f2");
        let signatures = headers[WEBHOOK_SIGNATURE].to_str().unwrap();
        assert_eq!(signatures.split(' ').next(), Some("v1,5mISdkky3DIACUhfAK7WyzxC75GA8RuSAFVPgVnJ+r8="));
        for receiver in [RAW, SECRET] {
            assert_eq!(standard(&[receiver]).verify(&headers, BODY, None, at(0)), Ok(()));
        }
        assert!(reason(&standard(&["another"]), &headers, BODY).contains("in the request: 2, secrets tried: 1"));
    }

    /// Computed with Python's hmac and hashlib.
    #[test]
    fn hmac_sha256_is_lower_case_hex_of_the_body_behind_its_prefix() {
        let headers = signed(&of_body(&[RAW, "the old one"], "sha256="), ID);
        assert_eq!(headers.len(), 1);
        assert_eq!(
            headers["x-hub-signature-256"],
            "sha256=59008fe81398136a871a3b7c07d4125d1f4e43edb1b1ef52f2117b6d88b3bd58, \
             sha256=a6f9e7cd24ce5d656563c5a30d6003bf454ceae8b0b1a7a724bb02e10c3a8159"
        );
        for receiver in [RAW, "the old one"] {
            assert_eq!(of_body(&[receiver], "sha256=").verify(&headers, BODY, Some(Duration::ZERO), at(0)), Ok(()));
        }
        assert!(reason(&of_body(&["another"], "sha256="), &headers, BODY).contains("or the body was changed"));
        assert!(reason(&of_body(&[RAW], "sha1="), &headers, BODY).contains(r#"begins with "sha1=""#));
        assert!(reason(&of_body(&[RAW], ""), &HeaderMap::new(), BODY).contains("x-hub-signature-256 is missing"));
    }

    #[test]
    fn whatever_standard_covers_cannot_be_changed() {
        let signer = standard(&[SECRET]);
        let headers = signed(&signer, ID);
        assert_eq!(signer.verify(&headers, BODY, Some(DEFAULT_TOLERANCE), at(SIGNED_AT)), Ok(()));
        assert!(reason(&signer, &headers, b"{}").contains("no signature matches"));
        for (header, value) in [(WEBHOOK_ID, "msg_other"), (WEBHOOK_TIMESTAMP, "1614265331")] {
            let mut changed = headers.clone();
            changed.insert(header, HeaderValue::from_static(value));
            assert!(reason(&signer, &changed, BODY).contains("no signature matches"), "{header}");
        }
    }

    #[test]
    fn each_unusable_header_is_named() {
        let signer = standard(&[SECRET]);
        let headers = signed(&signer, ID);
        for header in [WEBHOOK_ID, WEBHOOK_TIMESTAMP, WEBHOOK_SIGNATURE] {
            let mut without = headers.clone();
            without.remove(header);
            assert_eq!(reason(&signer, &without, BODY), format!("the header {header} is missing"));
            let mut twice = headers.clone();
            twice.append(header, headers[header].clone());
            assert_eq!(reason(&signer, &twice, BODY), format!("the header {header} stands in the request 2 times"));
        }
        let with = |header, value| {
            let mut changed = headers.clone();
            changed.insert(header, HeaderValue::from_bytes(value).unwrap());
            reason(&signer, &changed, BODY)
        };
        assert!(with(WEBHOOK_TIMESTAMP, b"2021-02-25").contains(r#"is "2021-02-25", not a number"#));
        assert!(with(WEBHOOK_SIGNATURE, b"v1a,AAAA").contains(r#"begins with "v1,": "v1a,AAAA""#));
        assert!(with(WEBHOOK_ID, b"\xff").contains("webhook-id is not printable"));
    }

    #[test]
    fn a_right_signature_is_refused_outside_the_tolerance() {
        let signer = standard(&[SECRET]);
        let headers = signed(&signer, ID);
        let verify = |now, tolerance| signer.verify(&headers, BODY, tolerance, at(now));
        let minute = Some(Duration::from_secs(60));
        assert_eq!(verify(SIGNED_AT + 60, minute), Ok(()));
        assert_eq!(verify(SIGNED_AT - 60, minute), Ok(()));
        assert_eq!(verify(SIGNED_AT + 61, minute), Err(VerifyError::TooOld { age: 61, tolerance: 60 }));
        assert_eq!(verify(SIGNED_AT - 61, minute), Err(VerifyError::TooNew { ahead: 61, tolerance: 60 }));
        assert_eq!(verify(0, None), Ok(()));
    }

    #[test]
    fn unusable_options_are_refused_without_showing_the_secret() {
        let refused = |with: &[&str]| {
            let error = Signer::new(&SignatureOptions::Standard { secrets: secrets(with) }).unwrap_err().to_string();
            assert!(!error.contains("MfKQ"), "{error}");
            error
        };
        assert!(refused(&[]).contains("at least one"));
        assert_eq!(refused(&[SECRET, ""]), "secret 2 is empty");
        assert_eq!(refused(&["whsec_"]), "secret 1 is empty");
        assert!(refused(&[SECRET, "whsec_MfKQ!r8G"]).contains("secret 2 begins with whsec_"));
        assert!(refused(&["whsec_MfKQ9"]).contains("base64"));
        assert!(refused(&["whsec_MfKQ9r8"]).contains("padding"));
        let header = HeaderName::from_static(DEFAULT_HEADER);
        for prefix in ["a,b", "a\nb"] {
            let options = SignatureOptions::HmacSha256 {
                secrets: secrets(&[RAW]),
                header: header.clone(),
                prefix: prefix.into(),
            };
            assert_eq!(Signer::new(&options).unwrap_err(), SignError::Prefix(prefix.into()));
        }
        assert!(standard(&[SECRET]).sign("a\nb", at(0), BODY).is_err());
        assert!(!format!("{:?}", standard(&[RAW])).contains(RAW));
    }
}
