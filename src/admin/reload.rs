//! `POST /api/v1/reload`: the config is read again.

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::Admin;
use super::deliveries::ListError;

/// A wish that the config be read again; gets what came of it.
pub type Reload = oneshot::Sender<Reloaded>;

/// What came of reading the config again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// What is wrong with it, each with its place. Where there is anything, nothing was changed.
    pub problems: Vec<String>,
    /// Endpoints that are new.
    pub added: Vec<String>,
    /// Endpoints that are delivered to otherwise from here on.
    pub changed: Vec<String>,
    /// Endpoints that are not delivered to any more; their events stay.
    pub removed: Vec<String>,
    /// Tables of the config that changed and are only read at the start.
    pub needs_restart: Vec<String>,
}

impl Admin {
    /// Has the config read again.
    pub async fn reload(&self) -> Result<Reloaded, ListError> {
        let (answer, reloaded) = oneshot::channel();
        self.reloads.send(answer).await.map_err(|_| ListError::Stopping)?;
        reloaded.await.map_err(|_| ListError::Stopping)
    }
}
