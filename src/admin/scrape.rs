//! `GET /metrics`: what the process has counted, and what the store knows better than any counter, since it survives a
//! restart: the conservation equation of every endpoint.

use super::Admin;
use crate::store::{StoreError, queue};

impl Admin {
    /// The metrics in the Prometheus text format, or `None` where the process counts nothing.
    pub fn scrape(&self) -> Result<Option<String>, StoreError> {
        let Some(recorder) = &self.metrics else { return Ok(None) };
        let _ = queue::endpoints(&*self.store)?;
        Ok(Some(recorder.render()))
    }
}
