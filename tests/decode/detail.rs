//! Detail files, made up and written by FreeRADIUS.

use serde_json::json;

use crate::verb::decode_stdin;

const RECORD: &str = "Sun Nov 22 10:15:30 2026\n\tUser-Name = \"bob \\\"b\\\" \\303\\251\"\n\tUser-Password = \"hunter2\"\n\
                      \tAcct-Status-Type = Stop\n\tNAS-IP-Address = 10.0.0.1\n\tAcct-Session-Time = 3600\n\
                      \tEvent-Timestamp = \"Nov 22 2026 10:15:29 UTC\"\n\tMy-Own = \"x\"\n\tTimestamp = 1795342530\n\n";

#[test]
fn a_record_is_an_object_with_typed_attributes() {
    let packet = decode_stdin(RECORD.as_bytes(), &["--json"]).only();
    assert_eq!(
        packet,
        json!({
            "packet": 1, "line": 1, "time": "2026-11-22T10:15:30.000000Z", "header": "Sun Nov 22 10:15:30 2026",
            "type": "Accounting-Request",
            "attributes": {
                "User-Name": "bob \"b\" é", "Acct-Status-Type": "Stop", "NAS-IP-Address": "10.0.0.1",
                "Acct-Session-Time": 3600, "Event-Timestamp": "2026-11-22T10:15:29.000Z", "My-Own": "x",
                "Timestamp": "1795342530",
            },
            "redacted": ["User-Password"],
        })
    );
    let text = decode_stdin(RECORD.as_bytes(), &[]).stdout;
    assert!(text.starts_with("1    2026-11-22T10:15:30Z  record in line 1, Accounting-Request\n"), "{text}");
    assert!(text.contains("\tUser-Name         = \"bob \\\"b\\\" é\"\n\tUser-Password     = [redacted]\n"), "{text}");
}

#[test]
fn a_bad_record_is_told_with_its_place_and_the_others_are_shown() {
    let input = format!("{RECORD}yesterday\n\tNAS-Port = 1\nnonsense\n\n{RECORD}");
    let ended = decode_stdin(input.as_bytes(), &["--json"]);
    assert_eq!((ended.code, ended.json().len()), (1, 2), "{ended:?}");
    let offset = RECORD.len() + "yesterday\n\tNAS-Port = 1\n".len();
    assert_eq!(
        ended.stderr,
        format!(
            "radhook: stdin: line 13, octet {offset}: this is neither an attribute nor the empty line that ends a record; \
             the record that begins in line 11 is left out\n"
        )
    );
}

#[test]
fn a_value_of_any_length_is_read() {
    let long = "x".repeat(200_000);
    let input = format!("now\n\tClass = \"{long}\"\n\tReply-Message = \"{long}\"\n\n");
    assert_eq!(decode_stdin(input.as_bytes(), &["--json"]).only()["attributes"]["Reply-Message"], long);
}
