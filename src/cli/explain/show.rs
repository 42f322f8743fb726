//! What was found out, for people or as JSON. Of JSON only the objects go to stdout; what else there is to say goes to stderr.

use std::io::{self, Write as _};

use serde_json::Value;

use crate::admin::explain::{Explained, Request};

/// Prints what is explained.
pub struct Printer {
    /// Bodies as they are.
    pub raw: bool,
    /// One object an endpoint.
    pub json: bool,
}

impl Printer {
    /// A packet begins.
    pub fn packet(&self, what: &str) {
        self.say(&format!("packet: {what}"));
    }

    /// Something to be said of it.
    pub fn note(&self, note: &str) {
        self.say(&format!("  {note}"));
    }

    /// An event begins.
    pub fn event(&self, event: &Value) {
        if !self.json {
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            println!("event {} {} of {}", text("id"), text("type"), text("timestamp"));
        }
    }

    /// What it is to an endpoint.
    pub fn endpoint(&self, explained: &Explained) -> anyhow::Result<()> {
        if self.json {
            println!("{}", serde_json::to_string(explained)?);
            return Ok(());
        }
        let Explained { endpoint, wanted, why, state, held, request, error, .. } = explained;
        let verb = if *wanted { "wants it" } else { "does not get it" };
        println!("\n{endpoint} {verb}: {why}");
        if let Some(state) = state {
            println!("  there it is {}", state.word());
        }
        held.iter().for_each(|held| println!("  {held}"));
        if let Some(error) = error {
            println!("  it cannot be sent: {error}");
        }
        match request {
            Some(request) => self.request(request),
            None => Ok(()),
        }
    }

    fn request(&self, request: &Request) -> anyhow::Result<()> {
        let Request { method, url, headers, body, size } = request;
        let mut out = io::stdout().lock();
        writeln!(out, "\n  {method} {url}")?;
        for (name, value) in headers {
            writeln!(out, "  {name}: {value}")?;
        }
        writeln!(out)?;
        if self.raw {
            out.write_all(body.as_bytes())?;
            if !body.ends_with('\n') {
                writeln!(out)?;
            }
        } else {
            let laid_out = serde_json::from_str::<Value>(body).and_then(|value| serde_json::to_string_pretty(&value));
            for line in laid_out.as_deref().unwrap_or(body).lines() {
                writeln!(out, "  {line}")?;
            }
        }
        match *size == body.len() {
            true => writeln!(out, "\n  {size} octets")?,
            false => writeln!(out, "\n  {} octets, {size} of them over the wire: compressed", body.len())?,
        }
        Ok(())
    }

    fn say(&self, words: &str) {
        if self.json { eprintln!("{words}") } else { println!("{words}") }
    }
}
