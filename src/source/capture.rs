//! `[[source]] type = "capture"`: stands beside and looks on.

use super::{CaptureOptions, Inlet, Running, SourceError};
use crate::exchange::Bookmark;

/// Starts it.
pub fn start(
    options: &CaptureOptions,
    inlet: &Inlet,
    bookmarks: Vec<Bookmark>,
) -> Result<Box<dyn Running>, SourceError> {
    let _ = inlet;
    Err(SourceError::Open {
        name: options.name.clone(),
        what: String::new(),
        error: std::io::ErrorKind::Unsupported.into(),
    })
}
