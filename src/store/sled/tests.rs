//! sled as the table.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::event::Told as ToldOf;
use crate::store::layout::{BLOCK, Held, VALUE, value_key};
use crate::store::{Key, records};

pub(super) fn at(sequence: u64) -> Position {
    Position { sequence, segment: 1, offset: 4096 }
}

pub(super) fn changes(values: impl IntoIterator<Item = (Vec<u8>, Option<Vec<u8>>)>) -> Changes {
    values.into_iter().map(|(key, value)| (key.into(), value.map(Arc::from))).collect()
}

#[test]
fn long_values_are_split_and_none_reaches_a_blob() {
    let dir = TempDir::new().unwrap();
    let sled = SledTable::open(&dir.path().join("sled"), Trust::Verify).unwrap();
    let value = |number: u8| vec![number; 4000 + usize::from(number) * 700];
    let all = changes((0..64u8).map(|number| (vec![number], Some(value(number)))));
    sled.checkpoint(&all, at(1)).unwrap();
    assert_eq!(sled.blobs(), 0);
    for number in 0..64 {
        assert_eq!(sled.get(&[number]).unwrap(), Some(value(number).into()));
    }
    assert_eq!(sled.range(&[], &[200]).count(), 64);
    sled.count().unwrap();
}

#[test]
fn a_value_that_shrinks_or_goes_leaves_no_pieces() {
    let dir = TempDir::new().unwrap();
    let sled = SledTable::open(&dir.path().join("sled"), Trust::Verify).unwrap();
    let key = b"key".to_vec();
    for (sequence, length, held) in
        [(1, Some(20_000), 2 + 1 + 5), (2, Some(9_000), 2 + 1 + 3), (3, Some(10), 2 + 1), (4, None, 2)]
    {
        let value = length.map(|length| vec![1; length]);
        sled.checkpoint(&changes([(key.clone(), value.clone())]), at(sequence)).unwrap();
        assert_eq!(sled.get(&key).unwrap(), value.map(Bytes::from));
        assert_eq!(sled.tree().unwrap().len(), held, "{length:?}");
        assert_eq!(sled.live_bytes(), length.map_or(0, |length| 3 + length as u64));
        sled.count().unwrap();
    }
}

#[test]
fn a_checkpoint_is_there_after_opening_again_with_or_without_a_close() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("sled");
    for sequence in 1..5 {
        let sled = SledTable::open(&path, Trust::Verify).unwrap();
        assert_eq!(sled.position().sequence, sequence - 1);
        let all = changes((0..300u64).map(|number| (number.to_be_bytes().to_vec(), Some(vec![sequence as u8; 50]))));
        sled.checkpoint(&all, at(sequence)).unwrap();
        if sequence % 2 == 0 {
            Box::new(sled).close().unwrap();
            assert!(Mark::read(&path).unwrap().unwrap().matches(&path));
        }
    }
}

#[test]
fn an_entry_that_vanished_is_missed_after_a_crash() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("sled");
    let sled = SledTable::open(&path, Trust::Verify).unwrap();
    let all = changes((0..300u64).map(|number| (number.to_be_bytes().to_vec(), Some(vec![7; 50]))));
    sled.checkpoint(&all, at(1)).unwrap();
    sled.tree().unwrap().remove(value_key(&17u64.to_be_bytes())).unwrap();
    sled.sync().unwrap();
    drop(sled);
    let error = SledTable::open(&path, Trust::Verify).unwrap_err();
    assert!(error.to_string().contains("300 entries"), "{error}");
}

#[test]
fn every_write_to_its_file_is_synchronous_where_the_file_system_can() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("sled");
    let sled = SledTable::open(&path, Trust::Verify).unwrap();
    assert!(is_synchronous_where_that_can_be(&sled));
}

/// Some file systems (tmpfs among them) take no such flag.
pub(super) fn is_synchronous_where_that_can_be(sled: &SledTable) -> bool {
    let other = File::create(sled.dir.with_file_name("other")).unwrap();
    let is_set = || rustix::fs::ioctl_getflags(&sled.file).unwrap().contains(rustix::fs::IFlags::SYNC);
    synchronous(&other).is_err() || is_set()
}

/// A key of every kind that shares a block, and of some that do not; few enough of each that they meet again.
fn some_key() -> impl Strategy<Value = Vec<u8>> {
    let print = |number: u8| [number % 3, 0, number, 1, number % 2, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, number];
    prop_oneof![
        (0..40u64).prop_map(|number| records::event(number).to_vec()),
        (0..3u32, 0..60u64).prop_map(|(endpoint, number)| records::pending(endpoint, number).to_vec()),
        (0..2u32, 0..60u64).prop_map(|(endpoint, number)| records::dead(endpoint, number).to_vec()),
        (0..2u32, 250..270u64).prop_map(|(endpoint, number)| records::done(endpoint, number).to_vec()),
        (0..30u8).prop_map(move |number| records::told(&print(number)).to_vec()),
        (0..30u8).prop_map(move |number| records::told_dated(&print(number)).to_vec()),
        (0..30u8).prop_map(move |number| records::session(&print(number)).to_vec()),
        (0..9i64, 0..9u64).prop_map(|(at, number)| records::due(1, at, number).to_vec()),
        prop::collection::vec(prop_oneof![Just(b'E'), Just(b'T'), Just(b'P'), any::<u8>()], 0..4),
    ]
}

fn told_of(event: u64) -> Vec<u8> {
    records::encode(&ToldOf { event, happened_at: 1, occurrence: 0, undated: None }).to_vec()
}

pub(super) fn some_change() -> impl Strategy<Value = (Vec<u8>, Option<Vec<u8>>)> {
    let length = prop_oneof![0..100usize, 700..900usize, 3_900..4_200usize, 9_000..10_000usize];
    (some_key(), prop::option::weighted(0.7, (length, any::<u8>(), 0..80u64))).prop_map(|(key, value)| {
        let told = matches!(key.first(), Some(b'T' | b'U'));
        let value = value.map(|(length, octet, event)| if told { told_of(event) } else { vec![octet; length] });
        (key, value)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn sled_holds_what_a_map_would_hold(
        checkpoints in prop::collection::vec((prop::collection::vec(some_change(), 0..60), any::<bool>()), 1..6),
        ranges in prop::collection::vec((some_key(), some_key()), 12),
    ) {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("sled");
        let mut sled = SledTable::open(&path, Trust::Verify).unwrap();
        let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        for (sequence, (batch, opens_again)) in (1..).zip(checkpoints) {
            for (key, value) in &batch {
                match value {
                    Some(value) => drop(model.insert(key.clone(), value.clone())),
                    None => drop(model.remove(key)),
                }
            }
            // The last change of a key is the one that counts, as in the overlay.
            sled.checkpoint(&changes(batch.clone()), at(sequence)).unwrap();
            if opens_again {
                drop(sled);
                sled = SledTable::open(&path, Trust::Verify).unwrap();
            }
            for (key, _) in &batch {
                prop_assert_eq!(sled.get(key).unwrap().map(|value| value.to_vec()), model.get(key).cloned(), "{:02x?}", key);
            }
            sled.count().unwrap();
        }
        let bytes: usize = model.iter().map(|(key, value)| key.len() + value.len()).sum();
        prop_assert_eq!(sled.live_bytes(), bytes as u64);
        prop_assert_eq!(sled.blobs(), 0);
        let whole = (vec![], vec![0xff; 40]);
        for (from, to) in ranges.into_iter().chain([whole]) {
            let found: Vec<_> = sled.range(&from, &to).map(|entry| entry.map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap()).collect();
            let wanted: Vec<_> = if from < to {
                model.range(from.clone()..to.clone()).map(|(key, value)| (key.clone(), value.clone())).collect()
            } else {
                Vec::new()
            };
            prop_assert_eq!(found, wanted, "{:02x?} to {:02x?}", from, to);
        }
    }
}

/// What stands in sled by itself, as all did before format 3, with pieces where it is long.
fn put_alone(sled: &SledTable, entries: &[(Key, Vec<u8>)]) {
    let mut record = *sled.record();
    let mut batch = Batch::default();
    batch.remove(crate::store::layout::BLOCKS_KEY);
    for (key, value) in entries {
        record.entries += 1;
        record.bytes += (key.len() + value.len()) as u64;
        batch.insert(value_key(key), Held::of(value).encode());
        for (number, piece) in value.chunks(crate::store::layout::PIECE).enumerate() {
            if crate::store::layout::pieces(value.len()) > 0 {
                batch.insert(crate::store::layout::piece_key(key, number), piece);
            }
        }
    }
    sled.write(batch, &record).unwrap();
}

#[test]
fn entries_of_before_are_gathered_into_blocks_and_found_there() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("sled");
    let sled = SledTable::open(&path, Trust::Verify).unwrap();
    let mut entries = Vec::new();
    for number in 0..1_000_u64 {
        let print: [u8; 16] = std::array::from_fn(|at| (number >> (at % 4 * 8)) as u8);
        entries.push((records::event(number), vec![number as u8; if number % 100 == 7 { 6_000 } else { 800 }]));
        entries.push((records::told(&print), told_of(number)));
        entries.push((records::pending(2, number), vec![1; 30]));
        entries.push((records::due(2, 5, number), Vec::new()));
    }
    put_alone(&sled, &entries);
    sled.sync().unwrap();
    drop(sled);
    // It finds them whether or not the first try was cut off half way: what was moved counts once.
    for _ in 0..2 {
        let sled = SledTable::open(&path, Trust::Reopen).unwrap();
        sled.count().unwrap();
        assert!(entries.iter().all(|(key, value)| sled.get(key).unwrap().as_deref() == Some(value)));
        assert_eq!(sled.range(b"E", b"F").count(), 1_000);
        let alone = sled.raw(&[VALUE], &[VALUE + 1]).unwrap().count();
        assert_eq!(alone, 1_000, "only what is not numbered stands by itself");
        let blocks = sled.raw(&[BLOCK], &[BLOCK + 1]).unwrap().count();
        assert_eq!(blocks, 1_000 / 4 + 2 * 1_000_usize.div_ceil(16));
        // What is changed afterwards is changed there.
        sled.checkpoint(&changes([(records::event(5).to_vec(), None)]), at(1)).unwrap();
        assert_eq!(sled.get(&records::event(5)).unwrap(), None);
        let back = changes([(records::event(5).to_vec(), Some(vec![5; 800]))]);
        sled.checkpoint(&back, at(2)).unwrap();
        sled.call(|tree| tree.remove(crate::store::layout::BLOCKS_KEY)).unwrap();
        sled.sync().unwrap();
    }
}

#[test]
fn full_blocks_reach_no_blob() {
    let dir = TempDir::new().unwrap();
    let sled = SledTable::open(&dir.path().join("sled"), Trust::Verify).unwrap();
    let events = (0..400u64).map(|number| (records::event(number).to_vec(), Some(vec![1; 4_000])));
    let failed = (0..400u64).map(|number| (records::pending(0, number).to_vec(), Some(vec![2; 2_000])));
    sled.checkpoint(&changes(events.chain(failed)), at(1)).unwrap();
    assert_eq!(sled.blobs(), 0);
    assert_eq!(sled.range(b"A", b"Z").count(), 800);
    sled.count().unwrap();
}

#[test]
fn an_entry_is_whole_while_its_neighbours_change() {
    let dir = TempDir::new().unwrap();
    let sled = SledTable::open(&dir.path().join("sled"), Trust::Verify).unwrap();
    let event = |number: u64| records::event(number).to_vec();
    let kept = vec![7; 3_000];
    sled.checkpoint(&changes([(event(2), Some(kept.clone()))]), at(1)).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !done.load(Ordering::Relaxed) || reads == 0 {
                assert!(sled.get(&event(2)).unwrap().as_deref() == Some(&kept[..]), "after {reads} reads");
                let found = sled.range(&event(2), &event(3)).collect::<Result<Vec<_>, _>>().unwrap();
                assert!(found.len() == 1 && *found[0].1 == *kept, "after {reads} reads");
                reads += 1;
            }
        });
        for round in 0..60_u64 {
            // Longer, shorter, and gone: the kept one's place in the pieces is another each time.
            let neighbour = |length: u64| (round % 3 != 2).then(|| vec![round as u8; length as usize]);
            if reader.is_finished() {
                break;
            }
            let round = [(event(1), neighbour(round % 2 * 6_000 + 500)), (event(3), neighbour(5_000))];
            sled.checkpoint(&changes(round), at(2)).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
}

#[test]
fn what_is_there_is_found_while_it_is_found_out_what_is_not() {
    // More than the filter has room for at first, so that it is made several times over.
    const KEYS: u64 = 300_000;
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("sled");
    let key = |number: u64| records::due(1, 7, number).to_vec();
    let sled = SledTable::open(&path, Trust::Verify).unwrap();
    let entries: Vec<_> = (0..KEYS).map(|number| (Key::from(key(number)), Vec::new())).collect();
    put_alone(&sled, &entries);
    drop(sled);
    let sled = SledTable::open(&path, Trust::Reopen).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !done.load(Ordering::Relaxed) || reads == 0 {
                assert!(sled.get(&key(KEYS - 1)).unwrap().is_some(), "after {reads} reads");
                reads += 1;
            }
        });
        sled.checkpoint(&changes([(key(KEYS), Some(Vec::new()))]), at(1)).unwrap();
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
}
