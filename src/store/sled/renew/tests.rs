//! A file that is written anew, seen at every part of it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::store::probe::copy_files;
use crate::store::sled::Trust;
use crate::store::sled::tests::{at, changes, is_synchronous_where_that_can_be, some_change};
use crate::store::table::Table;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn holds(table: &dyn Table, model: &Model, when: &str) {
    let found: Model = table
        .range(&[], &[0xff; 40])
        .map(|entry| entry.map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap())
        .collect();
    assert!(found == *model, "{} entries and not {}, {when}", found.len(), model.len());
    for (key, value) in model {
        assert!(table.get(key).unwrap().as_deref() == Some(value), "{key:02x?} {when}");
    }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What a kill at this moment would leave is opened, and holds all.
fn is_there_after_a_kill(dir: &Path, sequence: u64, model: &Model, when: &str) {
    let killed = TempDir::new().unwrap();
    copy_files(dir, killed.path()).unwrap();
    let table = SledTable::open(&killed.path().join("sled"), Trust::Verify).unwrap();
    assert_eq!(table.position().sequence, sequence);
    holds(&table, model, when);
    assert_eq!(names(killed.path()), ["sled", "sled.checkpoint"]);
}

/// Goes on until it is done; what is there meanwhile holds all.
fn renew_whole(table: Box<SledTable>, most: usize) -> Box<SledTable> {
    loop {
        match table.renew_part(most) {
            Renewal::Done(anew) => return anew,
            Renewal::Going => {}
            Renewal::NotDue => panic!("it failed"),
        }
    }
}

fn put(numbers: std::ops::Range<u64>, length: usize) -> (crate::store::table::Changes, Model) {
    let entries: Vec<_> = numbers.map(|number| (number.to_be_bytes().to_vec(), vec![number as u8; length])).collect();
    (changes(entries.iter().map(|(key, value)| (key.clone(), Some(value.clone())))), entries.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn between_any_two_parts_it_holds_what_it_held_and_takes_in_what_comes(
        checkpoints in prop::collection::vec((prop::collection::vec(some_change(), 0..60), 0..4usize), 3..9),
        most in 1..40usize,
        killed_at in 0..16usize,
    ) {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("sled");
        let mut table = Box::new(SledTable::open(&path, Trust::Verify).unwrap());
        let mut model = Model::new();
        let mut parts_done = 0;
        for (sequence, (batch, parts)) in (1..).zip(checkpoints) {
            for (key, value) in &batch {
                match value {
                    Some(value) => drop(model.insert(key.clone(), value.clone())),
                    None => drop(model.remove(key)),
                }
            }
            table.checkpoint(&changes(batch), at(sequence)).unwrap();
            table.count().unwrap();
            for _ in 0..parts {
                match table.renew_part(most) {
                    Renewal::Done(anew) => table = anew,
                    Renewal::Going => {}
                    Renewal::NotDue => prop_assert!(false, "it failed"),
                }
                table.count().unwrap();
                holds(&*table, &model, "between two parts");
                if parts_done == killed_at {
                    is_there_after_a_kill(dir.path(), sequence, &model, "after a kill");
                }
                parts_done += 1;
            }
        }
        table.close().unwrap();
        prop_assert_eq!(names(dir.path()), ["sled", "sled.checkpoint"]);
        holds(&SledTable::open(&path, Trust::Verify).unwrap(), &model, "opened again");
    }
}

#[test]
fn a_file_of_which_little_lives_becomes_small() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("sled");
    let table = Box::new(SledTable::open(&path, Trust::Verify).unwrap());
    let (all, _) = put(0..4_000, 3_000);
    table.checkpoint(&all, at(1)).unwrap();
    let (kept, model) = put(0..200, 100);
    let gone = changes((200..4_000).map(|number: u64| (number.to_be_bytes().to_vec(), None)));
    table.checkpoint(&kept.into_iter().chain(gone).collect(), at(2)).unwrap();
    let before = table.disk_bytes();
    assert!(matches!(table.renew(before), Renewal::NotDue), "so much it may always take");
    assert!(table.is_to_be_renewed(before - 1));
    let anew = renew_whole(table, 64);
    assert!(anew.disk_bytes() * 4 < before, "{} of {before}", anew.disk_bytes());
    assert!(matches!(anew.renew(0), Renewal::NotDue), "it was written anew just now");
    holds(&*anew, &model, "written anew");
    assert!(is_synchronous_where_that_can_be(&anew), "what it writes from here on must be safe");
    assert_eq!(anew.position(), at(2));
    anew.checkpoint(&put(7..8, 5).0, at(3)).unwrap();
    drop(anew);
    let opened = SledTable::open(&path, Trust::Verify).unwrap();
    assert_eq!(opened.get(&7_u64.to_be_bytes()).unwrap().as_deref(), Some(&[7; 5][..]));
}

#[test]
fn of_two_that_a_kill_left_the_one_in_place_is_taken_and_the_other_removed() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("sled");
    let table = Box::new(SledTable::open(&path, Trust::Verify).unwrap());
    let (all, model) = put(0..500, 100);
    table.checkpoint(&all, at(7)).unwrap();
    let (old, killed) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    copy_files(&path, old.path()).unwrap();
    drop(renew_whole(table, 100));
    // Exchanged, and the old one not removed yet; not exchanged yet, and the new one whole.
    for (in_place, beside) in [(path.as_path(), old.path()), (old.path(), path.as_path())] {
        let sled = killed.path().join("sled");
        copy_files(in_place, &sled).unwrap();
        copy_files(beside, &killed.path().join("sled.anew-7")).unwrap();
        fs::copy(path.with_extension("checkpoint"), sled.with_extension("checkpoint")).unwrap();
        holds(&SledTable::open(&sled, Trust::Verify).unwrap(), &model, "opened after the kill");
        assert_eq!(names(killed.path()), ["sled", "sled.checkpoint"]);
        fs::remove_dir_all(&sled).unwrap();
    }
}

#[test]
fn where_it_cannot_be_written_anew_all_goes_on_with_what_is_there() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("sled");
    let table = Box::new(SledTable::open(&path, Trust::Verify).unwrap());
    // Far more was there than is.
    table.checkpoint(&put(0..500, 4_000).0, at(0)).unwrap();
    let (all, mut model) = put(0..500, 10);
    table.checkpoint(&all, at(1)).unwrap();
    // Something stands where the copy would.
    let in_the_way = path.with_extension("anew-1");
    fs::write(&in_the_way, "").unwrap();
    assert!(table.is_to_be_renewed(0));
    assert!(matches!(table.renew(0), Renewal::NotDue));
    fs::remove_file(&in_the_way).unwrap();
    assert!(!table.is_to_be_renewed(0), "not again at once");
    table.renewing().failed = None;
    // It fails half way.
    assert!(matches!(table.renew_part(100), Renewal::Going));
    drop(table.renewing().copy.as_mut().unwrap().table.open.take());
    let (more, also) = put(0..3, 10);
    table.checkpoint(&more, at(2)).unwrap();
    model.extend(also);
    assert!(!table.is_renewing() && !table.is_to_be_renewed(0));
    holds(&*table, &model, "after failures");
    assert_eq!(names(dir.path()), ["sled", "sled.checkpoint"]);
    // And when it is closed half way nothing is left of it.
    table.renewing().failed = None;
    assert!(matches!(table.renew_part(100), Renewal::Going));
    table.close().unwrap();
    assert_eq!(names(dir.path()), ["sled", "sled.checkpoint"]);
    holds(&SledTable::open(&path, Trust::Verify).unwrap(), &model, "opened again");
}
