//! The config: TOML in, validated options out. Nothing behind this room ever sees a raw value.
//!
//! ```text
//! files ──▶ tree ──▶ reader + schema ──▶ Config and warnings
//! read,     values   typed keys, bounds,    or Problems: all of them at once,
//! parse     placed,  defaults, secrets      each with file:line:column
//!           merged
//! ```
//!
//! A file that cannot be read or parsed ends the reading after all files were looked at; everything else is collected
//! to the end. Secrets are resolved here, once, and no message ever repeats one.

mod files;
mod problem;
mod reader;
mod schema;
mod secret;
mod tree;
mod units;
mod value;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::admin::options::AdminOptions;
use crate::deliver::options::EndpointOptions;
use crate::directory::UsersOptions;
use crate::listen::Address;
use crate::route::{Enrichment, Interest};
use crate::secret::Secret;
use crate::session::SessionOptions;
use crate::source::SourceOptions;
use crate::source::client::Clients;
use crate::store::StoreOptions;
use files::Files;
use reader::{Reader, Scope};

pub use problem::{Position, Problems, Remark};
pub(crate) use units::{show_duration, show_size};

/// What the daemon runs by.
#[derive(Debug, Clone)]
pub struct Config {
    /// This radhook's name in every event.
    pub node: Arc<str>,
    /// `[store]`.
    pub store: StoreOptions,
    /// All `[[client]]`.
    pub clients: Clients,
    /// Every `[[source]]`, in the order of the files.
    pub sources: Vec<SourceOptions>,
    /// Every `[[endpoint]]`, in the order of the files.
    pub endpoints: Vec<Endpoint>,
    /// `[dictionary]`.
    pub dictionary: DictionaryOptions,
    /// `[sessions]` and `[limits]`.
    pub sessions: SessionOptions,
    /// All `[[venue]]`, `[company]` and `[facts]`.
    pub enrichment: Enrichment,
    /// `[users]`.
    pub users: Option<UsersOptions>,
    /// `[admin]`.
    pub admin: AdminOptions,
}

/// One `[[endpoint]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// Which events it wants.
    pub interest: Interest,
    /// Whether of the updates of a session that wait only the newest is kept.
    pub coalesces_updates: bool,
    /// How they get there.
    pub delivery: EndpointOptions,
}

/// `[dictionary]`: where attributes get their names from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DictionaryOptions {
    /// FreeRADIUS dictionary files, in the order in which they are read.
    pub files: Vec<PathBuf>,
    /// Whether the shipped dictionaries are read before them.
    pub shipped: bool,
}

impl Default for DictionaryOptions {
    fn default() -> Self {
        Self { files: Vec::new(), shipped: true }
    }
}

/// Reads the config at `path` and `radhook.d/*.toml` beside it, with the secrets it names. Relative paths in it start at
/// the directory of `path`. Answers with the warnings too; refuses with everything that is wrong.
pub fn load(path: &Path) -> Result<(Config, Vec<Remark>), Problems> {
    read(Files::read(path), &environment, schema::config)
}

/// The files of the config, each with its text, in the order in which they are read.
pub fn texts(path: &Path) -> Result<Vec<(PathBuf, String)>, Problems> {
    Files::read(path).map(Files::into_texts).map_err(|problems| Problems { problems, warnings: Vec::new() })
}

/// Reads the config as it would be with another text in one of its files.
pub fn load_with(path: &Path, file: &Path, text: &str) -> Result<(Config, Vec<Remark>), Problems> {
    read(Files::read(path).map(|files| files.with(file, text)), &environment, schema::config)
}

/// Reads only `[store]`: a broken endpoint or an unreadable secret must not stand in the way of mending a store.
pub fn load_store(path: &Path) -> Result<StoreOptions, Problems> {
    let only = |top: &mut Reader<'_>| {
        top.skip_the_rest();
        schema::store::options(top)
    };
    read(Files::read(path), &environment, only).map(|(options, _)| options)
}

/// Reads only `[admin]`: whoever asks the daemon something need not be allowed to read its other secrets.
pub fn load_admin(path: &Path) -> Result<AdminOptions, Problems> {
    let only = |top: &mut Reader<'_>| {
        top.skip_the_rest();
        schema::admin::options(top)
    };
    read(Files::read(path), &environment, only).map(|(options, _)| options)
}

/// Reads only where the sources of type `local` listen, in the order of the files: whoever posts to them need not be
/// allowed to read any secret.
pub fn load_local(path: &Path) -> Result<Vec<Address>, Problems> {
    let only = |top: &mut Reader<'_>| {
        top.skip_the_rest();
        Some(schema::local_addresses(top))
    };
    read(Files::read(path), &environment, only).map(|(addresses, _)| addresses)
}

/// What radhook's neighbours have to be told: who may send, and where to.
#[derive(Debug, Clone)]
pub struct Peers {
    /// All `[[client]]`.
    pub clients: Clients,
    /// Every `[[source]]`, in the order of the files.
    pub sources: Vec<SourceOptions>,
    /// Secrets that were made up for files that are not there yet, to be written into them.
    pub invented: Vec<(PathBuf, Secret)>,
}

/// Reads only `[[client]]` and `[[source]]`, for the sake of whoever is set up to send here. Endpoints and their secrets
/// may still be missing then, and `invent` makes up each client's secret whose file does not exist.
pub fn load_peers(path: &Path, invent: &dyn Fn() -> Secret) -> Result<Peers, Problems> {
    let early = |problems| Problems { problems, warnings: Vec::new() };
    let files = Files::read(path).map_err(early)?;
    let tables = files.parse().map_err(early)?;
    let scope = Scope::new(&files, &environment).inventing(invent);
    let merged = merge(&scope, tables);
    let peers = Reader::top(&scope, &merged, |top| {
        top.skip_the_rest();
        schema::peers(top)
    });
    let invented = scope.take_invented();
    let (problems, warnings, _) = scope.finish();
    match peers {
        Some((clients, sources)) if problems.is_empty() => Ok(Peers { clients, sources, invented }),
        _ => Err(Problems { problems, warnings }),
    }
}

fn environment(name: &str) -> Option<OsString> {
    // A name with one of these cannot exist, and asking for it may panic.
    if name.is_empty() || name.contains(['=', '\0']) { None } else { std::env::var_os(name) }
}

/// Reads what `schema` asks for. A result without a problem is there; one with problems never leaves.
fn read<T>(
    files: Result<Files, Vec<Remark>>,
    environment: &dyn Fn(&str) -> Option<OsString>,
    schema: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> Result<(T, Vec<Remark>), Problems> {
    let early = |problems| Problems { problems, warnings: Vec::new() };
    let files = files.map_err(early)?;
    let tables = files.parse().map_err(early)?;
    let scope = Scope::new(&files, environment);
    let merged = merge(&scope, tables);
    let result = Reader::top(&scope, &merged, schema);
    let (problems, warnings, _) = scope.finish();
    match result {
        Some(result) if problems.is_empty() => Ok((result, warnings)),
        _ => Err(Problems { problems, warnings }),
    }
}

/// One table of all files; what is set in two of them is a problem of the later one.
fn merge(scope: &Scope<'_>, tables: Vec<tree::Table>) -> tree::Table {
    let mut merged = tree::Table::new();
    for table in tables {
        tree::merge(&mut merged, table, &mut |standing, late| {
            let what = format!("`{}` is set at {} already", late.key, scope.point_to(standing.key_place));
            scope.problem(late.key_place, what, "keep one of the two".to_owned());
        });
    }
    merged
}

#[cfg(test)]
mod tests;
