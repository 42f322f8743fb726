//! `[[source]] type = "local"`: takes posts from this host.

use tokio::runtime::Handle;

use super::{Inlet, LocalOptions, Running, SourceError};

/// Starts it.
pub fn start(options: &LocalOptions, inlet: &Inlet, runtime: &Handle) -> Result<Box<dyn Running>, SourceError> {
    let _ = inlet;
    Err(SourceError::Open {
        name: options.name.clone(),
        what: String::new(),
        error: std::io::ErrorKind::Unsupported.into(),
    })
}
