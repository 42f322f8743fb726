//! Key pairs of Standard Webhooks v1a: Ed25519 (RFC 8032). Whoever has only the public half can verify and not sign.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{PUBLIC_KEY_LENGTH, SECRET_KEY_LENGTH, Signature, Signer as _, SigningKey, VerifyingKey};

use super::SignError;
use crate::secret::Secret;

/// Marks a private key.
const PRIVATE: &[u8] = b"whsk_";

/// Marks a public key.
const PUBLIC: &str = "whpk_";

/// A private key with its public one, or the public one alone.
#[derive(Clone)]
pub(super) struct Pair {
    signing: Option<SigningKey>,
    verifying: VerifyingKey,
}

impl Pair {
    /// Reads `whsk_` (32 bytes of private key, the public one behind it or not) or `whpk_`.
    pub fn read(secret: &Secret, number: usize) -> Result<Self, SignError> {
        let unfit = || SignError::Ed25519 { number };
        let secret = secret.expose();
        if let Some(encoded) = secret.strip_prefix(PUBLIC.as_bytes()) {
            let bytes = STANDARD.decode(encoded).map_err(|_| unfit())?;
            let bytes: [u8; PUBLIC_KEY_LENGTH] = bytes.try_into().map_err(|_| unfit())?;
            let verifying = VerifyingKey::from_bytes(&bytes).map_err(|_| unfit())?;
            return Ok(Self { signing: None, verifying });
        }
        let bytes = STANDARD.decode(secret.strip_prefix(PRIVATE).ok_or_else(unfit)?).map_err(|_| unfit())?;
        let (private, public) = bytes.split_at_checked(SECRET_KEY_LENGTH).ok_or_else(unfit)?;
        let signing = SigningKey::from_bytes(private.try_into().map_err(|_| unfit())?);
        let verifying = signing.verifying_key();
        if !public.is_empty() && public != verifying.as_bytes() {
            return Err(unfit());
        }
        Ok(Self { signing: Some(signing), verifying })
    }

    /// The public key, `whpk_` and base64.
    pub fn public(&self) -> String {
        format!("{PUBLIC}{}", STANDARD.encode(self.verifying.as_bytes()))
    }

    /// Whether there is a private key.
    pub fn can_sign(&self) -> bool {
        self.signing.is_some()
    }

    /// The base64 of the signature; none without a private key.
    pub fn sign(&self, content: &[u8]) -> Option<String> {
        Some(STANDARD.encode(self.signing.as_ref()?.sign(content).to_bytes()))
    }

    /// Whether the base64 of a signature is genuine.
    pub fn verifies(&self, content: &[u8], encoded: &str) -> bool {
        let signature = STANDARD.decode(encoded).ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
        signature.is_some_and(|signature| self.verifying.verify_strict(content, &signature).is_ok())
    }
}
