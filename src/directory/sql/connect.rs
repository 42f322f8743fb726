//! Connections to the database: one for each question under way, kept for the next. One that has failed, or whose answer
//! nobody waited for, is closed.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow, PgTypeInfo, PgTypeKind, PgValueFormat};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Decode, Error, Row, TypeInfo, ValueRef};

use super::value::{self, Told, Untold};

/// Where the database is, and who asks it.
#[derive(Clone)]
pub enum Address {
    /// A file.
    Sqlite(PathBuf),
    /// PostgreSQL.
    Postgres(Box<PgConnectOptions>),
    /// MySQL or MariaDB.
    MySql(Box<MySqlConnectOptions>),
}

/// By all that is known of them: their own types cannot be compared.
impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        let same = |one: &dyn fmt::Debug, other: &dyn fmt::Debug| format!("{one:?}") == format!("{other:?}");
        match (self, other) {
            (Self::Sqlite(one), Self::Sqlite(other)) => one == other,
            (Self::Postgres(one), Self::Postgres(other)) => same(one, other),
            (Self::MySql(one), Self::MySql(other)) => same(one, other),
            _ => false,
        }
    }
}

impl Eq for Address {}

/// Which kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// A file of SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MySQL or MariaDB.
    MySql,
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MySQL or MariaDB",
        })
    }
}

impl Address {
    /// Which kind it is.
    pub fn database(&self) -> Database {
        match self {
            Self::Sqlite(_) => Database::Sqlite,
            Self::Postgres(_) => Database::Postgres,
            Self::MySql(_) => Database::MySql,
        }
    }

    /// A server's address out of its URL.
    pub fn server(url: &str) -> Option<Self> {
        let (scheme, _) = url.split_once("://")?;
        match scheme {
            "postgres" | "postgresql" => PgConnectOptions::from_str(url).ok().map(|options| {
                Self::Postgres(Box::new(options.application_name("radhook").disable_statement_logging()))
            }),
            "mysql" | "mariadb" => MySqlConnectOptions::from_str(url)
                .ok()
                .map(|options| Self::MySql(Box::new(options.disable_statement_logging()))),
            _ => None,
        }
    }
}

/// Shown without who asks: kind, and where.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = self.database();
        match self {
            Self::Sqlite(path) => write!(f, "{database}, {}", path.display()),
            Self::Postgres(options) => match options.get_socket() {
                Some(socket) => write!(f, "{database} at {}", socket.display()),
                None => write!(f, "{database} at {}:{}", options.get_host(), options.get_port()),
            },
            Self::MySql(options) => match options.get_socket() {
                Some(socket) => write!(f, "{database} at {}", socket.display()),
                None => write!(f, "{database} at {}:{}", options.get_host(), options.get_port()),
            },
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A row's cells, each by the name of its column, or why there are none.
pub(super) type Cells = Vec<(String, Told)>;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum AskError {
    /// The database is not there, or not well: nobody can be looked up.
    Away(String),
    /// It refuses this question, perhaps because of whom it is about.
    Refused(String),
}

/// A connection.
enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
    MySql(MySqlConnection),
}

/// Connections of one database.
pub(super) struct Connections {
    address: Address,
    idle: Mutex<Vec<Connection>>,
}

impl Connections {
    pub fn new(address: Address) -> Self {
        Self { address, idle: Mutex::default() }
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The first row, if there is one. Whoever drops this before it has answered closes the connection.
    pub async fn ask(&self, sql: &str, bound: &[Option<&str>]) -> Result<Option<Cells>, AskError> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        if let Some(mut kept) = kept {
            match kept.ask(sql, bound).await {
                Ok(row) => {
                    idle().push(kept);
                    return Ok(row);
                }
                Err(error @ Error::Database(_)) => return Err(self.why(error)),
                // The server was restarted, or has closed what was idle for long: its other connections are gone, too.
                Err(_) => idle().clear(),
            }
        }
        let mut fresh = Connection::open(&self.address).await.map_err(|error| AskError::Away(told(&error)))?;
        let row = fresh.ask(sql, bound).await.map_err(|error| self.why(error))?;
        idle().push(fresh);
        Ok(row)
    }

    /// Whether an error is about all or about one. A refusal leaves the connection closed, which costs little as long as
    /// refusals are rare.
    fn why(&self, error: Error) -> AskError {
        /// SQLSTATE's classes for a connection lost, wrong credentials, a lack of resources, and a server that goes or comes.
        const OF_ALL: [&str; 4] = ["08", "28", "53", "57"];
        /// SQLite: busy, locked, an error of the disk, damaged, cannot be opened, no database.
        const OF_FILE: [u32; 6] = [5, 6, 10, 11, 14, 26];
        let Error::Database(database) = &error else { return AskError::Away(told(&error)) };
        let code = database.code().unwrap_or_default();
        let is_of_all = match self.address.database() {
            // The low octet; the others tell more of it.
            Database::Sqlite => code.parse::<u32>().is_ok_and(|code| OF_FILE.contains(&(code & 0xFF))),
            // A query that takes too long for the server's own patience is 57014, and about one.
            Database::Postgres | Database::MySql => {
                code != "57014" && OF_ALL.iter().any(|class| code.starts_with(class))
            }
        };
        match is_of_all {
            true => AskError::Away(told(&error)),
            false => AskError::Refused(told(&error)),
        }
    }
}

/// The longest of what a database says that is repeated.
const LONGEST: usize = 200;

/// What went wrong, on one line. A server's words about who asks it are left out: they would repeat the name.
fn told(error: &Error) -> String {
    let text = match error {
        Error::Database(error) if error.code().is_some_and(|code| code.starts_with("28")) => {
            "it refuses the credentials".to_owned()
        }
        Error::Database(error) => error.message().to_owned(),
        error => error.to_string(),
    };
    text.chars().take(LONGEST).map(|sign| if sign.is_control() { ' ' } else { sign }).collect()
}

/// How long SQLite waits for whoever writes.
const BUSY: Duration = Duration::from_millis(500);

impl Connection {
    async fn open(address: &Address) -> Result<Self, Error> {
        Ok(match address {
            Address::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY);
                Self::Sqlite(options.disable_statement_logging().connect().await?)
            }
            Address::Postgres(options) => Self::Postgres(options.connect().await?),
            Address::MySql(options) => Self::MySql(options.connect().await?),
        })
    }

    async fn ask(&mut self, sql: &str, bound: &[Option<&str>]) -> Result<Option<Cells>, Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        Ok(match self {
            Self::Sqlite(connection) => {
                let query = bound.iter().fold(sqlx::query(sql), |query, value| query.bind(*value));
                query.fetch_optional(connection).await?.map(|row| cells(&row, of_sqlite))
            }
            Self::Postgres(connection) => {
                let query = bound.iter().fold(sqlx::query(sql), |query, value| query.bind(*value));
                query.fetch_optional(connection).await?.map(|row| cells(&row, of_postgres))
            }
            Self::MySql(connection) => {
                let query = bound.iter().fold(sqlx::query(sql), |query, value| query.bind(*value));
                query.fetch_optional(connection).await?.map(|row| cells(&row, of_mysql))
            }
        })
    }
}

fn cells<R: Row>(row: &R, cell: impl Fn(&R, usize) -> Told) -> Cells {
    let columns = row.columns().iter().enumerate();
    columns.map(|(at, column)| (column.name().to_owned(), cell(row, at))).collect()
}

fn of_sqlite(row: &SqliteRow, at: usize) -> Told {
    let raw = row.try_get_raw(at).map_err(|_| Untold)?;
    // Of what a column is declared to be SQLite heeds nothing, except that it says so.
    let is_boolean = row.columns()[at].type_info().name() == "BOOLEAN";
    let kind = raw.type_info().name().to_owned();
    let cell = match kind.as_str() {
        _ if raw.is_null() => return Ok(None),
        "INTEGER" => row.try_get_unchecked::<i64, _>(at).map(|number| match is_boolean {
            true => Some(Value::Bool(number != 0)),
            false => Some(number.into()),
        }),
        "REAL" => row.try_get_unchecked::<f64, _>(at).map(value::double),
        "TEXT" => row.try_get_unchecked::<String, _>(at).map(|text| Some(text.into())),
        _ => return Err(Untold),
    };
    cell.map_err(|_| Untold)
}

fn of_postgres(row: &PgRow, at: usize) -> Told {
    let raw = row.try_get_raw(at).map_err(|_| Untold)?;
    if raw.is_null() {
        return Ok(None);
    }
    let bytes = raw.as_bytes().map_err(|_| Untold)?;
    match raw.format() {
        PgValueFormat::Text => value::text(bytes).map(Some),
        PgValueFormat::Binary => {
            let kind = raw.type_info();
            match beneath(&kind).kind() {
                PgTypeKind::Enum(_) => value::text(bytes).map(Some),
                _ => value::postgres(beneath(&kind).name(), bytes),
            }
        }
    }
}

/// The type that a domain is made of.
fn beneath(kind: &PgTypeInfo) -> &PgTypeInfo {
    match kind.kind() {
        PgTypeKind::Domain(inner) => beneath(inner),
        _ => kind,
    }
}

fn of_mysql(row: &MySqlRow, at: usize) -> Told {
    let raw = row.try_get_raw(at).map_err(|_| Untold)?;
    if raw.is_null() {
        return Ok(None);
    }
    let kind = raw.type_info().name().to_owned();
    let bytes = <&[u8] as Decode<'_, sqlx::MySql>>::decode(raw).map_err(|_| Untold)?;
    value::mysql(&kind, bytes)
}
