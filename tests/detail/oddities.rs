//! What cannot be understood, read, or followed.

use std::os::unix::fs::symlink;

use nix::sys::stat::Mode;

use crate::files::{Files, record, with};
use crate::source::{Source, sessions};

#[test]
fn a_bad_record_is_kept_with_its_place_and_the_others_are_told() {
    let files = Files::new();
    let bad = with("bad", "nonsense\n\tUser-Password = \"hunter2\"\n");
    files.append("detail", &(record("one") + &bad + &record("two")));
    let mut source = Source::start("bad", &files);
    source.expect(&["one", "two"]);
    source.wait_for_records("bad", 1);
    source.wait_for_records("accounting", 2);
    let line = (record("one") + bad.split_once("nonsense").unwrap().0).lines().count() + 1;
    let octet = record("one").len() + bad.find("nonsense").unwrap();
    let path = files.path("detail");
    let expected = format!(
        "# {}:{line}: octet {octet}: this is neither an attribute nor the empty line that ends a record\n{}",
        path.display(),
        bad.replace("\"hunter2\"", "[redacted]")
    );
    assert_eq!(source.quarantine(), expected);
    source.restart();
    source.expect_only(&files, &[]);
    assert_eq!(source.quarantine(), expected);
}

#[test]
fn a_line_that_a_crash_cut_off_is_not_believed() {
    let files = Files::new();
    let cut = record("cut").split_once("300").unwrap().0.to_owned() + "30";
    files.append("detail-1", &(record("one") + &cut));
    files.age("detail-1", 60);
    files.append("detail-2", &record("two"));
    let mut source = Source::start("cut", &files);
    source.expect(&["one", "two"]);
    source.wait_for_records("bad", 1);
    assert!(
        source.quarantine().contains("the file ends in the middle of the record's last line\n"),
        "{}",
        source.quarantine()
    );
}

#[test]
fn a_value_of_any_length_is_read() {
    let files = Files::new();
    files.append("detail", &with("long", &format!("\tReply-Message = \"{}\"\n", "x".repeat(3_000))));
    files.append("detail", &with("longer", &format!("\tClass = 0x{}\n", "ab".repeat(400_000))));
    let mut source = Source::start("long", &files);
    let exchanges = source.exchanges(2);
    assert_eq!(sessions(&exchanges), ["long", "longer"]);
    assert_eq!(exchanges[0].request.by_name("Reply-Message").unwrap().text().unwrap().len(), 3_000);
}

#[test]
fn what_is_no_file_is_left_out_and_named_once() {
    let files = Files::new();
    std::fs::create_dir(files.path("detail-directory")).unwrap();
    nix::unistd::mkfifo(&files.path("detail-fifo"), Mode::S_IRUSR).unwrap();
    symlink(files.path("detail-loop"), files.path("detail-loop")).unwrap();
    symlink(files.path("detail"), files.path("detail-link")).unwrap();
    files.append("detail", &record("one"));
    let mut source = Source::start("odd", &files);
    source.expect_only(&files, &["one"]);
    source.expect_only(&files, &[]);
    assert_eq!((source.files("not_a_file"), source.files("unreadable")), (2, 1));
}

#[test]
fn a_directory_that_cannot_be_listed_is_tried_again() {
    let files = Files::new();
    // Listing fails here for root too, whom no permission stops.
    symlink(files.path("elsewhere"), files.path("detail-1")).unwrap();
    let mut source = Source::start("later", &files);
    source.expect_only(&files, &[]);
    files.append("elsewhere", &record("one"));
    source.expect(&["one"]);
}

#[test]
fn records_that_make_no_event_are_counted_by_what_they_are() {
    let files = Files::new();
    let request = "now\n\tPacket-Type = Access-Request\n\tUser-Name = \"bob\"\n\tTimestamp = 1795342530\n\n";
    files.append("detail", &(request.to_owned() + "now\n\tUser-Name = \"bob\"\n\n" + request));
    let reply = "now\n\tPacket-Type = Access-Reject\n\tReply-Message = \"no\"\n\tTimestamp = 1795342530\n\n";
    files.append("detail", &reply.repeat(2));
    let mut source = Source::start("counted", &files);
    let replies = source.exchanges(2);
    assert_ne!(replies[0].received_at, replies[1].received_at, "two logins of one second are two");
    for (kind, count) in [("reply", 2), ("request", 2), ("other", 1), ("accounting", 0)] {
        source.wait_for_records(kind, count);
    }
}
