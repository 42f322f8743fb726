//! `[users]`.

use std::path::{Path, PathBuf};

use crate::config::reader::{Reader, WORLD_READABLE};
use crate::config::value::{flag, list, name, path};
use crate::directory::file;
use crate::directory::table::{Columns, Form};
use crate::directory::{FileOptions, UsersOptions};
use crate::stamp::Stamp;

/// The most columns that can be declared to hold numbers: as many as a file has.
const MAX_NUMBERS: usize = 128;

/// Purple's and others' ids are numbers.
const DEFAULT_NUMBERS: &str = "id";

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
        if !table.has("file") {
            table.problem("[users] does not say where they stand", "add file = \"users.csv\"");
        }
        let file = path.and_then(|path| self::file(table, path, Columns { numbers, ignore_case }));
        UsersOptions { strip_realm, file }
    })
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
