//! What the verbs that talk to the daemon share: finding it by its config, and saying when it does not answer.

use std::path::Path;

use super::exit;
use crate::admin::client::{AdminClient, AdminError};
use crate::config;

/// Talks to the daemon of this config.
pub fn ask(path: &Path, talk: impl FnOnce(&AdminClient) -> anyhow::Result<u8>) -> anyhow::Result<u8> {
    // Only [admin]: a mistake elsewhere in the file, made after the daemon started, must not hide its state.
    let admin = match config::load_admin(path) {
        Ok(admin) => admin,
        Err(problems) => {
            eprintln!("{problems}");
            return Ok(exit::CONFIG_INVALID);
        }
    };
    let client = AdminClient::new(&admin)?;
    answered(path, talk(&client))
}

/// What came of talking to the daemon; where it does not answer, says so.
pub fn answered(path: &Path, talked: anyhow::Result<u8>) -> anyhow::Result<u8> {
    match talked {
        Err(error) if matches!(error.downcast_ref(), Some(AdminError::Unreachable { .. })) => {
            eprintln!("radhook: {error:#}");
            eprintln!("is it running? `systemctl status radhook`, or `radhook run --config {}`", path.display());
            Ok(exit::UNREACHABLE)
        }
        other => other,
    }
}
