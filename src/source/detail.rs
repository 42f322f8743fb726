//! `[[source]] type = "detail"`: follows FreeRADIUS's detail files.

use super::{DetailOptions, Inlet, Running, SourceError};
use crate::exchange::Bookmark;

/// Starts it.
pub fn start(
    options: &DetailOptions,
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
