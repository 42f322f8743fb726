use proptest::prelude::*;

use super::*;

const ALL: [Database; 3] = [Database::Sqlite, Database::Postgres, Database::MySql];

fn sql(text: &str, database: Database) -> String {
    Statement::parse(text, database).map_or_else(|error| format!("{}: {}", error.at, error.what), |read| read.sql)
}

#[test]
fn each_place_is_bound_in_order() {
    let text = "SELECT a FROM t WHERE login = :name OR (mac = :mac AND realm=:realm) OR alias = :name;";
    let postgres = Statement::parse(text, Database::Postgres).unwrap();
    assert_eq!(postgres.sql, "SELECT a FROM t WHERE login = $1 OR (mac = $2 AND realm=$3) OR alias = $4;");
    assert_eq!(postgres.places, [Parameter::Name, Parameter::Mac, Parameter::Realm, Parameter::Name]);
    for database in [Database::Sqlite, Database::MySql] {
        let marks = "SELECT a FROM t WHERE login = ? OR (mac = ? AND realm=?) OR alias = ?;";
        let statement = Statement::parse(text, database).unwrap();
        assert_eq!((statement.sql.as_str(), &statement.places), (marks, &postgres.places));
    }
}

#[test]
fn what_only_looks_like_a_parameter_stays() {
    for (text, expected) in [
        (
            "select x::text, ':name' from t where m = :mac::macaddr",
            "select x::text, ':name' from t where m = $1::macaddr",
        ),
        ("select E'it\\'s :name' from t where a = :name", "select E'it\\'s :name' from t where a = $1"),
        ("select 'a\\' from t where a = :name", "select 'a\\' from t where a = $1"),
        (
            "select $$:name$$, $q$ $$ :mac $q$ from t where a=:name",
            "select $$:name$$, $q$ $$ :mac $q$ from t where a=$1",
        ),
        ("select a$b$c from t where a=:name", "select a$b$c from t where a=$1"),
        (
            "/* :name /* :name */ :x */ select a[1: 2] from t where a=:name -- :y",
            "/* :name /* :name */ :x */ select a[1: 2] from t where a=$1 -- :y",
        ),
        ("select a ? 'key' from t where a=:name", "select a ? 'key' from t where a=$1"),
    ] {
        assert_eq!(sql(text, Database::Postgres), expected);
    }
    for (text, expected) in [
        (
            "select 'it\\'s :name', \":mac\" # :realm\n from t where a = :name",
            "select 'it\\'s :name', \":mac\" # :realm\n from t where a = ?",
        ),
        (
            "select @a := 5--3, `:name` from t where a = :name -- :x",
            "select @a := 5--3, `:name` from t where a = ? -- :x",
        ),
        ("call who(:name, :mac)", "call who(?, ?)"),
    ] {
        assert_eq!(sql(text, Database::MySql), expected);
    }
    for (text, expected) in [
        (
            "select [a :name], \"it\"\":mac\", 'it''s :name' from t where a = :name",
            "select [a :name], \"it\"\":mac\", 'it''s :name' from t where a = ?",
        ),
        (
            "with a as (select 1) select * from a where 'x' = :name",
            "with a as (select 1) select * from a where 'x' = ?",
        ),
        ("--:name\nselect a from t where a=:name", "--:name\nselect a from t where a=?"),
    ] {
        assert_eq!(sql(text, Database::Sqlite), expected);
    }
}

#[test]
fn what_cannot_be_asked_is_told_with_its_place() {
    for database in ALL {
        for (text, at, what) in [
            ("", 0, "another beginning than select, with or call"),
            (" delete from t where a = :name", 1, "another beginning than select, with or call"),
            ("'select' :name", 0, "another beginning than select, with or call"),
            ("selection :name", 0, "another beginning than select, with or call"),
            ("select 1 from t", 0, "no :name, :mac or :realm, so that it tells the same of everybody"),
            ("select ':name'", 0, "no :name, :mac or :realm, so that it tells the same of everybody"),
            ("select 1 where a = :names", 19, "`:names`, which is no parameter"),
            ("select 1 where a = :Name", 19, "`:Name`, which is no parameter"),
            ("select :name; drop table t", 14, "a second statement"),
            ("select 'ä' where a = :name and b = 'x", 36, "a quote that does not end"),
            ("select :name /* x", 13, "a comment that does not end"),
        ] {
            let error = Statement::parse(text, database).unwrap_err();
            assert_eq!((error.at, error.what.as_str()), (at, what), "{text} ({database:?})");
        }
    }
    for (text, database) in [
        ("select ? where a = :name", Database::MySql),
        ("select $1 where a = :name", Database::Postgres),
        ("select ?1 where a = :name", Database::Sqlite),
        ("select @a where a = :name", Database::Sqlite),
        ("select $a where a = :name", Database::Sqlite),
    ] {
        assert_eq!(sql(text, database), "7: a parameter without a name of ours", "{text}");
    }
    assert_eq!(Statement::parse("select :name;; -- done", Database::Sqlite).unwrap().places.len(), 1);
}

proptest! {
    /// Whatever stands between quotes or in comments stays there, and is no parameter.
    #[test]
    fn what_is_quoted_stays(inside in "[a-z:?$@#\\-* ;(){}äß\n]{0,24}") {
        for database in ALL {
            let mut wrapped = vec![
                format!("'{inside}'"),
                format!("\"{inside}\""),
                format!("/*{}*/", inside.replace('*', " ")),
                format!("-- {}\n", inside.replace('\n', " ")),
            ];
            match database {
                Database::Postgres => wrapped.extend([format!("$q${}$q$", inside.replace('$', "")), format!("E'\\'{inside}'")]),
                Database::MySql => wrapped.extend([format!("`{inside}`"), format!("'\\'{inside}'")]),
                Database::Sqlite => wrapped.extend([format!("`{inside}`"), format!("[{inside}]")]),
            }
            for wrapped in wrapped {
                let text = format!("select {wrapped} from t where a = :name and {wrapped} < :mac");
                let mark = |number| if database == Database::Postgres { format!("${number}") } else { "?".to_owned() };
                let expected = format!("select {wrapped} from t where a = {} and {wrapped} < {}", mark(1), mark(2));
                let statement = Statement::parse(&text, database).unwrap();
                prop_assert_eq!(&statement.sql, &expected);
                prop_assert_eq!(statement.places, [Parameter::Name, Parameter::Mac]);
            }
        }
    }

    /// No query makes it panic; what is taken has as many marks as values.
    #[test]
    fn any_text_is_read_or_refused(text in "(select |call )?[a-z:'\"`/*\\-#$\\[\\]\\\\é;@? \n]{0,40}(:name)?.{0,3}") {
        for database in ALL {
            match Statement::parse(&text, database) {
                Ok(statement) => prop_assert!(!statement.places.is_empty()),
                Err(error) => prop_assert!(text.is_char_boundary(error.at)),
            }
        }
    }
}
