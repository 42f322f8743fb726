//! What an endpoint's requests are signed with: keyed anew when a file of secrets on the disk has changed, so that a secret is
//! rotated without a restart.

use std::sync::Arc;
use std::time::Instant;

use super::client::ClientError;
use super::options::{EndpointOptions, SignatureOptions};
use super::sign::{KeySource, Signer};
use super::watched::Watched;

/// The signer of one endpoint. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Keyring(Arc<Ring>);

#[derive(Debug)]
struct Ring {
    endpoint: Arc<str>,
    signature: SignatureOptions,
    signer: Watched<Arc<Signer>>,
}

impl Keyring {
    /// The keyring of an endpoint; `None` where its requests are not signed.
    pub fn new(options: &EndpointOptions) -> Result<Option<Self>, ClientError> {
        let Some(signature) = &options.signature else { return Ok(None) };
        let files = signature.secrets().iter().filter_map(KeySource::file).map(ToOwned::to_owned).collect();
        let signer = Watched::new(files, Instant::now(), || signer(signature))?;
        Ok(Some(Self(Arc::new(Ring { endpoint: options.name.clone(), signature: signature.clone(), signer }))))
    }

    /// What signs now.
    pub fn current(&self) -> Arc<Signer> {
        let told = (&*self.0.endpoint, "signing secrets");
        self.0.signer.current(Instant::now(), told, || signer(&self.0.signature))
    }
}

/// A signer of what the files hold now.
fn signer(signature: &SignatureOptions) -> Result<Arc<Signer>, ClientError> {
    let secrets = signature.secrets().iter().map(KeySource::read_again).collect::<Result<_, _>>()?;
    let signer = Signer::new(&signature.with_secrets(secrets))?;
    signer.can_sign()?;
    Ok(Arc::new(signer))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_could_not_sign_or_is_too_much_is_not_taken() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let options =
            SignatureOptions::Ed25519 { secrets: vec![KeySource::File { path: path.clone(), keys: Vec::new() }] };
        let private = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=\n";
        let public = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n";
        for (content, refused) in [
            (private.to_owned(), None),
            (private.repeat(8), None),
            (private.repeat(9), Some("9 secrets, and at most 8")),
            (format!("{private}{public}"), Some("secret 2 is a public key")),
            ("another".to_owned(), Some("secret 1 is no Ed25519 key")),
            (String::new(), Some("secret:1: there is no secret")),
        ] {
            fs::write(&path, &content).unwrap();
            let told = signer(&options).err().map(|error| error.to_string());
            match refused {
                None => assert_eq!(told, None),
                Some(words) => assert!(told.as_ref().is_some_and(|told| told.contains(words)), "{told:?}: {words}"),
            }
        }
    }
}
