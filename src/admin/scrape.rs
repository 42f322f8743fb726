//! `GET /metrics`: what the process has counted, and what the store knows better than any counter, since it survives a
//! restart: the conservation equation of every endpoint.

use ::metrics::{counter, gauge};
use jiff::Timestamp;

use super::Admin;
use crate::metrics;
use crate::store::StoreError;

impl Admin {
    /// The metrics in the Prometheus text format, or `None` where the process counts nothing.
    pub fn scrape(&self) -> Result<Option<String>, StoreError> {
        let Some(recorder) = &self.metrics else { return Ok(None) };
        let status = self.status()?;
        let now = Timestamp::now();
        gauge!(metrics::READY).set(flag(status.ready));
        gauge!(metrics::STORE_USED).set(status.store.used as f64);
        gauge!(metrics::STORE_MAX_SIZE).set(status.store.max_size as f64);
        gauge!(metrics::CHECKPOINT_FAILING).set(flag(status.store.checkpoint_error.is_some()));
        gauge!(metrics::STORE_BLOBS).set(status.store.blobs as f64);
        gauge!(metrics::SESSIONS_OPEN).set(status.open_sessions as f64);
        gauge!(metrics::USERS_ACTIVE).set(status.active_users as f64);
        for endpoint in status.endpoints {
            let labels = [("endpoint", endpoint.name)];
            counter!(metrics::ENDPOINT_RECEIVED, &labels).absolute(endpoint.received);
            counter!(metrics::ENDPOINT_FILTERED, &labels).absolute(endpoint.filtered);
            counter!(metrics::ENDPOINT_DELIVERED, &labels).absolute(endpoint.delivered);
            counter!(metrics::ENDPOINT_COALESCED, &labels).absolute(endpoint.coalesced);
            counter!(metrics::ENDPOINT_INTERRUPTED, &labels).absolute(endpoint.interrupted);
            gauge!(metrics::ENDPOINT_RESTS, &labels).set(flag(endpoint.seen.rests_until.is_some()));
            gauge!(metrics::ENDPOINT_PENDING, &labels).set(endpoint.pending as f64);
            gauge!(metrics::ENDPOINT_DEAD, &labels).set(endpoint.dead as f64);
            let age = endpoint.oldest_pending.map_or(0.0, |at| now.duration_since(at).as_secs_f64().max(0.0));
            gauge!(metrics::ENDPOINT_OLDEST_PENDING, &labels).set(age);
            if let Some(expires) = endpoint.seen.certificate_expires {
                gauge!(metrics::ENDPOINT_CERTIFICATE_EXPIRES, &labels).set(expires.as_second() as f64);
            }
        }
        Ok(Some(recorder.render()))
    }
}

fn flag(set: bool) -> f64 {
    f64::from(u8::from(set))
}
