//! `[users]`.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::reader::{Reader, Scope, WORLD_READABLE, shown};
use crate::config::secret::secret;
use crate::config::tree::{Node, Value};
use crate::config::value::{duration, flag, integer, list, name, parsed, path};
use crate::directory::file;
use crate::directory::sql::statement::Statement;
use crate::directory::sql::{Address, SqlOptions};
use crate::directory::table::{Columns, Form};
use crate::directory::{FileOptions, UsersOptions};
use crate::stamp::Stamp;

/// The most columns that can be declared to hold numbers: as many as a file has.
const MAX_NUMBERS: usize = 128;

/// Purple's and others' ids are numbers.
const DEFAULT_NUMBERS: &str = "id";

/// The longest query, in bytes: longer ones belong into a view or a procedure.
const MAX_QUERY: usize = 16 * 1024;

/// Answers that are kept. Each takes what its row says, in memory, so that a million of long ones is much.
const CACHE_SIZE: RangeInclusive<u64> = 1..=1_000_000;
const DEFAULT_CACHE_SIZE: u64 = 10_000;

/// How long answers are kept: a changed row is told after that.
const CACHE_TTL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);
const DEFAULT_CACHE_TTL: Duration = Duration::from_secs(300);

/// How long the database is waited for, and so the longest that it delays a delivery.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(10);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);

/// Keys that say how a file is read, and those that say how a database is asked.
const OF_FILE: [&str; 2] = ["numbers", "ignore_case"];
const OF_DATABASE: [&str; 3] = ["query", "cache", "timeout"];

/// Who users are; absent where that is not asked for.
pub(super) fn options(top: &mut Reader<'_>) -> Option<UsersOptions> {
    top.table("users", |table| {
        let path = table.optional("file", path);
        let strip_realm = table.or("strip_realm", flag, false);
        let ignore_case = table.or("ignore_case", flag, false);
        let numbers = table.optional("numbers", list("an array of columns", MAX_NUMBERS, name));
        let numbers = match numbers {
            Some(numbers) => numbers.iter().map(|name| name.to_string()).collect(),
            None => vec![DEFAULT_NUMBERS.to_owned()],
        };
        let database = database(table);
        let (in_file, in_database) = (table.has("file"), table.has("database"));
        if in_file && in_database {
            let what = "[users] has both `file` and `database`";
            table.scope().problem(
                table.place_of("database"),
                what,
                "users stand in one of them: remove the other".to_owned(),
            );
        } else if !in_file && !in_database {
            let help = "add file = \"users.csv\", or database and query";
            table.problem("[users] does not say where they stand", help);
        }
        for (keys, other, is_other) in
            [(&OF_FILE[..], "file", in_database && !in_file), (&OF_DATABASE[..], "database", !in_database)]
        {
            for key in keys.iter().filter(|key| is_other && table.has(key)) {
                let what = format!("`{key}` belongs to `{other}`, which is not there");
                table.scope().problem(table.place_of(key), what, format!("remove it, or add {other}"));
            }
        }
        let file = path.and_then(|path| self::file(table, path, Columns { numbers, ignore_case }));
        UsersOptions { strip_realm, file, database }
    })
}

/// The database with what it is asked.
fn database(table: &mut Reader<'_>) -> Option<SqlOptions> {
    let address = table.optional("database", address);
    let timeout = table.or("timeout", duration(TIMEOUT), DEFAULT_TIMEOUT);
    let cache = table.table("cache", |cache| {
        let size = cache.or("size", integer(CACHE_SIZE), DEFAULT_CACHE_SIZE);
        (size, cache.or("ttl", duration(CACHE_TTL), DEFAULT_CACHE_TTL))
    });
    let (cache_size, cache_ttl) = cache.unwrap_or((DEFAULT_CACHE_SIZE, DEFAULT_CACHE_TTL));
    let text = match table.has("database") {
        true => table.required(
            "query",
            "\"select email from guests where login = :name\"",
            parsed("a query in quotes", |text| Ok(text.to_owned())),
        ),
        false => table.optional("query", parsed("a query in quotes", |text| Ok(text.to_owned()))),
    };
    let statement = match (&address, text) {
        (Some(address), Some(text)) => statement(table, address, &text),
        _ => None,
    };
    Some(SqlOptions { address: address?, statement: statement?, cache_size: cache_size as usize, cache_ttl, timeout })
}

/// Where the database is. It holds a password where it is a server's, so that messages never repeat it.
fn address(scope: &Scope<'_>, node: &Node) -> Option<Address> {
    let help =
        "write it like \"sqlite:///srv/guests.db\", \"postgres://radhook:password@10.0.0.5/hotel\" or \"mysql://…\"";
    let refuse = |what: &str| {
        scope.problem(node.place, format!("`{}` {what}", node.key), help.to_owned());
        None
    };
    let text = match &node.value {
        Value::Text(text) if text.starts_with("sqlite:") => text.clone(),
        _ => match String::from_utf8(secret(scope, node)?.expose().to_vec()) {
            Ok(text) => text,
            Err(_) => return refuse("is not UTF-8"),
        },
    };
    if let Some(path) = text.strip_prefix("sqlite://") {
        return match path {
            "" => refuse("names no file"),
            _ if path.contains(['?', '#', '\0']) => refuse("has more behind the file's name"),
            _ => Some(Address::Sqlite(scope.path(path))),
        };
    }
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    if !matches!(scheme, "postgres" | "postgresql" | "mysql" | "mariadb") {
        // Nothing of it is repeated: without `://` it may be a password altogether.
        return refuse("is no URL of sqlite, postgres or mysql");
    }
    Address::server(&text).or_else(|| refuse("is a URL that its database's client does not understand"))
}

fn statement(table: &Reader<'_>, address: &Address, text: &str) -> Option<Statement> {
    let (scope, place) = (table.scope(), table.place_of("query"));
    if text.len() > MAX_QUERY {
        let what = format!("`query` has {} bytes, and at most {MAX_QUERY} are allowed", text.len());
        scope.problem(place, what, "make a view of it in the database".to_owned());
        return None;
    }
    match Statement::parse(text, address.database()) {
        Ok(statement) => Some(statement),
        Err(error) => {
            let what = format!("`query` has {}", shown(&error.what));
            scope.problem(scope.inside(place, text, error.at), what, error.help.to_owned());
            None
        }
    }
}

/// The file with what stands in it. One that cannot be used is no reason to stay down: RADIUS may need radhook, and events can be
/// told without it.
fn file(table: &Reader<'_>, path: PathBuf, columns: Columns) -> Option<FileOptions> {
    let (scope, place) = (table.scope(), table.place_of("file"));
    let Some(form) = form(&path) else {
        let what = "`file` is neither .csv nor .jsonl or .ndjson";
        scope.problem(place, what, "name it by what it is".to_owned());
        return None;
    };
    if everybody_reads(&path) {
        let what = format!("everybody may read {}", path.display());
        scope.warn(place, what, format!("it is about people: chmod o-r {}", path.display()));
    }
    // Before it is read: what changes in between is seen at the next look.
    let stamp = Stamp::of(&path);
    let read = match file::read(&path, form, &columns) {
        Ok(table) => {
            table
                .remarks
                .into_iter()
                .for_each(|remark| scope.warn(place, format!("{}: {remark}", path.display()), None));
            Some(table.people)
        }
        Err(error) => {
            let what = format!("`file`: {}:{error}", path.display());
            scope.warn(place, what, "no user is known until it is mended; radhook looks at it every second".to_owned());
            None
        }
    };
    Some(FileOptions { path, form, columns, read, stamp })
}

fn form(path: &Path) -> Option<Form> {
    match path.extension()?.to_str()? {
        "csv" => Some(Form::Csv),
        "jsonl" | "ndjson" => Some(Form::Lines),
        _ => None,
    }
}

fn everybody_reads(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & WORLD_READABLE != 0)
}
