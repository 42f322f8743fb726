//! `[users]` with a database.

use super::*;

const DATABASE: &str = "[users]\ndatabase = \"sqlite:///srv/guests.db\"\n";

#[test]
fn a_query_is_refused_at_the_place_that_is_wrong() {
    let refused = |query: &str, said: &str| says(&format!("{DATABASE}query = \"{query}\""), &[said]);
    refused(
        "delete from guests where login = :name",
        "x.toml:3:10: `query` has another beginning than select, with or call; it looks users up, and changes nothing",
    );
    refused(
        "select email from guests where login = :login",
        "x.toml:3:49: `query` has `:login`, which is no parameter; \
         choose from :name, :mac, :realm; a colon of SQL's own has a space behind it",
    );
    refused(
        "select email from guests",
        "x.toml:3:10: `query` has no :name, :mac or :realm, so that it tells the same of everybody; \
         ask for somebody: select … from guests where login = :name",
    );
}

#[test]
fn where_users_stand_is_said_once_and_with_the_keys_that_belong_there() {
    let query = "query = \"select 1 where 'a' = :name\"\n";
    says(
        &format!("{DATABASE}{query}file = \"users.csv\""),
        &["x.toml:2:12: [users] has both `file` and `database`; users stand in one of them: remove the other"],
    );
    says(
        &format!("{DATABASE}{query}ignore_case = true"),
        &["x.toml:4:15: `ignore_case` belongs to `file`, which is not there; remove it, or add file"],
    );
    says(
        "[users]\nfile = \"users.csv\"\ntimeout = \"1s\"",
        &["x.toml:3:11: `timeout` belongs to `database`, which is not there; remove it, or add database"],
    );
    says(
        "[users]\nstrip_realm = true",
        &["x.toml:1:1: [users] does not say where they stand; add file = \"users.csv\", or database and query"],
    );
    says(
        DATABASE,
        &["x.toml:1:1: [users] needs `query`; add query = \"select email from guests where login = :name\""],
    );
    says(
        &format!("{DATABASE}{query}timeout = \"1m\"\ncache = {{ size = 0, ttl = \"2d\" }}"),
        &[
            "x.toml:4:11: `timeout` is 1m, and must be from 10ms to 10s",
            "x.toml:5:18: `size` is 0, and must be from 1 to 1000000",
            "x.toml:5:27: `ttl` is 2d, and must be from 1s to 1d",
        ],
    );
}

#[test]
fn a_database_that_is_none_is_refused_without_its_password() {
    for url in [
        "oracle://me:hunter2@db/x",
        "hunter2",
        "postgres://me:hunter2@db:port/x",
        "mysql://me:hunter2@db/x?ssl-mode=hunter2",
    ] {
        let problems = problems_of(&format!("[users]\ndatabase = \"{url}\"\nquery = \"select 1 where 'a' = :name\""));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].starts_with("x.toml:2:12: `database` is ") && !problems[0].contains("hunter2"),
            "{problems:?}"
        );
    }
}
