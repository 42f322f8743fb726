//! What the verbs that talk to the daemon share: finding it by its config, and saying when it does not answer.

use std::path::Path;

use super::exit;
use crate::admin::client::{AdminClient, AdminError};
use crate::config::{self, Config};

/// Reads the config. Its problems are printed, all of them, and `None` is returned.
pub fn config(path: &Path) -> Option<Config> {
    match config::load(path) {
        Ok((config, _)) => Some(config),
        Err(problems) => {
            eprintln!("{problems}");
            None
        }
    }
}

/// Talks to the daemon of this config.
pub fn ask(path: &Path, talk: impl FnOnce(&AdminClient) -> anyhow::Result<u8>) -> anyhow::Result<u8> {
    let Some(config) = config(path) else { return Ok(exit::CONFIG_INVALID) };
    let client = AdminClient::new(&config.admin)?;
    match talk(&client) {
        Err(error) if matches!(error.downcast_ref(), Some(AdminError::Unreachable { .. })) => {
            eprintln!("radhook: {error:#}");
            eprintln!("is it running? `systemctl status radhook`, or `radhook run --config {}`", path.display());
            Ok(exit::UNREACHABLE)
        }
        other => other,
    }
}
