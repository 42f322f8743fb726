//! The store on a real disk, with sled beneath.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{changes_nothing, delete, files, options, put};
use crate::store::durable::FORMAT;
use crate::store::{Batch, Durability, DurableStore, Store, StoreError, StoreOptions};

fn open(dir: &TempDir) -> DurableStore {
    DurableStore::open(&options(dir.path())).expect("the store opens")
}

fn wait_until(mut true_at_last: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !true_at_last() {
        assert!(Instant::now() < deadline, "it never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn open_fails_and_changes_nothing(dir: &TempDir) -> StoreError {
    changes_nothing(dir.path(), || DurableStore::open(&options(dir.path())).expect_err("the store must refuse"))
}

#[test]
fn what_was_committed_is_there_after_a_clean_restart() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let long = vec![7; 100_000];
    store.commit(&put("a", "1"), Durability::Durable).unwrap();
    store.commit(&put("b", &long), Durability::Durable).unwrap();
    store.commit(&put("c", "3"), Durability::Lazy).unwrap();
    store.checkpoint().unwrap();
    store.commit(&delete("a"), Durability::Durable).unwrap();
    store.close().unwrap();
    drop(store);
    let store = open(&dir);
    assert!(store.stats().replay.clean);
    assert_eq!(store.get(b"a").unwrap(), None);
    assert_eq!(store.get(b"b").unwrap(), Some(long.clone().into()));
    let all = store.range(b"", b"z", 10).unwrap();
    assert_eq!(all, [("b".into(), long.into()), ("c".into(), b"3"[..].into())]);
}

#[test]
fn what_was_durable_is_there_after_a_stop_without_close() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    store.commit(&put("a", "1"), Durability::Durable).unwrap();
    drop(store);
    let store = open(&dir);
    assert_eq!(store.stats().replay.batches, 1);
    assert_eq!(store.get(b"a").unwrap(), Some(b"1"[..].into()));
    store.commit(&put("b", "2"), Durability::Durable).unwrap();
    store.checkpoint().unwrap();
    drop(store);
    let store = open(&dir);
    assert_eq!(store.stats().replay.batches, 0);
    assert_eq!(store.range(b"", b"z", 10).unwrap().len(), 2);
}

#[test]
fn a_second_opening_is_refused_as_locked() {
    let dir = TempDir::new().unwrap();
    let _store = open(&dir);
    assert!(matches!(DurableStore::open(&options(dir.path())), Err(StoreError::Locked { .. })));
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    open(&dir).close().unwrap();
    let newer = FORMAT + 1;
    fs::write(dir.path().join("format"), format!("{newer}\n")).unwrap();
    let error = open_fails_and_changes_nothing(&dir);
    assert!(matches!(error, StoreError::Newer { found, known: FORMAT, .. } if found == newer), "{error}");
    assert!(error.to_string().contains("Install the newer one again"), "{error}");
}

#[test]
fn an_older_format_is_copied_whole_before_it_is_raised() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    store.commit(&put("a", "1"), Durability::Durable).unwrap();
    store.close().unwrap();
    drop(store);
    fs::write(dir.path().join("format"), "1\n").unwrap();
    let before = files(dir.path());
    // What a start that was cut off left behind.
    fs::create_dir(dir.path().join("before-format-3.part")).unwrap();
    fs::write(dir.path().join("before-format-3.part/format"), "half of it").unwrap();

    let store = open(&dir);
    store.commit(&put("b", "2"), Durability::Durable).unwrap();
    store.close().unwrap();
    drop(store);

    assert_eq!(fs::read_to_string(dir.path().join("format")).unwrap(), "3\n");
    let copy = dir.path().join("before-format-3");
    assert!(before == files(&copy), "the copy is what was there");
    assert!(!dir.path().join("before-format-3.part").exists());
    // The copy opens by itself, as it was.
    let old = DurableStore::open(&options(&copy)).unwrap();
    assert_eq!(old.range(b"", b"z", 10).unwrap().len(), 1);
    old.close().unwrap();
    drop(old);
    let store = open(&dir);
    assert_eq!(store.range(b"", b"z", 10).unwrap().len(), 2);
    assert!(copy.exists(), "a copy of today stays");
}

#[test]
fn a_copy_is_removed_two_weeks_later() {
    let dir = TempDir::new().unwrap();
    open(&dir).close().unwrap();
    let copy = dir.path().join("before-format-3");
    fs::create_dir(&copy).unwrap();
    let made_at = |at: std::time::SystemTime| fs::File::open(&copy).unwrap().set_modified(at).unwrap();
    let day = Duration::from_secs(24 * 3600);
    made_at(std::time::SystemTime::now() - 13 * day);
    open(&dir).close().unwrap();
    assert!(copy.exists());
    made_at(std::time::SystemTime::now() - 15 * day);
    open(&dir).close().unwrap();
    assert!(!copy.exists());
}

#[test]
fn directories_and_files_are_closed_to_others() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("new/data");
    let store = DurableStore::open(&options(&path)).unwrap();
    store.commit(&put("a", "1"), Durability::Durable).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    // The process's umask may take more away.
    assert_eq!(mode(&path) & !0o750, 0);
    assert_eq!(mode(&path.join("journal")) & !0o750, 0);
    for file in fs::read_dir(path.join("journal")).unwrap() {
        assert_eq!(mode(&file.unwrap().path()) & !0o640, 0);
    }
}

#[test]
fn threads_share_the_work_and_every_batch_arrives() {
    let dir = TempDir::new().unwrap();
    let store = Arc::new(open(&dir));
    let threads: Vec<_> = (0..8u32)
        .map(|thread| {
            let store = store.clone();
            std::thread::spawn(move || {
                for number in 0..50u32 {
                    let key = [thread.to_be_bytes(), number.to_be_bytes()].concat();
                    store.commit(&put(&key, "x"), Durability::Durable).unwrap();
                    assert!(store.get(&key).unwrap().is_some());
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(store.range(&[], &[0xff], 1000).unwrap().len(), 400);
    assert_eq!(store.stats().figures.sequence, 400);
}

#[test]
fn a_damaged_sled_is_refused_untouched_or_has_everything() {
    for clean in [true, false] {
        let original = TempDir::new().unwrap();
        let store = open(&original);
        let value = |number: u32| number.to_be_bytes().repeat(60);
        for number in 0..200u32 {
            store.commit(&put(number.to_be_bytes(), value(number)), Durability::Durable).unwrap();
        }
        store.checkpoint().unwrap();
        if clean {
            store.close().unwrap();
        }
        drop(store);
        let all = files(original.path());
        let length = all[Path::new("sled/db")].len();
        let written = all[Path::new("sled/db")].iter().rposition(|byte| *byte != 0).unwrap();
        let mut refused = 0;
        let damages = (0..12).map(|step| written * step / 12).flat_map(|at| [(at, false), (at, true)]);
        for (at, cut) in damages.chain([(length - 1, true), (0, true)]) {
            let dir = TempDir::new().unwrap();
            for (path, bytes) in &all {
                let path = dir.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, bytes).unwrap();
            }
            let db = dir.path().join("sled/db");
            let mut bytes = fs::read(&db).unwrap();
            if cut {
                bytes.truncate(at);
            } else {
                let end = (at + 40).min(bytes.len());
                bytes[at..end].iter_mut().for_each(|byte| *byte = !*byte);
            }
            fs::write(&db, bytes).unwrap();
            match DurableStore::open(&options(dir.path())) {
                Ok(store) => {
                    let found = store.range(&[], &[0xff], 1000).unwrap();
                    assert_eq!(found.len(), 200, "clean {clean}, byte {at}, cut {cut}: silently lost");
                }
                Err(error) => {
                    assert!(matches!(error, StoreError::Table { .. }), "{error}");
                    refused += 1;
                    open_fails_and_changes_nothing(&dir);
                }
            }
        }
        assert!(refused > 5, "clean {clean}: only {refused} of the damages were refused");
    }
}

#[test]
fn a_sled_that_went_missing_or_back_in_time_is_refused() {
    let dir = TempDir::new().unwrap();
    let sled = dir.path().join("sled");
    let store = open(&dir);
    store.commit(&put("a", "1"), Durability::Durable).unwrap();
    store.close().unwrap();
    drop(store);
    let early = files(&sled);
    let store = open(&dir);
    store.commit(&put("b", "2"), Durability::Durable).unwrap();
    store.close().unwrap();
    drop(store);

    fs::rename(&sled, dir.path().join("elsewhere")).unwrap();
    let error = open_fails_and_changes_nothing(&dir);
    assert!(error.to_string().contains("missing"), "{error}");
    for (path, bytes) in early {
        let path = sled.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let error = open_fails_and_changes_nothing(&dir);
    assert!(error.to_string().contains("reaches to batch 1"), "{error}");
}

#[test]
fn a_damaged_journal_is_refused_before_sled_is_touched() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    for number in 0..5u8 {
        store.commit(&put([number], "x"), Durability::Durable).unwrap();
    }
    drop(store);
    let path = dir.path().join("journal").join(crate::store::segment::name(1));
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096 + 40] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = open_fails_and_changes_nothing(&dir);
    assert!(matches!(error, StoreError::Damaged { offset: 4096, .. }), "{error}");
}

#[test]
fn a_damaged_record_of_the_last_checkpoint_is_refused() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    store.commit(&put("a", "1"), Durability::Durable).unwrap();
    store.close().unwrap();
    drop(store);
    let path = dir.path().join("sled.checkpoint");
    let mut bytes = fs::read(&path).unwrap();
    bytes[20] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(matches!(open_fails_and_changes_nothing(&dir), StoreError::Damaged { .. }));
}

#[test]
fn a_lazy_batch_becomes_durable_by_itself() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    store.commit(&put("a", "1"), Durability::Lazy).unwrap();
    wait_until(|| store.stats().figures.sequence == 1);
    drop(store);
    assert_eq!(open(&dir).get(b"a").unwrap(), Some(b"1"[..].into()));
}

#[test]
fn checkpoints_are_made_by_themselves_and_their_time_is_told() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    store.commit(&put("a", "1"), Durability::Durable).unwrap();
    assert_eq!(store.stats().checkpointed_at, None);
    wait_until(|| store.stats().figures.checkpoint_sequence == 1);
    wait_until(|| store.stats().checkpointed_at.is_some());
    assert_eq!(store.stats().checkpoint_error, None);
}

#[test]
fn at_the_size_limit_puts_are_refused_until_deleting_made_room() {
    let dir = TempDir::new().unwrap();
    let store = DurableStore::open(&StoreOptions { max_size: 2 << 20, ..options(dir.path()) }).unwrap();
    let mut stored = 0u32;
    let refused = loop {
        match store.commit(&put(stored.to_be_bytes(), [7; 10_000]), Durability::Durable) {
            Ok(()) => stored += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::Full { limit: 2_097_152, .. }), "{refused}");
    assert!((100..210).contains(&stored), "{stored}");
    // Outcomes of deliveries still pass, lazily with puts, or as deletes alone.
    store.commit(&put("history", [7; 10_000]), Durability::Lazy).unwrap();
    for number in 0..stored / 2 {
        store.commit(&delete(number.to_be_bytes()), Durability::Durable).unwrap();
    }
    // The refusals themselves ask for the checkpoint that makes the room usable.
    wait_until(|| store.commit(&put("room", "again"), Durability::Durable).is_ok());
    assert_eq!(store.range(&[], &[0xff], 1000).unwrap().len() as u32, stored - stored / 2 + 2);
}

#[test]
fn trimmed_segments_are_kept_as_far_as_there_is_room_and_used_again() {
    let dir = TempDir::new().unwrap();
    let segment = 1 << 20;
    let small = StoreOptions { max_size: 16 << 20, journal_keep: 3 * segment, ..options(dir.path()) };
    let store = DurableStore::open(&small).unwrap();
    for round in 0..40u32 {
        store.commit(&put("k", vec![round as u8; 900_000]), Durability::Durable).unwrap();
        store.checkpoint().unwrap();
    }
    let bytes = store.stats().figures.journal_bytes;
    assert!((4 * segment..=6 * segment).contains(&bytes), "{bytes}");
    let names = fs::read_dir(dir.path().join("journal")).unwrap();
    let on_disk: u64 = names.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert_eq!(on_disk, bytes);
}

#[test]
fn sleds_file_becomes_small_again_when_little_lives_in_it_and_all_is_read_meanwhile() {
    const ENTRIES: u64 = 12_000;
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let key = |number: u64| number.to_be_bytes();
    let value = |number: u64| vec![number as u8; 3_000];
    let kept = |number: u64| number.is_multiple_of(100);
    for page in (0..ENTRIES).step_by(1_000) {
        let mut batch = Batch::default();
        (page..page + 1_000).for_each(|number| batch.put(&key(number)[..], value(number)));
        store.commit(&batch, Durability::Durable).unwrap();
    }
    store.checkpoint().unwrap();
    let largest = store.stats().figures.sled_bytes;
    assert!(largest > 16 << 20, "no more than it may always take: {largest}");
    let mut gone = Batch::default();
    (0..ENTRIES).filter(|number| !kept(*number)).for_each(|number| gone.delete(&key(number)[..]));
    store.commit(&gone, Durability::Durable).unwrap();
    store.checkpoint().unwrap();
    let mut rounds = 0;
    wait_until(|| {
        rounds += 1;
        // It is changed and read all the while.
        store.commit(&put("round", u64::to_be_bytes(rounds)), Durability::Durable).unwrap();
        store.checkpoint().unwrap();
        let number = rounds * 100 % ENTRIES;
        assert!(store.get(&key(number)).unwrap().as_deref() == Some(&value(number)), "{number} in round {rounds}");
        assert_eq!(store.get(&key(number + 1)).unwrap(), None);
        assert_eq!(store.range(&key(0), &key(ENTRIES), 1_000).unwrap().len() as u64, ENTRIES / 100);
        store.stats().figures.sled_bytes < largest / 8
    });
    store.commit(&put("after", "it"), Durability::Durable).unwrap();
    store.close().unwrap();
    drop(store);
    let store = open(&dir);
    assert!(store.stats().replay.clean);
    assert_eq!(store.get(b"after").unwrap(), Some(b"it"[..].into()));
    assert_eq!(store.get(b"round").unwrap().as_deref(), Some(&u64::to_be_bytes(rounds)[..]));
    let all = store.range(&key(0), &key(ENTRIES), 1_000).unwrap();
    assert!(all.iter().all(|(_, found)| found.len() == 3_000) && all.len() as u64 == ENTRIES / 100);
}
