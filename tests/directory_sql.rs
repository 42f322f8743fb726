//! Users out of a database, through the real binary: what is joined to events, and what becomes of them when the database does not
//! answer.

#[path = "directory_sql/servers.rs"]
mod servers;
mod support;

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use servers::Server;
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use support::daemon::{Config, Daemon};
use support::http_sink::HttpSink;
use support::metrics::sum;
use support::radclient::Radclient;
use support::verbs::radhook;
use support::witness::SECRET;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const NAS: &str = "nas-to-radhook";

/// A row of each user, of SQLite.
const GUESTS: &str = "create table guests (login text, email text, room integer, vip boolean, rate real, \"address.city\" text, \
    password text); \
    insert into guests values ('alice', 'alice@example.org', 101, 1, 12.5, 'Salford', 'hunter2'), ('bob', null, null, 0, null, '', 'x');";

/// A daemon that asks a database, and its receiver.
struct Bench {
    directory: TempDir,
    sink: HttpSink,
    config: PathBuf,
}

impl Bench {
    fn new(users: impl FnOnce(&Path) -> String) -> Self {
        Self::sending("", users)
    }

    /// With further keys of the endpoint.
    fn sending(keys: &str, users: impl FnOnce(&Path) -> String) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let sink = HttpSink::start();
        let users = users(directory.path());
        let config = Config::new(directory.path(), NAS)
            .table(&format!("[users]\n{users}"))
            .endpoint("crm", &sink.url(), SECRET, &format!("events = [\"session.start\"]\n{keys}"))
            .write();
        Self { directory, sink, config }
    }

    /// A user comes: it is acknowledged, and told. Returns `data.user`.
    fn comes(&self, daemon: &Daemon, user: &str, session: &str) -> Value {
        self.logs_in(daemon, user, session);
        self.told()
    }

    fn logs_in(&self, daemon: &Daemon, user: &str, session: &str) {
        let packet = format!(
            "Acct-Status-Type = Start, User-Name = \"{user}\", Acct-Session-Id = \"{session}\", NAS-IP-Address = 192.0.2.1, \
             Calling-Station-Id = \"00-00-5E-00-53-AF\""
        );
        let answers = Radclient::accounting(daemon.accounting(), NAS).send(&[packet]);
        assert_eq!(answers.answered, 1, "{answers:?}");
    }

    fn told(&self) -> Value {
        let body = self.sink.wait_until_body();
        let event: Value = serde_json::from_slice(&body).expect("an event is JSON");
        let mut user = event["data"]["user"].clone();
        // What radhook itself knows of those who came before.
        if let Value::Object(user) = &mut user {
            user.retain(|key, _| !matches!(key.as_str(), "first_seen_at" | "sessions"));
        }
        user
    }
}

fn asked(daemon: &Daemon, result: &str) -> f64 {
    sum(daemon, "radhook_users_asked_total", &[&format!("result=\"{result}\"")])
}

fn make_guests(path: &Path) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    Runtime::new().expect("a runtime starts").block_on(async {
        let mut connection = options.connect().await.expect("SQLite opens a file");
        sqlx::raw_sql(GUESTS).execute(&mut connection).await.expect("the table can be made");
        connection.close().await.expect("the file is closed");
    });
}

#[test]
fn facts_of_a_database_stand_in_the_delivered_body_and_are_asked_for_once() {
    let bench = Bench::new(|directory| {
        let file = directory.join("guests.db");
        make_guests(&file);
        format!(
            "database = \"sqlite://{}\"\nquery = '''\n-- who is :name?\nselect * from guests where login = :name'''",
            file.display()
        )
    });
    let daemon = Daemon::start(&bench.config);
    let alice = json!({
        "name": "alice", "login": "alice", "email": "alice@example.org", "room": 101, "vip": true, "rate": 12.5,
        "address": { "city": "Salford" },
    });
    for session in ["a1", "a2", "a3"] {
        assert_eq!(bench.comes(&daemon, "alice", session)["address"], alice["address"]);
    }
    assert_eq!(bench.comes(&daemon, "alice", "a4"), alice);
    assert_eq!(asked(&daemon, "found"), 1.0, "the answer was kept");

    let bob = bench.comes(&daemon, "bob", "b1");
    assert_eq!((&bob["vip"], &bob["email"], &bob["address"]), (&json!(false), &Value::Null, &Value::Null));
    for name in ["' or 1=1 --", "alice' --", "nobody"] {
        let told = bench.comes(&daemon, name, name);
        assert_eq!((&told["name"], &told["login"]), (&json!(name), &Value::Null));
    }
    assert_eq!((asked(&daemon, "found"), asked(&daemon, "nobody"), asked(&daemon, "refused")), (2.0, 3.0, 0.0));
    assert!(daemon.stop().success());
    let shown = radhook(&bench.config, &["check", "--ask-database"]);
    assert!(shown.code == 0 && shown.stdout.contains("SQLite") && shown.stdout.contains("answers, in"), "{shown:?}");
}

#[test]
fn what_is_kept_stands_in_the_stored_event_and_the_rest_is_joined_to_all_of_a_batch() {
    let batch = "batch = { max_events = 3, max_wait = \"30s\" }";
    let bench = Bench::sending(batch, |directory| {
        let file = directory.join("guests.db");
        make_guests(&file);
        format!(
            "database = \"sqlite://{}\"\nquery = \"select room, vip from guests where login = :name\"",
            file.display()
        )
    });
    let daemon = Daemon::start(&bench.config);
    let mut told = Vec::new();
    for round in ["1", "2"] {
        for user in ["alice", "bob", "mallory"] {
            bench.logs_in(&daemon, user, &format!("{user}{round}"));
        }
        let body: Value = serde_json::from_slice(&bench.sink.wait_until_body()).expect("a batch is JSON");
        told.extend(body.as_array().expect("a batch is an array").clone());
    }
    assert_eq!(told.len(), 6);
    for (number, event) in told.iter().enumerate() {
        let id = event["id"].as_str().expect("it has an id");
        let explained = &radhook(&bench.config, &["explain", id, "--json"]).json()[0];
        let request = explained["request"]["body"].as_str().expect("it would be sent");
        let shown = radhook(&bench.config, &["events", "show", id]);
        let stored: Value = serde_json::from_str(&shown.stdout).expect("an event is JSON");
        let (stored, sent) = (&stored["data"]["user"], &event["data"]["user"]);
        let expected = match sent["name"].as_str() {
            Some("alice") => (json!(101), json!(true)),
            Some("bob") => (Value::Null, json!(false)),
            _ => (Value::Null, Value::Null),
        };
        assert_eq!((sent["room"].clone(), sent["vip"].clone()), expected, "{event}");
        assert_eq!(request.contains("\"vip\""), !expected.1.is_null(), "{request}");
        let nothing_yet = number < 3;
        assert_eq!(stored["vip"], if nothing_yet { Value::Null } else { expected.1 }, "{stored}");
    }
    assert_eq!((asked(&daemon, "found"), asked(&daemon, "nobody")), (2.0, 1.0));
    assert!(daemon.stop().success());
}

#[test]
fn a_database_that_is_not_there_at_the_start_is_asked_when_it_comes() {
    let bench = Bench::new(|directory| {
        let file = directory.join("guests.db");
        format!("database = \"sqlite://{}\"\nquery = \"select email from guests where login = :name\"", file.display())
    });
    let checked = radhook(&bench.config, &["check", "--ask-database"]);
    assert!(checked.code == 1 && checked.stdout.contains("gives no answer"), "{checked:?}");
    let daemon = Daemon::start(&bench.config);
    assert_eq!(bench.comes(&daemon, "alice", "a0")["email"], Value::Null);
    daemon.wait_until_log("does not answer");
    make_guests(&bench.directory.path().join("guests.db"));
    let mut comes = (1..).map(|session| bench.comes(&daemon, "alice", &format!("a{session}")));
    assert!(comes.by_ref().take(2_000).any(|user| user["email"] == "alice@example.org"));
    drop(comes);
    daemon.wait_until_log("answers again");
    assert!(daemon.stop().success());
}

#[test]
fn a_database_that_hangs_holds_up_nobody_for_longer_than_its_timeout_and_then_nobody_at_all() {
    // It takes connections, and says nothing.
    let hangs = TcpListener::bind("127.0.0.1:0").expect("loopback takes a TCP listener");
    let address = hangs.local_addr().expect("a bound listener has an address");
    let bench = Bench::new(|_| {
        format!(
            "database = \"postgres://radhook:hunter2@{address}/hotel\"\nquery = \"select email from guests where login = :name\"\n\
             timeout = \"5s\""
        )
    });
    let daemon = Daemon::start(&bench.config);
    // Acknowledged at once, though the one delivery under way waits for the database.
    bench.logs_in(&daemon, "alice", "a0");
    assert_eq!(bench.sink.taken(), 0);
    assert_eq!(bench.told()["email"], Value::Null);
    daemon.wait_until_log("does not answer");
    // Each would wait for five seconds.
    for number in 1..20 {
        let user = format!("user{number}");
        assert_eq!(bench.comes(&daemon, &user, &user)["name"], json!(user));
    }
    assert!(asked(&daemon, "away") <= 2.0, "it rests");
    assert_eq!(sum(&daemon, "radhook_users_missed_total", &[]), 20.0);
    let log = daemon.stderr().join("\n");
    assert!(log.contains("PostgreSQL at 127.0.0.1") && !log.contains("hunter2"), "{log}");
    let checked = radhook(&bench.config, &["check"]).stdout;
    assert!(checked.contains("PostgreSQL at 127.0.0.1") && !checked.contains("hunter2"), "{checked}");
}

#[test]
fn every_type_of_postgresql_is_told() {
    let server = Server::postgres();
    let url = format!("postgres://radhook:hunter2@localhost/postgres?host={}", server.directory().display());
    let table = "create type class as enum ('gold', 'tin'); create table guests (login text, n2 smallint, n4 int, n8 bigint, \
        f4 real, f8 double precision, d numeric(10,2), yes boolean, day date, at timestamptz, local timestamp, never timestamptz, \
        j json, jb jsonb, id uuid, c class, short char(3), nothing text, \"plan.name\" varchar(20), picture bytea); \
        insert into guests values ('alice', 2, -4, 8000000000, 1.1, 2.5, 12.50, true, '2026-01-02', '2026-01-02 03:04:05+01', \
        '2026-01-02 03:04:05', 'infinity', '{\"a\":[1]}', '{\"b\":null,\"c\":2}', '00000000-0000-4000-8000-000000000007', 'gold', \
        'abc', null, 'large', '\\xff00')";
    Runtime::new().expect("a runtime starts").block_on(async {
        let mut connection = PgConnection::connect(&url).await.expect("it is ready");
        sqlx::raw_sql(AssertSqlSafe(table)).execute(&mut connection).await.expect("the table can be made");
    });
    let query = "select g.*, 7::text as seven from guests g where login = :name and :mac::macaddr is not null and ':name' <> '' limit 1";
    let bench = Bench::new(|_| format!("database = \"{url}\"\nquery = \"{query}\""));
    let daemon = Daemon::start(&bench.config);
    let told = bench.comes(&daemon, "alice", "a1");
    assert_eq!(
        told,
        json!({
            "name": "alice", "login": "alice", "n2": 2, "n4": -4, "n8": 8_000_000_000_u64, "f4": 1.1, "f8": 2.5, "d": 12.5, "yes": true,
            "day": "2026-01-02", "at": "2026-01-02T02:04:05Z", "local": "2026-01-02T03:04:05", "j": { "a": [1] }, "jb": { "c": 2 },
            "id": "00000000-0000-4000-8000-000000000007", "c": "gold", "short": "abc", "plan": { "name": "large" }, "seven": "7",
        })
    );
    daemon.wait_until_log("\"picture\"");
    assert_eq!(bench.comes(&daemon, "' or 1=1 --", "x")["login"], Value::Null);
    assert!(daemon.stop().success());
}

#[test]
fn every_type_of_mariadb_is_told() {
    let server = Server::mariadb();
    let url = format!("mysql://root@localhost/mysql?socket={}/socket", server.directory().display());
    let table = "create database hotel; use hotel; create table guests (login varchar(64), n1 tinyint, u8 bigint unsigned, f4 float, \
        f8 double, d decimal(10,2), yes boolean, day date, at timestamp, local datetime, zero date, c enum('gold', 'tin'), \
        bin varchar(20) collate utf8mb4_bin, note text, y year, nothing text, picture blob); \
        set sql_mode = ''; insert into guests values ('alice', -1, 18446744073709551615, 1.1, 2.5, 12.50, true, '2026-01-02', \
        '2026-01-02 03:04:05', '2026-01-02 03:04:05', '0000-00-00', 'gold', 'Ä', 'long', 2026, null, x'ff00'); \
        create procedure who(in wanted varchar(64)) select note from guests where login = wanted;";
    Runtime::new().expect("a runtime starts").block_on(async {
        let mut connection = MySqlConnection::connect(&url).await.expect("it is ready");
        sqlx::raw_sql(AssertSqlSafe(table)).execute(&mut connection).await.expect("the table can be made");
    });
    let url = url.replace("/mysql?", "/hotel?");
    let bench =
        Bench::new(|_| format!("database = \"{url}\"\nquery = \"select * from guests where login = :name # :name\""));
    let daemon = Daemon::start(&bench.config);
    let told = bench.comes(&daemon, "alice", "a1");
    assert_eq!(
        told,
        json!({
            "name": "alice", "login": "alice", "n1": -1, "u8": u64::MAX, "f4": 1.1, "f8": 2.5, "d": 12.5, "yes": true,
            "day": "2026-01-02", "at": "2026-01-02T03:04:05Z", "local": "2026-01-02T03:04:05", "c": "gold", "bin": "Ä", "note": "long",
            "y": 2026,
        })
    );
    assert_eq!(bench.comes(&daemon, "' or 1=1 --", "x")["login"], Value::Null);
    assert!(daemon.stop().success());

    let bench = Bench::new(|_| format!("database = \"{url}\"\nquery = \"call who(:name)\""));
    let daemon = Daemon::start(&bench.config);
    assert_eq!(bench.comes(&daemon, "alice", "a1")["note"], "long");
    assert_eq!(bench.comes(&daemon, "alice2", "a2")["note"], Value::Null);
    assert_eq!(asked(&daemon, "refused") + asked(&daemon, "away"), 0.0);
    assert!(daemon.stop().success());
}
