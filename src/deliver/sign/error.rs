//! What can be wrong with a signature: on our side, and in a request.

use http::HeaderName;
use thiserror::Error;

/// What is wrong with the signature options, or with an id to be signed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignError {
    /// No secret is set.
    #[error("a signature needs at least one secret")]
    NoSecret,
    /// More secrets than a header can carry.
    #[error("there are {0} secrets, and at most {max} are allowed", max = super::MAX_KEYS)]
    TooMany(usize),
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
    /// A secret of `ed25519` is no key of its own kind.
    #[error("secret {number} is no Ed25519 key: whsk_ and the base64 of 32 bytes, or of 64 with the public key behind")]
    Ed25519 {
        /// Which one, counted from 1.
        number: usize,
    },
    /// A public key verifies and cannot sign.
    #[error("secret {number} is a public key (whpk_), which can only verify")]
    PublicKey {
        /// Which one, counted from 1.
        number: usize,
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
