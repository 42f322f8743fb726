use std::sync::Arc;

use tempfile::TempDir;

use super::*;

fn at(sequence: u64) -> Position {
    Position { sequence, segment: 1, offset: 4096 }
}

fn changes(values: impl IntoIterator<Item = (Key, Option<Vec<u8>>)>) -> Changes {
    values.into_iter().map(|(key, value)| (key, value.map(Arc::from))).collect()
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
        assert_eq!(sled.get(&[number]).unwrap(), Some(value(number)));
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
        [(1, Some(20_000), 1 + 1 + 5), (2, Some(9_000), 1 + 1 + 3), (3, Some(10), 2), (4, None, 1)]
    {
        let value = length.map(|length| vec![1; length]);
        sled.checkpoint(&changes([(key.clone(), value.clone())]), at(sequence)).unwrap();
        assert_eq!(sled.get(&key).unwrap(), value);
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
