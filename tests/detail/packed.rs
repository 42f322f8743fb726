//! Compressed files.

use std::fs::File;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::files::{Files, record};
use crate::source::Source;
use crate::support::verbs::wait_until;

/// Writes a compressed file as gzip leaves it: with the time of what it was made from.
fn pack(files: &Files, name: &str, text: &str) {
    let mut packer = GzEncoder::new(File::create(files.path(name)).unwrap(), Compression::default());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap();
    files.age(name, 60);
}

#[test]
fn a_compressed_file_is_read_once() {
    let files = Files::new();
    pack(&files, "detail-1.gz", &(record("one") + record("two").trim_end() + "\n"));
    let mut source = Source::with("packed", &files, true);
    source.expect(&["one", "two"]);
    source.restart();
    source.expect_only(&files, &[]);
    source.wait_for_unread(0);
}

#[test]
fn a_file_that_was_read_is_not_read_again_when_it_is_compressed_but_its_rest_is() {
    let files = Files::new();
    let text: String = (0..30).map(|number| record(&format!("s-{number}"))).collect();
    files.append("detail-1", &text);
    let mut source = Source::with("packed-later", &files, true);
    source.exchanges(30);
    source.stop();
    pack(&files, "detail-1.gz", &(text + &record("rest")));
    files.remove("detail-1");
    source.restart();
    source.expect_only(&files, &["rest"]);
    source.restart();
    source.expect_only(&files, &[]);
}

#[test]
fn a_compressed_file_is_left_alone_unless_it_is_asked_for() {
    let files = Files::new();
    pack(&files, "detail-1.gz", &record("one"));
    files.append("detail-2", "BZh91AY&SY");
    let mut source = Source::start("not-packed", &files);
    source.expect_only(&files, &[]);
    source.expect_only(&files, &[]);
    source.wait_for_unread(0);
    assert_eq!((source.files("compressed"), source.records("bad")), (2, 0));
}

#[test]
fn a_large_compressed_file_is_read_in_batches_and_goes_on_after_a_restart() {
    let files = Files::new();
    let text: String = (0..6_000).map(|number| record(&format!("s-{number}"))).collect();
    pack(&files, "detail-1.gz", &text);
    let mut source = Source::with("packed-large", &files, true);
    let batch = source.batch();
    let first = source.store(batch).len();
    assert!(first < 3_000, "{first}");
    source.restart();
    source.exchanges(6_000 - first);
    source.restart();
    source.expect_only(&files, &[]);
}

#[test]
fn a_compressed_file_that_is_damaged_is_read_as_far_as_it_goes() {
    let files = Files::new();
    let text: String = (0..3_000).map(|number| record(&format!("s-{number}"))).collect();
    pack(&files, "detail-1.gz", &text);
    let whole = std::fs::read(files.path("detail-1.gz")).unwrap();
    std::fs::write(files.path("detail-1.gz"), &whole[..whole.len() / 2]).unwrap();
    files.age("detail-1.gz", 60);
    let mut source = Source::with("packed-damaged", &files, true);
    let mut told = 0;
    wait_until("its end is found", || {
        let batch = source.batch();
        told += source.store(batch).len();
        (source.files("damaged") == 1).then_some(())
    });
    assert!((1_000..2_500).contains(&told), "{told}");
    source.expect_only(&files, &[]);
    assert_eq!(source.files("damaged"), 1);
}
