//! What the verbs share that list or change many things page by page.

use std::thread;
use std::time::Duration;

use jiff::Timestamp;

use super::arguments::{event_id, moment};
use crate::admin::selection::{Meant, PAGE};
use crate::event::EventType;

/// Which events are meant
#[derive(Debug, clap::Args)]
pub struct Which {
    /// Only of events of this type, such as session.stop
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<EventType>,
    /// Only of events that arrived since: a time (2026-11-22T10:00:00Z) or a span (90m, 2h, 3d)
    #[arg(long, value_parser = moment)]
    since: Option<Timestamp>,
    /// Only of events that arrived before: a time or a span
    #[arg(long, value_parser = moment)]
    until: Option<Timestamp>,
    /// Only of this session: Acct-Session-Id, or the event's unique_id
    #[arg(long)]
    session: Option<String>,
    /// Only of this event
    #[arg(long)]
    id: Option<String>,
}

impl Which {
    /// What the daemon is asked for.
    pub fn meant(self) -> anyhow::Result<Meant> {
        let Self { kind, since, until, session, id } = self;
        let id = id.as_deref().map(event_id).transpose()?;
        Ok(Meant { kind, since, until, session, id })
    }
}

/// Goes through the things of all pages until `each` has had enough. `page` asks for the page after the one that ended so.
/// Says whether there was more.
pub fn through<T>(
    mut page: impl FnMut(Option<String>) -> anyhow::Result<(Vec<T>, Option<String>)>,
    mut each: impl FnMut(T) -> anyhow::Result<bool>,
) -> anyhow::Result<bool> {
    let mut after = None;
    loop {
        let (things, next) = page(after)?;
        let mut things = things.into_iter();
        while let Some(thing) = things.next() {
            if !each(thing)? {
                return Ok(things.len() > 0 || next.is_some());
            }
        }
        if next.is_none() {
            return Ok(false);
        }
        after = next;
    }
}

/// How fast a deed goes that is done page by page.
#[derive(Debug, Clone, Copy)]
pub struct Speed(Option<u32>);

impl Speed {
    /// So many a second; `None` is as fast as it goes.
    pub fn new(rate: Option<u32>) -> Self {
        Self(rate)
    }

    /// How many a page may hold: no more than a second's worth.
    pub fn limit(self) -> Option<usize> {
        self.0.map(|rate| (rate as usize).min(PAGE))
    }

    /// Does all pages. `page` does the one after the one that ended so, and says how many things it did.
    pub fn each_page(
        self,
        mut page: impl FnMut(Option<String>) -> anyhow::Result<(usize, Option<String>)>,
    ) -> anyhow::Result<()> {
        let mut after = None;
        loop {
            let (done, next) = page(after)?;
            if next.is_none() {
                return Ok(());
            }
            after = next;
            if let Some(rate) = self.0 {
                thread::sleep(Duration::from_secs_f64(done as f64 / f64::from(rate)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_pages_are_gone_through_until_there_is_enough_and_what_is_left_is_told() {
        let pages = [(vec![1, 2], Some("a")), (vec![], Some("b")), (vec![3], None)];
        let go = |wanted: usize| {
            let (mut asked, mut seen) = (Vec::new(), Vec::new());
            let page = |after: Option<String>| {
                let at = asked.len();
                asked.push(after);
                Ok((pages[at].0.clone(), pages[at].1.map(str::to_owned)))
            };
            let each = |thing| {
                seen.push(thing);
                Ok(seen.len() != wanted)
            };
            let more = through(page, each).unwrap();
            (more, seen, asked)
        };
        let after = |text: &str| Some(text.to_owned());
        assert_eq!(go(0), (false, vec![1, 2, 3], vec![None, after("a"), after("b")]));
        assert_eq!(go(1), (true, vec![1], vec![None]));
        assert_eq!(go(2), (true, vec![1, 2], vec![None]));
        assert!(!go(3).0);
    }

    #[test]
    fn a_page_holds_no_more_than_a_second_s_worth() {
        let limit = |rate| Speed::new(rate).limit();
        assert_eq!((limit(None), limit(Some(2)), limit(Some(4_000_000))), (None, Some(2), Some(PAGE)));
    }
}
