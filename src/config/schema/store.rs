//! `[store]`.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::reader::Reader;
use crate::config::units::show_size;
use crate::config::value::{duration, integer, path, size};
use crate::store::StoreOptions;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const DAY: Duration = Duration::from_secs(86_400);

const DEFAULT_PATH: &str = "/var/lib/radhook";
const DEFAULT_MAX_SIZE: u64 = 8 * GIB;
const DEFAULT_JOURNAL_KEEP: u64 = GIB;
const DEFAULT_HISTORY_KEEP: Duration = DAY.saturating_mul(3);
const DEFAULT_HISTORY_RECORDS: u64 = 1_000_000;

/// Below 16 MiB there is no room for a few journal segments and a checkpoint beside them; beyond 64 TiB a typing error
/// is likelier than such a disk.
const MAX_SIZE: RangeInclusive<u64> = 16 * MIB..=64 * 1024 * GIB;

/// The share of `max_size` that the default of `journal_keep` may take: kept journal is for repair, the rest for work.
const JOURNAL_KEEP_SHARE: u64 = 8;

/// History older than ten years is an archive, which this is not.
const HISTORY_KEEP: RangeInclusive<Duration> = Duration::ZERO..=DAY.saturating_mul(3_650);

/// A billion records of some hundred bytes fill any store.
const HISTORY_RECORDS: RangeInclusive<u64> = 0..=1_000_000_000;

/// The store's options; all of them have defaults.
pub(in crate::config) fn options(top: &mut Reader<'_>) -> Option<StoreOptions> {
    let read = |table: &mut Reader<'_>| {
        let path = table.or("path", path, DEFAULT_PATH.into());
        let max_size = table.or("max_size", size(MAX_SIZE), DEFAULT_MAX_SIZE);
        let default_keep = DEFAULT_JOURNAL_KEEP.min(max_size / JOURNAL_KEEP_SHARE);
        let journal_keep = table.or("journal_keep", size(0..=*MAX_SIZE.end()), default_keep);
        if journal_keep >= max_size {
            let (keep, max) = (show_size(journal_keep), show_size(max_size));
            let what = format!("`journal_keep` is {keep}, which leaves nothing of `max_size` = {max}");
            table.scope().problem(
                table.place_of("journal_keep"),
                what,
                format!("an eighth of it is {}", show_size(max_size / 8)),
            );
        }
        let history = |history: &mut Reader<'_>| {
            let keep = history.or("keep", duration(HISTORY_KEEP), DEFAULT_HISTORY_KEEP);
            let records = history.or("max_records", integer(HISTORY_RECORDS), DEFAULT_HISTORY_RECORDS);
            (keep, records)
        };
        let history = table.table("history", history);
        let (history_keep, history_max_records) = history.unwrap_or((DEFAULT_HISTORY_KEEP, DEFAULT_HISTORY_RECORDS));
        StoreOptions { path, max_size, journal_keep, history_keep, history_max_records }
    };
    match top.node("store") {
        Some(_) => top.table("store", read),
        None => Some(StoreOptions {
            path: PathBuf::from(DEFAULT_PATH),
            max_size: DEFAULT_MAX_SIZE,
            journal_keep: DEFAULT_JOURNAL_KEEP,
            history_keep: DEFAULT_HISTORY_KEEP,
            history_max_records: DEFAULT_HISTORY_RECORDS,
        }),
    }
}
