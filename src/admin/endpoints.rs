//! `POST /api/v1/endpoints/enable`, `/disable` and `/drop`: what an operator does to an endpoint.

use std::sync::Arc;

use crossbeam_channel::{Sender, bounded};
use serde::{Deserialize, Serialize};

use super::Admin;
use super::deliveries::ListError;
use crate::event::EventId;
use crate::intake::Command;
use crate::store::StoreError;

/// Which endpoint is meant, and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Wanted {
    /// Its name.
    pub endpoint: String,
    /// Why it is disabled, for whoever finds it so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Whether anything is different now.
    pub changed: bool,
    /// How many deliveries went with a dropped endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped: Option<usize>,
}

/// The reason where an operator gives none.
const BY_HAND: &str = "an operator disabled it";

impl Admin {
    /// Lets an endpoint be tried again. Its events go out by their due times.
    pub fn enable(&self, wanted: &Wanted) -> Result<Done, ListError> {
        self.turn(wanted, None)
    }

    /// Keeps an endpoint's events back until it is enabled.
    pub fn disable(&self, wanted: &Wanted) -> Result<Done, ListError> {
        self.turn(wanted, Some(wanted.reason.clone().unwrap_or_else(|| BY_HAND.to_owned())))
    }

    /// Forgets an endpoint that is not configured any more, with its queue, dead letters and history.
    pub fn drop_endpoint(&self, wanted: &Wanted) -> Result<Done, ListError> {
        if self.endpoints.now().iter().any(|own| *own.options.name == *wanted.endpoint) {
            return Err(ListError::Configured(wanted.endpoint.clone()));
        }
        let dropped = self.ask(wanted, |endpoint, answer| Command::Drop { endpoint, answer })?;
        Ok(Done { changed: true, dropped: Some(dropped) })
    }

    /// A receiver that was asked whether it wants events says yes. Says whether any was asked under this id.
    pub fn granted(&self, callback: EventId, per_minute: Option<u32>) -> bool {
        let endpoints = self.endpoints.now();
        let granted = endpoints.iter().find(|endpoint| endpoint.view.grant(callback, per_minute));
        granted.is_some_and(|endpoint| {
            endpoint.bell.wake();
            true
        })
    }

    fn turn(&self, wanted: &Wanted, disabled: Option<String>) -> Result<Done, ListError> {
        let changed = self.ask(wanted, |endpoint, answer| Command::Turn { endpoint, disabled, answer })?;
        Ok(Done { changed, dropped: None })
    }

    fn ask<T>(
        &self,
        wanted: &Wanted,
        command: impl FnOnce(Arc<str>, Sender<Result<Option<T>, StoreError>>) -> Command,
    ) -> Result<T, ListError> {
        let (answer, answered) = bounded(1);
        let command = command(wanted.endpoint.as_str().into(), answer);
        self.intake.commands.send(command).map_err(|_| ListError::Stopping)?;
        let done = answered.recv().map_err(|_| ListError::Stopping)??;
        done.ok_or_else(|| ListError::NoEndpoint(wanted.endpoint.clone()))
    }
}
