//! What readers see: the changes since the last checkpoint, in memory, over the table that holds the rest.
//!
//! ```text
//!  unsynced   lazy batches on their way to the journal        ▲ newer
//!  active     batches in the journal, since the last freeze   │
//!  frozen     batches being moved into the table beneath      │
//!  Table      everything up to the last checkpoint            │ older
//! ```
//! A batch enters `active` when it is durable, in the order of the journal, so that what is frozen is exactly what the
//! journal holds up to a [`Position`]. A lazy batch is seen earlier, through `unsynced`.

use std::cmp::Ordering;
use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;
use std::ops::Bound;
use std::sync::Arc;

use super::seen::Seen;
use super::segment::Position;
use super::{Batch, Bytes, Key, StoreError};

/// What is known of a key: its value, or that it was removed.
pub type Change = Option<Bytes>;

/// Changes by key.
pub type Changes = BTreeMap<Key, Change>;

/// Entries of a table in key order, as they are read.
pub type Entries<'a> = Box<dyn Iterator<Item = Result<(Key, Bytes), StoreError>> + 'a>;

/// What one change takes in memory beside its key and value, roughly: two fat pointers, a count, its part of a node.
const CHANGE_OVERHEAD: u64 = 64;

/// The table beneath the journal. One checkpoint at a time; reads go on beside it.
pub trait Table: Send + Sync {
    /// What the last checkpoint named.
    fn position(&self) -> Position;

    /// Bytes of the keys and values it holds.
    fn live_bytes(&self) -> u64;

    /// Bytes its files take.
    fn disk_bytes(&self) -> u64;

    /// Files of its own that a power cut may lose; 0 is as it should be.
    fn blobs(&self) -> u64;

    /// The value under `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// The entries with `from <= key < to`, read as they are asked for.
    fn range(&self, from: &[u8], to: &[u8]) -> Entries<'_>;

    /// Takes in all changes and then the position, and returns when both survive a power cut. After an error or a crash
    /// some of the changes may be there while the position is not: taking them in again is harmless.
    fn checkpoint(&self, changes: &Changes, position: Position) -> Result<(), StoreError>;

    /// Goes on writing its files anew, a part at a time, where they take more than `floor` bytes and much more than what lives in
    /// them. Nothing is changed by it but the room they take; what goes wrong is told, and it is tried again later. Not while a
    /// checkpoint is made.
    fn renew(&self, floor: u64) -> Renewal;

    /// Ends its use in good order.
    fn close(self: Box<Self>) -> Result<(), StoreError>;
}

/// How far a table is with writing its files anew.
pub enum Renewal<T = Box<dyn Table>> {
    /// It has no reason to.
    NotDue,
    /// There is more to do.
    Going,
    /// This one holds the same and has taken its place on disk. Nothing may be put into the old one any more.
    Done(T),
}

/// A batch's operations.
#[derive(Debug, Clone)]
pub struct Operations(Vec<(Key, Change)>);

impl From<&Batch> for Operations {
    fn from(batch: &Batch) -> Operations {
        Operations(batch.operations().to_vec())
    }
}

/// The changes since the last checkpoint.
#[derive(Debug, Default)]
pub struct View {
    unsynced: BTreeMap<Key, (u64, Change)>,
    active: Changes,
    active_seen: Seen,
    active_size: Size,
    frozen: Option<Frozen>,
    freezes: u64,
    position: Position,
}

/// Changes that are being moved into the table.
#[derive(Debug, Clone)]
pub struct Frozen {
    /// The changes.
    pub changes: Arc<Changes>,
    /// Where the journal stood with the last of them.
    pub position: Position,
    seen: Arc<Seen>,
    size: Size,
}

/// How much a layer holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Keys.
    pub entries: u64,
    /// Bytes in memory, roughly.
    pub bytes: u64,
    /// Bytes of the values alone.
    pub values: u64,
    /// Bytes their batches take in the journal.
    pub journal: u64,
}

/// A part of a view, taken at one moment: changes in key order, and the moment.
#[derive(Debug)]
pub struct Slice {
    /// The newest change of each key, and the removed ones too: they mask the table.
    pub changes: Vec<(Key, Change)>,
    /// Which freeze it saw. As long as no later one began, the table holds nothing newer than this slice.
    pub freezes: u64,
}

impl View {
    /// An empty view of a journal that stands at `position`.
    pub fn new(position: Position) -> View {
        View { position, ..View::default() }
    }

    /// What is known of `key`: `None` when the table has to be asked.
    pub fn get(&self, key: &[u8]) -> Option<Change> {
        let unsynced = self.unsynced.get(key).map(|(_, change)| change);
        let active = || self.active_seen.may_hold(key).then(|| self.active.get(key)).flatten();
        let frozen = || self.frozen.as_ref().filter(|frozen| frozen.seen.may_hold(key))?.changes.get(key);
        unsynced.or_else(active).or_else(frozen).cloned()
    }

    /// The changes with `from <= key < to`, up to the one that makes `limit` values.
    pub fn slice(&self, from: &[u8], to: &[u8], limit: usize) -> Slice {
        let mut changes = Vec::new();
        if from < to {
            let bounds = (Bound::Included(from), Bound::Excluded(to));
            let unsynced = self.unsynced.range::<[u8], _>(bounds).map(|(key, (_, change))| (key, change));
            let frozen = self.frozen.as_ref().map(|frozen| frozen.changes.range::<[u8], _>(bounds));
            let newer = Newest(unsynced.peekable(), self.active.range::<[u8], _>(bounds).peekable());
            let all = Newest(newer.peekable(), frozen.into_iter().flatten().peekable());
            let mut values = 0;
            for (key, change) in all {
                if values == limit {
                    break;
                }
                values += usize::from(change.is_some());
                changes.push((key.clone(), change.clone()));
            }
        }
        Slice { changes, freezes: self.freezes }
    }

    /// How often [`View::freeze`] has begun a checkpoint.
    pub fn freezes(&self) -> u64 {
        self.freezes
    }

    /// Makes a lazy batch visible before it is durable. Tickets rise from batch to batch.
    pub fn stage(&mut self, ticket: u64, operations: &Operations) {
        for (key, change) in &operations.0 {
            self.unsynced.insert(key.clone(), (ticket, change.clone()));
        }
    }

    /// Takes in a batch that is durable now. `ticket` is the one it was staged under, if it was.
    pub fn apply(&mut self, ticket: Option<u64>, operations: Operations, journal: u64) {
        for (key, change) in operations.0 {
            if let Some(ticket) = ticket
                && let btree_map::Entry::Occupied(staged) = self.unsynced.entry(key.clone())
                && staged.get().0 <= ticket
            {
                staged.remove();
            }
            let value = change.as_ref().map_or(0, |value| value.len() as u64);
            self.active_size.bytes += value;
            self.active_size.values += value;
            match self.active.entry(key) {
                btree_map::Entry::Vacant(vacant) => {
                    self.active_seen.put(vacant.key());
                    self.active_size.entries += 1;
                    self.active_size.bytes += vacant.key().len() as u64 + CHANGE_OVERHEAD;
                    vacant.insert(change);
                }
                btree_map::Entry::Occupied(mut occupied) => {
                    let old = occupied.insert(change).map_or(0, |value| value.len() as u64);
                    self.active_size.bytes -= old;
                    self.active_size.values -= old;
                }
            }
        }
        self.active_size.journal += journal;
    }

    /// Says how far the journal is with everything taken in.
    pub fn reached(&mut self, position: Position) {
        self.position = position;
    }

    /// Begins a checkpoint: sets aside what is durable and answers it. While one is under way already, answers that
    /// one; `None` when nothing was taken in since the last.
    pub fn freeze(&mut self) -> Option<Frozen> {
        if self.frozen.is_none() && self.active_size.journal > 0 {
            self.freezes += 1;
            self.frozen = Some(Frozen {
                changes: Arc::new(std::mem::take(&mut self.active)),
                position: self.position,
                seen: Arc::new(std::mem::take(&mut self.active_seen)),
                size: std::mem::take(&mut self.active_size),
            });
        }
        self.frozen.clone()
    }

    /// Ends a checkpoint: the table holds what was set aside.
    pub fn thawed(&mut self) {
        self.frozen = None;
    }

    /// What is held, without the lazy batches on their way.
    pub fn size(&self) -> Size {
        let frozen = self.frozen.as_ref().map_or(Size::default(), |frozen| frozen.size);
        Size {
            entries: self.active_size.entries + frozen.entries,
            bytes: self.active_size.bytes + frozen.bytes,
            values: self.active_size.values + frozen.values,
            journal: self.active_size.journal + frozen.journal,
        }
    }
}

/// Two layers in key order; where both know a key, the first one's change counts.
struct Newest<A: Iterator, B: Iterator>(Peekable<A>, Peekable<B>);

impl<'a, A, B> Iterator for Newest<A, B>
where
    A: Iterator<Item = (&'a Key, &'a Change)>,
    B: Iterator<Item = (&'a Key, &'a Change)>,
{
    type Item = (&'a Key, &'a Change);

    fn next(&mut self) -> Option<Self::Item> {
        match (self.0.peek(), self.1.peek()) {
            (Some((newer, _)), Some((older, _))) if older < newer => self.1.next(),
            (Some((newer, _)), Some((older, _))) => {
                if newer == older {
                    self.1.next();
                }
                self.0.next()
            }
            (Some(_), None) => self.0.next(),
            (None, _) => self.1.next(),
        }
    }
}

/// The first `limit` entries of a slice laid over the table's.
///
/// # Errors
/// What the table answers.
pub fn merge(slice: Vec<(Key, Change)>, table: Entries<'_>, limit: usize) -> Result<Vec<(Key, Bytes)>, StoreError> {
    let mut merged = Vec::new();
    let mut slice = slice.into_iter().peekable();
    let mut table = table.peekable();
    while merged.len() < limit {
        let order = match (slice.peek(), table.peek()) {
            (None, None) => break,
            (Some((key, _)), Some(Ok((below, _)))) => key.cmp(below),
            (Some(_), None) => Ordering::Less,
            (_, Some(_)) => Ordering::Greater,
        };
        if order == Ordering::Equal {
            table.next();
        }
        if order == Ordering::Greater {
            merged.extend(table.next().transpose()?);
        } else if let Some((key, Some(value))) = slice.next() {
            merged.push((key, value));
        }
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations(changes: &[(&str, Option<&str>)]) -> Operations {
        let mut batch = Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.put(*key, value.as_bytes()),
                None => batch.delete(*key),
            }
        }
        Operations::from(&batch)
    }

    fn known(view: &View, key: &str) -> Option<Option<String>> {
        let text = |value: Arc<[u8]>| String::from_utf8_lossy(&value).into_owned();
        view.get(key.as_bytes()).map(|change| change.map(text))
    }

    fn keys(view: &View, limit: usize) -> Vec<String> {
        let slice = view.slice(b"", b"z", limit);
        let mark = |change: &Change| if change.is_some() { "" } else { "-" };
        slice.changes.iter().map(|(key, change)| mark(change).to_owned() + &String::from_utf8_lossy(key)).collect()
    }

    #[test]
    fn newer_layers_mask_older_ones() {
        let mut view = View::default();
        view.apply(None, operations(&[("a", Some("frozen")), ("b", Some("frozen")), ("c", Some("frozen"))]), 1);
        view.freeze().expect("there is something");
        view.apply(None, operations(&[("b", Some("active")), ("c", Some("active"))]), 1);
        view.stage(7, &operations(&[("c", None)]));
        assert_eq!(known(&view, "a"), Some(Some("frozen".to_owned())));
        assert_eq!(known(&view, "b"), Some(Some("active".to_owned())));
        assert_eq!(known(&view, "c"), Some(None));
        assert_eq!(known(&view, "d"), None);
        assert_eq!(keys(&view, 9), ["a", "b", "-c"]);
        view.thawed();
        assert_eq!(known(&view, "a"), None);
        assert_eq!(keys(&view, 9), ["b", "-c"]);
    }

    #[test]
    fn a_lazy_batch_stays_on_top_of_a_durable_one_that_was_committed_before_it() {
        let mut view = View::default();
        view.stage(2, &operations(&[("k", Some("lazy, second"))]));
        view.apply(None, operations(&[("k", Some("durable, first"))]), 1);
        assert_eq!(known(&view, "k"), Some(Some("lazy, second".to_owned())));
        view.apply(Some(2), operations(&[("k", Some("lazy, second"))]), 1);
        assert_eq!(known(&view, "k"), Some(Some("lazy, second".to_owned())));
        assert_eq!(view.size().entries, 1);
    }

    #[test]
    fn a_slice_ends_with_the_value_that_fills_the_limit_and_keeps_what_masks() {
        let mut view = View::default();
        view.apply(None, operations(&[("a", None), ("b", Some("1")), ("c", None), ("d", Some("2")), ("e", None)]), 1);
        assert_eq!(keys(&view, 1), ["-a", "b"]);
        assert_eq!(keys(&view, 2), ["-a", "b", "-c", "d"]);
        assert_eq!(keys(&view, 3), ["-a", "b", "-c", "d", "-e"]);
    }

    #[test]
    fn the_size_is_that_of_what_is_held() {
        let mut view = View::default();
        view.apply(None, operations(&[("key", Some("four"))]), 40);
        view.apply(None, operations(&[("key", Some("seven77"))]), 48);
        let size = Size { entries: 1, bytes: 3 + 7 + CHANGE_OVERHEAD, values: 7, journal: 88 };
        assert_eq!(view.size(), size);
        view.freeze();
        assert_eq!(view.size(), size);
        view.apply(None, operations(&[("key", None)]), 16);
        assert_eq!(view.size().values, 7);
        view.thawed();
        assert_eq!(view.size(), Size { entries: 1, bytes: 3 + CHANGE_OVERHEAD, values: 0, journal: 16 });
    }

    #[test]
    fn merging_reads_no_further_than_the_limit() {
        let table = (0..100u8).map(|number| {
            assert!(number < 5, "read too far");
            Ok((Key::from([number]), Bytes::default()))
        });
        let slice = vec![(Key::from([1]), None), (Key::from([2]), Some(Arc::from(&b"new"[..])))];
        let merged = merge(slice, Box::new(table), 3).unwrap();
        let merged: Vec<(u8, &[u8])> = merged.iter().map(|(key, value)| (key[0], &**value)).collect();
        assert_eq!(merged, [(0, &[][..]), (2, b"new"), (3, &[])]);
    }
}
