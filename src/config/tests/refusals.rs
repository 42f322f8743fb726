//! What every table is held to, word for word: its keys, their types, bounds and number.

use super::*;

#[test]
fn the_smallest_config_is_good() {
    assert_eq!(problems_of(""), Vec::<String>::new());
    assert_eq!(warnings_of(""), Vec::<String>::new());
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_one() {
    says("nodes = \"x\"", &["x.toml:1:1: unknown key `nodes` at the top level; did you mean `node`?"]);
    says("[stor]", &["x.toml:1:2: unknown key `stor` at the top level; did you mean `store`?"]);
    says("[store]\nzzz = 1", &["x.toml:2:1: unknown key `zzz` in [store]"]);
    says(
        "[store]\nhistory = { max_record = 1 }",
        &["x.toml:2:13: unknown key `max_record` in [store.history]; did you mean `max_records`?"],
    );
    endpoint_says("evnts = []", &["x.toml:4:1: unknown key `evnts` in [[endpoint]]; did you mean `events`?"]);
    endpoint_says("\"a\\nb\" = 1", &["x.toml:4:1: unknown key `a\\nb` in [[endpoint]]"]);
    endpoint_says(
        "[endpoint.retry]\nshedule = []",
        &["x.toml:5:1: unknown key `shedule` in [endpoint.retry]; did you mean `schedule`?"],
    );
}

#[test]
fn keys_and_values_of_later_versions_are_refused_by_that_reason() {
    says(
        "[company]\nid = 1",
        &["x.toml:1:2: `company` at the top level is not known to this version of radhook yet; remove it until it is"],
    );
    for key in ["venue", "users"] {
        let said = format!(
            "x.toml:1:3: `{key}` at the top level is not known to this version of radhook yet; remove it until it is"
        );
        says(&format!("[[{key}]]\nid = 1"), &[&said]);
    }
}

#[test]
fn what_says_how_events_go_out_is_checked_before_they_do() {
    let refused = |line: &str, said: &str| endpoint_says(line, &[said]);
    refused("batch = { max_events = 0 }", "x.toml:4:24: `max_events` is 0, and must be from 1 to 20000");
    refused("batch = { max_bytes = \"1B\" }", "x.toml:4:23: `max_bytes` is 1B, and must be from 1KiB to 16MiB");
    refused(
        "format = \"cloudevents-binary\"\nbatch = { max_events = 2 }",
        "x.toml:5:24: the format cloudevents-binary has no form for several events in one request; \
         choose another `format`, or remove it",
    );
    refused(
        "once_per = { key = [\"user.name\", \"usr.mail\"], window = \"1h\" }",
        "x.toml:4:34: `key` is \"usr.mail\", which is no field of an event; write it like \"user.name\" or \"client.mac\"",
    );
    refused(
        "once_per = { key = \"user.name\" }",
        "x.toml:4:12: [endpoint.once_per] needs `window`; add window = \"24h\"",
    );
    refused(
        "verify_origin = \"a.example\"",
        "x.toml:4:17: `verify_origin` has no meaning without verify = \"cloudevents\"; remove it",
    );
    refused(
        "verify = \"cloudevents\"\nverify_origin = \"a b\"",
        "x.toml:5:17: `verify_origin` is \"a b\", which is no DNS name; write it like \"radhook.example.com\"",
    );
    refused("retry = { max_age = \"0s\" }", "x.toml:4:21: `max_age` is 0s, and must be from 1s to 365d");
}

#[test]
fn wrong_types_say_what_was_expected_and_what_was_found() {
    endpoint_says("timeout = 10", &["x.toml:4:11: `timeout` must be a duration such as \"10s\", found the integer 10"]);
    endpoint_says("enabled = \"yes\"", &["x.toml:4:11: `enabled` must be true or false, found a string"]);
    endpoint_says("concurrency = 1.5", &["x.toml:4:15: `concurrency` must be a whole number, found the number 1.5"]);
    endpoint_says(
        "concurrency = 99999999999999999999",
        &["x.toml:4:15: `concurrency` must be a whole number, found an integer of more than 64 bits"],
    );
    endpoint_says("method = true", &["x.toml:4:10: `method` must be a word in quotes, found the boolean true"]);
    endpoint_says("events = \"*\"", &["x.toml:4:10: `events` must be an array of event types, found a string"]);
    endpoint_says(
        "events = [1]",
        &["x.toml:4:11: `events` must be an event type or pattern in quotes, found the integer 1"],
    );
    endpoint_says("retry = 3", &["x.toml:4:9: `retry` must be a table, found the integer 3"]);
    endpoint_says("order = 2026-01-01", &["x.toml:4:9: `order` must be a word in quotes, found a date or time"]);
    says("[store]\npath = []", &["x.toml:2:8: `path` must be a path in quotes, found an array"]);
    says("store = {max_size = {}}", &["x.toml:1:21: `max_size` must be a size such as \"64MiB\", found a table"]);
}

#[test]
fn single_and_double_brackets_are_told_apart() {
    let read = |text: &str| read_text(text).unwrap_err().problems[0].to_string();
    assert_eq!(
        read("[client]\nname = \"x\""),
        "radhook.toml:1:1: `client` must be an array of tables, found a table; write [[client]] with double brackets"
    );
    says("[[store]]", &["x.toml:1:1: `store` must be one table, found an array; write [store] with single brackets"]);
}

#[test]
fn what_is_missing_is_named_with_an_example() {
    says(
        "[[endpoint]]",
        &[
            "x.toml:1:1: [[endpoint]] needs `name`; add name = \"crm\"",
            "x.toml:1:1: [[endpoint]] needs `url`; add url = \"https://crm.example.com/hooks\"",
        ],
    );
    says(
        "[[client]]",
        &[
            "x.toml:1:1: [[client]] needs `address`; add address = \"127.0.0.1\"",
            "x.toml:1:1: [[client]] needs `secret`; add secret = { file = \"secret\" }",
        ],
    );
    says("[[source]]", &["x.toml:1:1: [[source]] needs `type`; add type = \"accounting\""]);
    endpoint_says(
        "signature = {}",
        &[
            "x.toml:4:13: [endpoint.signature] needs `scheme`; add scheme = \"standard\"",
            "x.toml:4:13: [endpoint.signature] needs `secret`; add secret = { file = \"crm.key\" }",
        ],
    );
}

#[test]
fn sources_that_could_not_work_are_refused() {
    let source = |text: &str| format!("[[source]]\n{text}");
    says(
        &source("type = \"relay\"\nlisten = \"127.0.0.1:1812\"\nupstream = [\"127.0.0.1:1812\", \"0.0.0.0:9\"]"),
        &[
            "x.toml:4:13: 127.0.0.1:1812 is this relay itself; move the RADIUS server to another port, and name that",
            "x.toml:4:31: 0.0.0.0:9 is nowhere to send to; write the address and port of the RADIUS server",
        ],
    );
    says(
        &source(
            "type = \"relay\"\nlisten = \"0.0.0.0:1812\"\nupstream = [\"127.0.0.1:1812\", \"10.0.0.1:1812\", \"[::1]:1812\"]",
        ),
        &["x.toml:4:13: 127.0.0.1:1812 is this relay itself; move the RADIUS server to another port, and name that"],
    );
    says(
        &source("type = \"relay\"\nlisten = \"0.0.0.0:1812\"\nupstream = \"[::1]:1812\"\npreserve_source = true"),
        &["x.toml:4:12: [::1]:1812 cannot see the address of a NAS of the other address family; \
           write a relay for each address family, or leave `preserve_source` out"],
    );
    says(
        &source("type = \"capture\""),
        &["x.toml:1:1: [[source]] needs `interface` or `file`; add interface = \"eth0\""],
    );
    says(
        &source("type = \"capture\"\ninterface = \"eth0\"\nfile = \"x.pcap\""),
        &["x.toml:1:1: [[source]] has both `interface` and `file`; keep one of them"],
    );
    says(
        &source("type = \"capture\"\ninterface = \"a name that is too long\""),
        &["x.toml:3:13: `interface` is \"a name that is too long\", which is no name of an interface; \
           `ip link` lists them; \"any\" is all of them"],
    );
    says(
        &source("type = \"local\"\nlisten = \"10.0.0.1:8464\""),
        &["x.toml:3:10: 10.0.0.1:8464 can be reached from other hosts, and whoever posts there is believed; \
           write an address of the host itself such as \"127.0.0.1:8464\", or \"unix:/path\""],
    );
    says(
        &source("type = \"detail\"\npath = [\"/log/*/detail-*\", \"/log/[/detail\"]"),
        &[
            "x.toml:3:28: the wildcards cannot be understood: invalid range pattern; * and ? stand for any characters of a \
           name, ** for any directories, [ab] for one of several; [[] is a [",
        ],
    );
}

#[test]
fn rates_and_authentication_are_checked_before_they_fail_in_the_night() {
    endpoint_says(
        "rate = \"200\"",
        &["x.toml:4:8: `rate` is \"200\", which has no /; write it like \"200/s\", \"600/m\" or \"5000/h\""],
    );
    endpoint_says(
        "rate = \"0/s\"",
        &[
            "x.toml:4:8: `rate` is \"0/s\", which must be from 1 to 100000; write it like \"200/s\", \"600/m\" or \"5000/h\"",
        ],
    );
    endpoint_says(
        "rate = \"1/w\"",
        &["x.toml:4:8: `rate` is \"1/w\", where the time is none of s, m, h and d; \
           write it like \"200/s\", \"600/m\" or \"5000/h\""],
    );
    endpoint_says(
        "auth = { type = \"bearer\", username = \"x\" }",
        &[
            "x.toml:4:8: [endpoint.auth] needs `token`; add token = { file = \"crm-token\" }",
            "x.toml:4:38: `username` means nothing with type = \"bearer\"; it belongs to basic and token",
        ],
    );
    endpoint_says(
        "auth = { type = \"basic\", username = \"a:b\", password = \"p\" }",
        &["x.toml:4:37: `username` is \"a:b\", which holds a colon; a user's name of Basic authentication cannot"],
    );
    endpoint_says(
        "headers = { Authorization = \"x\" }\nauth = { type = \"bearer\", token = \"0123456789abcdef\" }",
        &["x.toml:5:8: `auth` and `headers` both set Authorization; keep one of them"],
    );
    endpoint_says(
        "auth = { type = \"token\", url = \"http://10.0.0.9/\", field = \"t\" }",
        &["x.toml:4:32: `url` is http to another host, which sends the password unencrypted; use https"],
    );
}

#[test]
fn a_header_that_would_be_an_attribute_of_a_binary_cloudevent_is_refused() {
    let headers = "headers = { CE-Subject = \"x\", X-A = \"y\" }";
    endpoint_says(
        &format!("format = \"cloudevents-binary\"\n{headers}"),
        &["x.toml:5:11: the header ce-subject would be an attribute of the event with \
           format = \"cloudevents-binary\"; choose a name without ce-"],
    );
    endpoint_says(
        "format = \"cloudevents-binary\"\n\
         signature = { scheme = \"hmac-sha256\", secret = \"sixteen bytes or more\", header = \"ce-signature\" }",
        &["x.toml:5:13: the header ce-signature would be an attribute of the event with \
           format = \"cloudevents-binary\"; choose another `header`"],
    );
    for format in ["native", "ndjson", "cloudevents"] {
        endpoint_says(&format!("format = \"{format}\"\n{headers}"), &[]);
    }
}

#[test]
fn an_address_that_egress_denies_is_refused_where_it_stands() {
    says(
        "[egress]\ndeny = [\"10.0.0.0/8\"]\nallow = [\"10.1.2.3\"]\n\
         [[endpoint]]\nname = \"x\"\nurl = \"https://10.1.2.4\"\n[[endpoint]]\nname = \"y\"\nurl = \"https://10.1.2.3\"\n\
         auth = { type = \"oauth2\", url = \"https://10.9.9.9/\", client_id = \"x\", client_secret = \"y\" }",
        &[
            "x.toml:6:7: `url` leads to 10.1.2.4: 10.0.0.0/8 is denied by [egress]; requests never go there",
            "x.toml:10:33: `url` leads to 10.9.9.9: 10.0.0.0/8 is denied by [egress]; requests never go there",
        ],
    );
}

#[test]
fn a_key_of_ed25519_is_a_private_one() {
    for key in
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "whsk_AAAA"]
    {
        endpoint_says(
            &format!("signature = {{ scheme = \"ed25519\", secret = \"{key}\" }}"),
            &["x.toml:4:44: `secret` is no private key of Ed25519; write whsk_ and the base64 of 32 random bytes"],
        );
    }
}

#[test]
fn only_a_source_that_answers_needs_clients() {
    let text = without("client").replace("type = \"accounting\"", "type = \"relay\"\nupstream = \"127.0.0.1:11812\"");
    read_text(&text).unwrap();
}

#[test]
fn a_config_without_one_of_its_parts_would_do_nothing() {
    let problems = |text: &str| read_text(text).unwrap_err().to_string();
    assert_eq!(
        problems(&without("source")),
        "radhook.toml: there is no [[source]]: nothing would come in; \
         add one with type = \"accounting\" and listen = \"0.0.0.0:1813\"\n1 problem in the config"
    );
    assert_eq!(
        problems(&without("client")),
        "radhook.toml: there is no [[client]]: every packet would be dropped as from a stranger; \
         add one for each FreeRADIUS or NAS, with name, address and secret\n1 problem in the config"
    );
    assert_eq!(
        problems(&without("endpoint")),
        "radhook.toml: there is no [[endpoint]]: events would be stored for nobody; \
         add one with name, url and signature\n1 problem in the config"
    );
    assert_eq!(read_text("").unwrap_err().problems.len(), 2);
}

#[test]
fn numbers_and_durations_and_sizes_have_bounds() {
    endpoint_says("concurrency = 0", &["x.toml:4:15: `concurrency` is 0, and must be from 1 to 256"]);
    endpoint_says("concurrency = -1", &["x.toml:4:15: `concurrency` is -1, and must be from 1 to 256"]);
    endpoint_says("timeout = \"9ms\"", &["x.toml:4:11: `timeout` is 9ms, and must be from 10ms to 5m"]);
    endpoint_says("timeout = \"1h\"", &["x.toml:4:11: `timeout` is 1h, and must be from 10ms to 5m"]);
    endpoint_says(
        "timeout = \"10\"",
        &["x.toml:4:11: `timeout` is \"10\", which has no unit; \
           write \"10s\" for seconds; the units are d, h, m, s and ms"],
    );
    endpoint_says(
        "retry = { schedule = [\"0s\", \"1x\"], jitter = 1.1 }",
        &[
            "x.toml:4:23: `schedule` is 0s, and must be from 10ms to 30d",
            "x.toml:4:29: `schedule` is \"1x\", where \"x\" is no unit; the units are d, h, m, s and ms",
            "x.toml:4:45: `jitter` is 1.1, and must be from 0.0 to 1.0",
        ],
    );
    endpoint_says("retry.jitter = nan", &["x.toml:4:16: `jitter` is NaN, and must be from 0.0 to 1.0"]);
    let waits = vec!["\"1m\""; 33].join(", ");
    endpoint_says(
        &format!("retry.schedule = [{waits}]"),
        &["x.toml:4:18: `schedule` has 33 values, and at most 32 are allowed"],
    );
    says("[store]\nmax_size = \"1MiB\"", &["x.toml:2:12: `max_size` is 1MiB, and must be from 16MiB to 64TiB"]);
    says(
        "[store]\nmax_size = \"1GiB\"\njournal_keep = \"1GiB\"",
        &["x.toml:3:16: `journal_keep` is 1GiB, which leaves nothing of `max_size` = 1GiB; an eighth of it is 128MiB"],
    );
    says(
        "[store.history]\nkeep = \"3651d\"\nmax_records = -1",
        &[
            "x.toml:2:8: `keep` is 3651d, and must be from 0s to 3650d",
            "x.toml:3:15: `max_records` is -1, and must be from 0 to 1000000000",
        ],
    );
}

#[test]
fn names_are_short_and_printable_and_each_stands_once() {
    endpoint_says(
        "[[endpoint]]\nname = \"x\"\nurl = \"https://example.com\"",
        &["x.toml:5:8: another endpoint is called \"x\"; the first is at x.toml:2:8"],
    );
    says("node = \"\"", &["x.toml:1:8: `node` is \"\", which is empty; give it a name"]);
    says(
        "node = \"a\\u0007\"",
        &["x.toml:1:8: `node` is \"a\\u{7}\", which holds a control character; use letters, digits and signs"],
    );
    says("node = \" a\"", &["x.toml:1:8: `node` is \" a\", which begins or ends with a space; remove it"]);
    let long = "n".repeat(100);
    says(
        &format!("node = \"{long}\""),
        &[&format!("x.toml:1:8: `node` is \"{}…\", which has 100 characters; use at most 64", &long[..80])],
    );
    says(
        "[[source]]\ntype = \"accounting\"\nname = \"accounting\"\nlisten = \"127.0.0.1:0\"",
        &["x.toml:3:8: another source is called \"accounting\"; the first is at smallest.toml:6:1"],
    );
}

#[test]
fn syntax_errors_have_their_positions_too() {
    says(
        "a = \nb = 'x\n[c\n",
        &[
            "x.toml:1:5: string values must be quoted, expected literal string",
            "x.toml:2:7: invalid literal string, expected `'`",
            "x.toml:3:3: unclosed table, expected `]`",
        ],
    );
    says("a = 1\na = 2", &["x.toml:2:1: duplicate key"]);
}

#[test]
fn everything_is_reported_at_once_in_the_order_of_the_lines() {
    let text =
        "nodes = 1\n[[endpoint]]\nname = 3\nurl = \"x\"\ntimeout = 1\n[admin]\nlisten = 4\n[[client]]\nsecret = \"\"\n";
    let problems = problems_of(text);
    let lines: Vec<&str> = problems.iter().map(|line| line.split(':').nth(1).unwrap()).collect();
    assert_eq!(lines, ["1", "3", "4", "5", "7", "8", "9"], "{problems:#?}");
}

#[test]
fn how_sessions_are_told_has_bounds() {
    says(
        "[sessions]\ninterim_grace = 1\nsilent_after = \"1m\"\nresume_window = \"2d\"\nkeep_ended = \"1s\"\n\
         remember = true\n[limits]\nmax_users = 0",
        &[
            "x.toml:2:17: `interim_grace` is 1, and must be from 1.5 to 100.0",
            "x.toml:3:16: `silent_after` is 1m, and must be from 1h to 3650d",
            "x.toml:4:17: `resume_window` is 2d, and must be from 0s to 1d",
            "x.toml:5:14: `keep_ended` is 1s, and must be from 1m to 30d",
            "x.toml:6:12: `remember` must be a duration such as \"10s\", found the boolean true",
            "x.toml:8:13: `max_users` is 0, and must be from 1 to 100000000",
        ],
    );
    says(
        "[sessions]\ninterim_grace = true",
        &[
            "x.toml:2:17: `interim_grace` must be a number of intervals such as 3, or a duration such as \"15m\", found the boolean true",
        ],
    );
    says(
        "[sessions]\ninterim_grace = \"500ms\"",
        &["x.toml:2:17: `interim_grace` is 500ms, and must be from 1s to 365d"],
    );
}

#[test]
fn the_number_of_tables_is_bounded() {
    let endpoint = |number| format!("[[endpoint]]\nname = \"{number}\"\nurl = \"https://example.com\"\n");
    let endpoints = |count| (0..count).map(endpoint).collect::<String>();
    assert!(read_text(&(without("endpoint") + "\n" + &endpoints(256))).is_ok());
    says(&endpoints(256), &["x.toml:766:1: there are 257 [[endpoint]], and at most 256 are allowed"]);
    let address = |number| format!("\"127.0.0.1:{number}\"");
    let listen = |count| (1..=count).map(address).collect::<Vec<_>>().join(", ");
    says(
        &format!("[[source]]\ntype = \"accounting\"\nlisten = [{}]", listen(65)),
        &["x.toml:3:10: `listen` has 65 values, and at most 64 are allowed"],
    );
}
