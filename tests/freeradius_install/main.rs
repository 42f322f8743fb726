//! `radhook freeradius` on the configuration that Debian's package installs: what is installed works, does no harm, and
//! is taken out to the byte.

#[path = "../support/mod.rs"]
mod support;

mod logins;
mod stock;
mod verbs;
