//! Arguments that several verbs share, and how they are read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use http::HeaderName;
use jiff::{Span, SpanRelativeTo, Timestamp};

use crate::deliver::options::SignatureOptions;
use crate::deliver::sign::{DEFAULT_HEADER, KeySource, Signer, keys};
use crate::event::EventId;
use crate::secret::Secret;

/// How requests are signed.
#[derive(Debug, clap::Args)]
pub struct SignatureArgs {
    /// Signing secret, `whsec_…` or raw, of ed25519 `whpk_…` or `whsk_…`; several during a rotation
    #[arg(long = "secret", value_name = "SECRET", conflicts_with = "secret_file")]
    secrets: Vec<String>,
    /// Reads the secrets from a file, one a line as in the config, so that they do not stand in the list of processes
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// How requests are signed
    #[arg(long, value_enum, default_value_t = SchemeArg::Standard)]
    scheme: SchemeArg,
    /// Header of hmac-sha256 [default: X-Radhook-Signature]
    #[arg(long, value_name = "NAME")]
    header: Option<HeaderName>,
    /// What stands before the hex of hmac-sha256, such as `sha256=`
    #[arg(long)]
    prefix: Option<String>,
}

/// `--scheme`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SchemeArg {
    /// Standard Webhooks v1: webhook-id, webhook-timestamp, webhook-signature
    Standard,
    /// Standard Webhooks v1a: the same headers, signed with a private key
    Ed25519,
    /// Hex HMAC-SHA256 of the body in a header of its own
    HmacSha256,
}

impl SignatureArgs {
    /// What verifies requests; `None` without a secret.
    pub fn signer(&self) -> anyhow::Result<Option<Signer>> {
        let secrets: Vec<KeySource> = match &self.secret_file {
            Some(file) => vec![KeySource::File { path: file.clone(), keys: keys::read(file)? }],
            None => self.secrets.iter().map(|secret| Secret::new(secret.as_str()).into()).collect(),
        };
        let options = match self.scheme {
            SchemeArg::Standard | SchemeArg::Ed25519 if self.header.is_some() || self.prefix.is_some() => {
                bail!("--header and --prefix belong to --scheme hmac-sha256; the headers of the others are fixed")
            }
            SchemeArg::Ed25519 => SignatureOptions::Ed25519 { secrets },
            SchemeArg::Standard => SignatureOptions::Standard { secrets },
            SchemeArg::HmacSha256 => SignatureOptions::HmacSha256 {
                secrets,
                header: self.header.clone().unwrap_or(HeaderName::from_static(DEFAULT_HEADER)),
                prefix: self.prefix.clone().unwrap_or_default(),
            },
        };
        if options.secrets().is_empty() {
            return Ok(None);
        }
        Ok(Some(Signer::new(&options)?))
    }
}

/// The content of a secret's file, without the line end an editor leaves there.
pub fn secret_from(file: &Path) -> anyhow::Result<Secret> {
    let content = std::fs::read(file).with_context(|| format!("read the secret from {}", file.display()))?;
    Ok(Secret::new(content.trim_ascii_end()))
}

/// A duration as in the config: `250ms`, `10s`, `1h30m`, `5d`; `0` needs no unit.
pub fn duration(text: &str) -> Result<Duration, String> {
    let unclear = || format!("{text:?} is no duration; write for example 250ms, 10s or 1h30m");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let span: Span = text.parse().map_err(|_| unclear())?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| unclear())?;
    Duration::try_from(duration).map_err(|_| format!("{text:?} is less than nothing"))
}

/// `--tolerance`: 0 takes any age.
pub fn tolerance(given: Duration) -> Option<Duration> {
    (!given.is_zero()).then_some(given)
}

/// A share between 0 and 1.
pub fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(format!("{text:?} is no share between 0 and 1; write for example 0.01")),
    }
}

/// An event's id.
pub fn event_id(text: &str) -> anyhow::Result<EventId> {
    EventId::parse(text)
        .with_context(|| format!("{text:?} is not an event id, such as 3f0e4c7a-52d1-8b6e-9a53-0c5d8a1be1f2"))
}

/// A time, or a span before now.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let wrong = |error: &dyn std::fmt::Display| format!("neither a time nor a span such as 90m, 2h or 3d: {error}");
    let span: Span = text.parse().map_err(|error| wrong(&error))?;
    let span = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|error| wrong(&error))?;
    let span = Duration::try_from(span).map_err(|error| wrong(&error))?;
    Timestamp::now().checked_sub(span).map_err(|error| wrong(&error))
}
