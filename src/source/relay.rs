//! `[[source]] type = "relay"`: stands in front and passes everything on.

use super::{Inlet, RelayOptions, Running, SourceError};

/// Starts it.
pub fn start(options: &RelayOptions, inlet: &Inlet) -> Result<Box<dyn Running>, SourceError> {
    let _ = inlet;
    Err(SourceError::Open {
        name: options.name.clone(),
        what: String::new(),
        error: std::io::ErrorKind::Unsupported.into(),
    })
}
