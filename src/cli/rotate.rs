//! `radhook endpoints rotate`: a new signing secret beside the old one, for as long as the receiver needs to learn it.
//!
//! The file of secrets is the only thing that is changed, as a whole: the new content is written beside it and takes its place
//! by a rename, so that whoever reads sees the old secrets or the new ones. A running radhook reads the file again by itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use serde::Serialize;

use super::arguments::duration;
use super::config::ConfigArg;
use super::exit;
use super::whole::Whole;
use crate::config::{self, Endpoint};
use crate::deliver::options::SignatureOptions;
use crate::deliver::sign::{Key, KeySource, MAX_KEYS, Signer, keys};
use crate::secret::Secret;

/// Bytes of a new secret: as many as SHA-256 gives, and what an Ed25519 key has.
const LENGTH: usize = 32;

/// Who needs longer than a year to learn a secret has another one.
const LONGEST_OVERLAP: Duration = Duration::from_secs(365 * 86_400);

/// A new signing secret beside the old one, which signs on until the receiver has learnt it
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The endpoint's name
    endpoint: String,
    /// How long the old secret signs beside the new one; 0s: the new one alone, at once
    #[arg(long, default_value = "24h", value_parser = overlap)]
    overlap: Duration,
    /// Also where other endpoints sign by the same file: their receivers need the new secret too
    #[arg(long)]
    shared: bool,
    /// Print what was done as a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

fn overlap(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        overlap if overlap > LONGEST_OVERLAP => Err("at most 365d".to_owned()),
        overlap => Ok(overlap),
    }
}

/// What was done.
#[derive(Debug, Serialize)]
struct Rotated {
    endpoint: String,
    scheme: &'static str,
    file: PathBuf,
    /// The new secret; of ed25519 nobody but radhook needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// What receivers of ed25519 verify with.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    /// Until when former secrets sign too; absent where none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    /// How many secrets of the file sign now.
    signing: usize,
    /// The other endpoints whose secret this is.
    shared_with: Vec<String>,
}

/// Runs the verb.
pub fn run(args: &Args) -> anyhow::Result<u8> {
    let path = &args.config.config;
    let config = match config::load(path) {
        Ok((config, _)) => config,
        Err(problems) => {
            eprintln!("{problems}");
            return Ok(exit::CONFIG_INVALID);
        }
    };
    let rotated = rotate(args, &config.endpoints)?;
    match args.json {
        true => println!("{}", serde_json::to_string(&rotated)?),
        false => tell(&rotated),
    }
    Ok(exit::DONE)
}

fn rotate(args: &Args, endpoints: &[Endpoint]) -> anyhow::Result<Rotated> {
    let name = args.endpoint.as_str();
    let Some(endpoint) = endpoints.iter().find(|endpoint| *endpoint.delivery.name == *name) else {
        bail!("there is no endpoint {name:?} in {}", args.config.config.display());
    };
    let Some(signature) = &endpoint.delivery.signature else {
        bail!("{name} is not signed; set `signature` in its [[endpoint]] first, with `secret = {{ file = \"…\" }}`");
    };
    let Some(path) = signature.secrets().iter().find_map(KeySource::file) else {
        bail!(
            "no secret of {name} is in a file, and nothing else can be rotated; write it into a file, name that as \
             `secret = {{ file = \"…\" }}`, and restart radhook once"
        );
    };
    let path = std::fs::canonicalize(path).with_context(|| format!("find {}", path.display()))?;
    let others = sharing(endpoints, name, &path);
    let told: Vec<String> = others.iter().map(|other| other.delivery.name.to_string()).collect();
    if !others.is_empty() && !args.shared {
        bail!(
            "{} signs by {} too; --shared rotates it for all of them, or give {name} a file of its own",
            told.join(", "),
            path.display()
        );
    }
    for other in &others {
        if other.delivery.signature.as_ref().map(scheme) != Some(scheme(signature)) {
            bail!(
                "{} signs by {} in another scheme; give {name} a file of its own",
                other.delivery.name,
                path.display()
            );
        }
    }

    let file = Whole::open(&path)?;
    let held = keys::parse(file.content()).map_err(|error| anyhow::anyhow!("{}:{error}", path.display()))?;
    let now = Timestamp::now();
    let until = end(now, args.overlap)?;
    let new = made(signature)?;
    let after = keys::rotated(&held, new.clone(), now, until);
    for endpoint in others.iter().copied().chain([endpoint]) {
        refuse_too_many(endpoint, &path, &after)?;
    }
    let Some(content) = keys::content(&after) else {
        bail!(
            "a secret in {} cannot stand in a line beside others: it is no text, or begins or ends with a space; \
             --overlap 0s puts the new one in its place",
            path.display()
        );
    };
    file.replace(&content, |_| ())?;

    let secret = String::from_utf8_lossy(new.expose()).into_owned();
    let public_key = match signature {
        SignatureOptions::Ed25519 { .. } => public(&new)?,
        _ => None,
    };
    Ok(Rotated {
        endpoint: name.to_owned(),
        scheme: scheme(signature),
        file: path,
        secret: public_key.is_none().then_some(secret),
        public_key,
        until: after.iter().filter_map(|key| key.until).max(),
        signing: after.len(),
        shared_with: told,
    })
}

/// The other endpoints that have secrets in this file.
fn sharing<'e>(endpoints: &'e [Endpoint], name: &str, path: &Path) -> Vec<&'e Endpoint> {
    let same = |source: &KeySource| {
        source.file().is_some_and(|file| std::fs::canonicalize(file).is_ok_and(|file| file == path))
    };
    let shares = |endpoint: &&Endpoint| {
        let signature = endpoint.delivery.signature.as_ref();
        *endpoint.delivery.name != *name && signature.is_some_and(|signature| signature.secrets().iter().any(same))
    };
    endpoints.iter().filter(shares).collect()
}

fn scheme(signature: &SignatureOptions) -> &'static str {
    match signature {
        SignatureOptions::Standard { .. } => "standard",
        SignatureOptions::Ed25519 { .. } => "ed25519",
        SignatureOptions::HmacSha256 { .. } => "hmac-sha256",
    }
}

/// When the former secrets end: a whole second, and not before the overlap is over.
fn end(now: Timestamp, overlap: Duration) -> anyhow::Result<Timestamp> {
    if overlap.is_zero() {
        return Ok(now);
    }
    let end = now.checked_add(SignedDuration::try_from(overlap)?)?;
    let rounded = if end.subsec_nanosecond() > 0 { end.as_second() + 1 } else { end.as_second() };
    Ok(Timestamp::from_second(rounded)?)
}

/// A new secret of the scheme, from the system's random source.
fn made(signature: &SignatureOptions) -> anyhow::Result<Secret> {
    let mut bytes = [0; LENGTH];
    OsRng.try_fill_bytes(&mut bytes).context("read the system's random source")?;
    Ok(Secret::new(match signature {
        SignatureOptions::Standard { .. } => format!("whsec_{}", STANDARD.encode(bytes)),
        SignatureOptions::Ed25519 { .. } => format!("whsk_{}", STANDARD.encode(bytes)),
        SignatureOptions::HmacSha256 { .. } => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }))
}

/// What verifies what this key of ed25519 signs.
fn public(private: &Secret) -> anyhow::Result<Option<String>> {
    let signer = Signer::new(&SignatureOptions::Ed25519 { secrets: vec![private.clone().into()] })?;
    Ok(signer.public_keys().pop())
}

/// Whether an endpoint would have more secrets than are allowed.
fn refuse_too_many(endpoint: &Endpoint, path: &Path, after: &[Key]) -> anyhow::Result<()> {
    let of = |source: &KeySource| match source.file().and_then(|file| std::fs::canonicalize(file).ok()) {
        Some(file) if file == path => after.len(),
        _ => source.keys().len(),
    };
    let sources = endpoint.delivery.signature.iter().flat_map(SignatureOptions::secrets);
    let count: usize = sources.map(of).sum();
    if count <= MAX_KEYS {
        return Ok(());
    }
    let name = &endpoint.delivery.name;
    let next = after.iter().filter_map(|key| key.until).min();
    let when = next.map(|next| format!("; the next one ends at {next}")).unwrap_or_default();
    bail!(
        "a rotation is still under way: {name} would sign with {count} secrets, and at most {MAX_KEYS} are allowed{when}; \
         rotate again after that, or end the old ones now with --overlap 0s"
    )
}

/// What the operator has to do now.
fn tell(rotated: &Rotated) {
    let Rotated { endpoint, file, until, shared_with, .. } = rotated;
    let names = std::iter::once(endpoint).chain(shared_with).map(String::as_str).collect::<Vec<_>>().join(", ");
    let file = file.display();
    match until {
        Some(until) => println!("{names}: a new secret signs beside what signed before, until {until}"),
        None => println!("{names}: a new secret signs from now on, and nothing else does"),
    }
    println!("A running radhook takes it from {file} within seconds; no restart.\n");
    match (&rotated.secret, &rotated.public_key) {
        (_, Some(public)) => println!("public key  {public}"),
        (secret, None) => println!("secret      {}", secret.as_deref().unwrap_or_default()),
    }
    if rotated.secret.is_some() {
        println!("            It is shown this once. It stands in {file}.");
    }
    match until {
        Some(until) => println!(
            "\nGive it to every receiver of {names} before {until}. Until then both signatures are sent, and a receiver that\n\
             knows either takes the event; after that only the new one is."
        ),
        None => {
            println!("\nGive it to every receiver of {names} at once: until they have it, they refuse what is sent.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overlap_ends_on_a_whole_second_and_never_early() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let day = Duration::from_secs(86_400);
        assert_eq!(end(at("2026-11-25T10:00:00.25Z"), day).unwrap(), at("2026-11-26T10:00:01Z"));
        assert_eq!(end(at("2026-11-25T10:00:00Z"), day).unwrap(), at("2026-11-26T10:00:00Z"));
        assert_eq!(end(at("2026-11-25T10:00:00.25Z"), Duration::ZERO).unwrap(), at("2026-11-25T10:00:00.25Z"));
        assert!(end(Timestamp::MAX, day).is_err());
        assert!(overlap("365d").is_ok() && overlap("366d").is_err());
    }

    #[test]
    fn new_secrets_fit_their_scheme_and_no_two_are_the_same() {
        let with = |secrets| [SignatureOptions::Standard { secrets }];
        let [standard] = with(Vec::new());
        let ed25519 = SignatureOptions::Ed25519 { secrets: Vec::new() };
        let header = http::HeaderName::from_static("x-sig");
        let hmac = SignatureOptions::HmacSha256 { secrets: Vec::new(), header, prefix: String::new() };
        for (options, begins, length) in [(standard, "whsec_", 50), (ed25519, "whsk_", 49), (hmac, "", 64)] {
            let (one, other) = (made(&options).unwrap(), made(&options).unwrap());
            assert_ne!(one, other);
            let text = std::str::from_utf8(one.expose()).unwrap();
            assert!(text.starts_with(begins) && text.len() == length, "{length}");
            Signer::new(&options.with_secrets(vec![one.into()])).unwrap().can_sign().unwrap();
        }
    }
}
