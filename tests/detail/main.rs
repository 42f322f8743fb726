//! The detail source: files as they are written, rotated, truncated, deleted and compressed; and the real FreeRADIUS.

mod files;
mod following;
mod freeradius;
mod killed;
mod oddities;
mod packed;
mod source;
#[path = "../support/mod.rs"]
mod support;
