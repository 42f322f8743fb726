use serde_json::json;

use super::*;

fn columns() -> Columns {
    Columns { numbers: vec!["id".to_owned()], ignore_case: false }
}

fn csv(text: &str) -> Result<Table, String> {
    read(text.as_bytes(), Form::Csv, &columns()).map_err(|error| error.to_string())
}

fn lines(text: &str) -> Result<Table, String> {
    read(text.as_bytes(), Form::Lines, &columns()).map_err(|error| error.to_string())
}

fn facts(found: Option<Arc<str>>) -> Value {
    found.map_or(Value::Null, |facts| serde_json::from_str(&facts).unwrap())
}

#[test]
fn cells_are_texts_but_for_numbers_and_what_is_empty_is_absent() {
    let table = csv("username,id,email,zip,backend_data.pms.room,backend_data.pms.floor\n\
                     alice,7,alice@example.org,01234,12,\n\
                     bob,x7,,,,\n")
    .unwrap();
    let people = table.people;
    assert_eq!(
        facts(people.by_name("alice")),
        json!({ "id": 7, "email": "alice@example.org", "zip": "01234", "backend_data": { "pms": { "room": "12" } } })
    );
    assert_eq!(facts(people.by_name("bob")), json!({ "id": "x7" }), "what is no number stays what it is");
    assert_eq!((people.rows(), facts(people.by_name("Alice"))), (2, Value::Null));
    assert_eq!(table.remarks, Vec::<String>::new());
}

#[test]
fn devices_are_found_in_any_notation_and_a_user_may_have_several() {
    let table =
        csv("\u{feff}name;mac;device\r\nalice;aa:bb:cc:dd:ee:01;phone\r\nalice;aabb.ccdd.ee02;\"a; b\"\r\n").unwrap();
    let by = |mac| facts(table.people.by_mac(Mac::parse(mac).unwrap()));
    assert_eq!(by("AA-BB-CC-DD-EE-01"), json!({ "device": "phone" }));
    assert_eq!(by("AA-BB-CC-DD-EE-02"), json!({ "device": "a; b" }));
    assert_eq!(facts(table.people.by_name("alice")), json!({ "device": "phone" }), "the first row counts");
    assert_eq!(table.remarks, Vec::<String>::new());
}

#[test]
fn objects_keep_the_types_of_their_values() {
    let table = lines(
        "{\"name\":\"alice\",\"id\":7,\"vip\":true,\"tags\":[\"a\"],\"note\":null,\"pms\":{\"room\":12,\"x\":\"\"}}\n\n{\"username\":42}\n",
    );
    let people = table.unwrap().people;
    assert_eq!(facts(people.by_name("alice")), json!({ "id": 7, "vip": true, "tags": ["a"], "pms": { "room": 12 } }));
    assert_eq!(facts(people.by_name("42")), json!({}));
}

#[test]
fn names_in_capitals_are_the_same_where_that_is_asked_for() {
    let columns = Columns { numbers: Vec::new(), ignore_case: true };
    let people = read(b"name,id\nAlice,7\n", Form::Csv, &columns).unwrap().people;
    assert_eq!(facts(people.by_name("aLICE")), json!({ "id": "7" }));
}

#[test]
fn secrets_and_what_events_say_themselves_are_left_out_and_that_is_told() {
    let table = csv("name,realm,wifi_password,email\nalice,x,hunter2,a@b\nalice,,,c@d\n").unwrap();
    assert_eq!(facts(table.people.by_name("alice")), json!({ "email": "a@b" }));
    assert_eq!(table.remarks.len(), 2, "{:?}", table.remarks);
    assert!(
        table.remarks[0].ends_with("realm, wifi_password") && table.remarks[1].ends_with("line 3"),
        "{:?}",
        table.remarks
    );
    let table = lines("{\"name\":\"alice\",\"visits\":1,\"pms\":{\"pin\":\"1234\"}}").unwrap();
    assert_eq!(facts(table.people.by_name("alice")), json!({}));
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let long = format!("name,note\nalice,\"{}", "x\n".repeat(MAX_ROW));
    for (text, message) in [
        ("name,email\nalice\n", "2: this row has 1 cells, and the header 2"),
        ("email\na@b\n", "1: it has no column `name`, `username` or `mac` by which users are found"),
        ("name,mac\nalice,\nbob,xyz\n", "3: \"xyz\" is no MAC address"),
        ("name,email\n,a@b\n", "2: this row names neither a user nor a device"),
        ("name,a,a\nalice,,\n", "1: two columns are called `a`"),
        ("name,a.b,a\nalice,,\n", "1: the column `a.b` lies in `a`, which is a column itself"),
        ("name,a..b\nalice,\n", "1: the column `a..b` has an empty part in its name"),
        (&long, "2: this row has more than 16384 bytes; is a quote missing?"),
    ] {
        assert_eq!(csv(text).map(|_| ()), Err(message.to_owned()));
    }
    for (text, message) in [
        ("{\"name\":\"alice\"}\n[]\n", "2: it is no JSON object"),
        ("{\"name\":\"alice\"\n", "1: it is no JSON: EOF while parsing an object at column 15"),
        ("{\"name\":[]}\n", "1: `name` is no text"),
    ] {
        assert_eq!(lines(text).map(|_| ()), Err(message.to_owned()));
    }
    let broken = read(b"name,a\n\xff\xfe,b\n", Form::Csv, &columns()).unwrap_err();
    assert_eq!(broken.to_string(), "2: it is not UTF-8");
}
