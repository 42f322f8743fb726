//! What is read, in which order, and never twice: while files grow, are rotated, truncated, deleted, and over restarts.

use std::fs;

use radhook::exchange::Stored;

use crate::files::{Files, record, with};
use crate::source::{Source, sessions};

#[test]
fn files_are_read_from_the_oldest_to_the_newest_and_new_ones_as_they_come() {
    let files = Files::new();
    for (name, age) in [("detail-b", 300), ("detail-a", 200), ("detail-c", 100)] {
        files.append(name, &(record(&format!("{name}-1")) + &record(&format!("{name}-2"))));
        files.age(name, age);
    }
    let mut source = Source::start("order", &files);
    source.expect(&["detail-b-1", "detail-b-2", "detail-a-1", "detail-a-2", "detail-c-1", "detail-c-2"]);
    files.append("detail-c", &record("later"));
    source.expect(&["later"]);
    files.append("detail-d", &record("new"));
    source.expect(&["new"]);
    source.wait_for_records("accounting", 8);
}

#[test]
fn a_record_counts_when_its_empty_line_is_there() {
    let files = Files::new();
    let whole = record("half");
    let (first, second) = whole.split_at(whole.len() - 1);
    files.append("detail", &(record("one") + first));
    let mut source = Source::start("waits", &files);
    source.expect_only(&files, &["one"]);
    files.append("detail", second);
    source.expect(&["half"]);
}

#[test]
fn a_rotated_file_s_last_record_counts_without_its_empty_line() {
    let files = Files::new();
    files.append("detail-1", record("half").trim_end());
    files.append("detail-1", "\n");
    files.age("detail-1", 5);
    files.append("detail-2", &record("new"));
    let mut source = Source::start("rotated", &files);
    source.expect(&["new"]);
    // It was written but a moment ago.
    source.expect_only(&files, &[]);
    files.age("detail-1", 60);
    source.expect(&["half"]);
}

#[test]
fn a_file_that_is_renamed_keeps_its_place_and_what_follows_under_its_name_is_read() {
    let files = Files::new();
    files.append("detail", &record("one"));
    let mut source = Source::start("renamed", &files);
    source.expect(&["one"]);
    files.rename("detail", "detail.work");
    files.append("detail", &record("three"));
    files.append("detail.work", &record("two"));
    files.age("detail.work", 1);
    source.expect_only(&files, &["two", "three"]);
    source.restart();
    source.expect_only(&files, &[]);
}

#[test]
fn a_name_that_no_glob_matches_any_more_is_no_reason_to_stop_before_the_end() {
    let files = Files::new();
    files.append("detail", &record("one"));
    let mut source = Source::start("nameless", &files);
    source.expect(&["one"]);
    files.append("detail", &record("two"));
    files.rename("detail", "gone");
    source.expect(&["two"]);
    files.append("gone", &record("three"));
    source.expect(&["three"]);
}

#[test]
fn a_deleted_file_is_read_to_its_end_and_what_takes_its_place_from_its_beginning() {
    let files = Files::new();
    let mut source = Source::start("deleted", &files);
    for round in 0..5 {
        let name = |number: u32| format!("{round}-{number}");
        files.append("detail", &record(&name(1)));
        source.expect(&[&name(1)]);
        files.append("detail", &record(&name(2)));
        files.remove("detail");
        source.expect(&[&name(2)]);
    }
    assert_eq!(source.files("deleted_unread"), 0);
}

#[test]
fn a_truncated_file_is_read_anew_and_its_copy_from_where_it_was_read() {
    let files = Files::new();
    let long: String = (0..30).map(|number| record(&format!("old-{number}"))).collect();
    files.append("detail", &long);
    let mut source = Source::start("truncated", &files);
    source.exchanges(30);
    files.append("detail", &record("unread"));
    fs::copy(files.path("detail"), files.path("detail.1")).expect("it can be copied");
    files.age("detail.1", 1);
    // At once longer than it was: only by its content can it be told from the one before.
    fs::write(files.path("detail"), record("new") + &long.replace("old", "newer")).expect("it can be written");
    let told = sessions(&source.exchanges(32));
    assert_eq!(told.iter().filter(|session| session.starts_with("newer")).count(), 30);
    assert!(told.contains(&"unread".to_owned()) && told.contains(&"new".to_owned()), "{told:?}");
    source.wait_for_files("truncated", 1);
    source.restart();
    source.expect_only(&files, &[]);
}

#[test]
fn a_truncated_file_that_stays_empty_is_read_once_it_is_written_again() {
    let files = Files::new();
    files.append("detail", &record("one"));
    let mut source = Source::start("emptied", &files);
    source.expect(&["one"]);
    fs::write(files.path("detail"), "").expect("it can be truncated");
    source.expect_only(&files, &[]);
    files.append("detail", &record("two"));
    source.expect(&["two"]);
}

#[test]
fn records_that_freeradius_marks_as_done_are_not_read_again() {
    let files = Files::new();
    let text: String = (0..20).map(|number| record(&format!("s-{number}"))).collect();
    files.append("detail", &text);
    let mut source = Source::start("done", &files);
    source.exchanges(20);
    fs::write(files.path("detail"), text.replace("\tTimestamp", "\tDonestamp")).expect("it can be written");
    source.expect_only(&files, &[]);
    source.restart();
    files.append("detail", &record("more"));
    source.expect_only(&files, &["more"]);
    assert_eq!(source.files("truncated"), 0);
}

#[test]
fn a_restart_goes_on_behind_what_was_stored_and_a_refused_batch_comes_again() {
    let files = Files::new();
    files.append("detail", &(record("one") + &record("two")));
    let mut source = Source::start("refused", &files);
    for _ in 0..3 {
        let batch = source.batch();
        assert_eq!(sessions(&batch.exchanges), ["one", "two"]);
        (batch.done)(Stored::No);
    }
    // Handed in and never answered, as by a daemon that is killed.
    drop(source.batch());
    source.restart();
    source.expect(&["one", "two"]);
    source.wait_for_records("accounting", 2);
    source.restart();
    files.append("detail", &record("three"));
    source.expect(&["three"]);
    source.restart();
    source.expect_only(&files, &[]);
}

#[test]
fn content_that_comes_back_under_another_inode_is_not_read_again() {
    let files = Files::new();
    files.append("detail", &(record("one") + &record("two")));
    let mut source = Source::start("comes-back", &files);
    source.expect(&["one", "two"]);
    source.stop();
    fs::copy(files.path("detail"), files.path("saved")).expect("it can be copied");
    files.remove("detail");
    source.restart();
    source.expect_only(&files, &[]);
    files.append("saved", &record("three"));
    files.rename("saved", "detail");
    source.expect_only(&files, &["three"]);
}

#[test]
fn a_backlog_of_any_size_is_read_in_batches_of_bounded_size() {
    const RECORDS: usize = 40_000;
    let files = Files::new();
    let text: String = (0..RECORDS).map(|number| record(&format!("s-{number}"))).collect();
    files.append("detail", &text);
    files.append("detail", &with("long", &format!("\tClass = 0x{}\n", "ab".repeat(300_000))));
    let mut source = Source::start("backlog", &files);
    let mut told = Vec::new();
    while told.last().is_none_or(|last| last != "long") {
        let batch = source.batch();
        assert!(batch.exchanges.len() <= 2_048 + 64 * 1024 / record("s-1").len(), "{}", batch.exchanges.len());
        // The file is far ahead: nothing of it is read before this is stored.
        assert_eq!(batch.bookmarks.len(), 1);
        told.extend(sessions(&source.store(batch)));
    }
    let expected: Vec<String> = (0..RECORDS).map(|number| format!("s-{number}")).chain(["long".to_owned()]).collect();
    assert!(told == expected, "every record once and in order");
    source.wait_for_unread(0);
}

#[test]
fn what_stands_in_another_directory_is_another_fact_though_it_reads_the_same() {
    let files = Files::new();
    let reply = "Sun Nov 22 10:15:30 2026\n\tPacket-Type = Access-Accept\n\tTimestamp = 1795342530\n\n";
    let glob = files.path("*/reply-detail").to_str().expect("temporary directories have UTF-8 names").to_owned();
    let mut source = Source::over("directories", vec![glob], false, files.path("quarantine"));
    for nas in ["10.0.0.1", "10.0.0.2"] {
        fs::create_dir(files.path(nas)).expect("it can be made");
        files.append(&format!("{nas}/reply-detail"), reply);
        assert_eq!(source.exchanges(1)[0].origin.address.to_string(), nas);
    }
    source.stop();
    fs::rename(files.path("10.0.0.1"), files.path("gone")).expect("it can be renamed");
    fs::create_dir(files.path("10.0.0.3")).expect("it can be made");
    files.append("10.0.0.3/reply-detail", reply);
    source.restart();
    assert_eq!(source.exchanges(1)[0].origin.address.to_string(), "10.0.0.3");
}
