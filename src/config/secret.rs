//! Secrets: a string, or a table that says where the secret is. Their text never reaches a message.

use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::files::read_bounded;
use super::reader::{Scope, WORLD_READABLE, shown};
use super::tree::{Node, Value};
use crate::secret::Secret;

/// The longest secret, in bytes: an RSA key in PEM fits. A larger file is not the one that was meant.
const MAX_SECRET: u64 = 16 * 1024;

/// Where systemd puts what `LoadCredential=` names.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

const EXPECTED: &str = "a secret: a string, { file = \"…\" }, { env = \"…\" } or { credential = \"…\" }";

/// A secret from wherever it is.
pub(super) fn secret(scope: &Scope<'_>, node: &Node) -> Option<Secret> {
    let bytes = match &node.value {
        Value::Text(text) => {
            scope.inline_secret(node.place);
            text.clone().into_bytes()
        }
        Value::Table(_) => elsewhere(scope, node)?,
        _ => {
            scope.wrong_type(node, EXPECTED);
            return None;
        }
    };
    let length = bytes.len() as u64;
    if length == 0 {
        scope.problem(node.place, format!("`{}` is empty", node.key), "a secret needs at least one byte".to_owned());
        return None;
    }
    if length > MAX_SECRET {
        let what = format!("`{}` has {length} bytes, and at most {MAX_SECRET} are allowed", node.key);
        scope.problem(node.place, what, None);
        return None;
    }
    Some(Secret::new(bytes))
}

/// The file that `{ file = "…" }` names.
pub(super) fn file(scope: &Scope<'_>, node: &Node) -> Option<PathBuf> {
    let Value::Table(table) = &node.value else { return None };
    match table.get("file") {
        Some(Node { value: Value::Text(name), .. }) => Some(scope.path(name)),
        _ => None,
    }
}

/// `{ file }`, `{ env }` or `{ credential }`.
fn elsewhere(scope: &Scope<'_>, node: &Node) -> Option<Vec<u8>> {
    let Value::Table(table) = &node.value else { return None };
    let mut keys = table.values();
    let (Some(Node { key, value: Value::Text(name), place, .. }), None) = (keys.next(), keys.next()) else {
        let what = format!("`{}` must be {EXPECTED}, found a table that is none of these", node.key);
        scope.problem(node.place, what, None);
        return None;
    };
    match &**key {
        "file" => from_file(scope, node, &scope.path(name)),
        "env" => match scope.variable(name) {
            Some(value) => Some(value.into_vec()),
            None => {
                let what = format!("the environment variable `{}` of `{}` is not set", shown(name), node.key);
                scope.problem(*place, what, "set it for the daemon; systemd has EnvironmentFile=".to_owned());
                None
            }
        },
        "credential" if name.is_empty() || name.contains('/') || name == ".." => {
            let what = format!("`credential` of `{}` must be a file name, found \"{}\"", node.key, shown(name));
            scope.problem(*place, what, None);
            None
        }
        "credential" => match scope.variable(CREDENTIALS) {
            Some(directory) => from_file(scope, node, &Path::new(&directory).join(name)),
            None => {
                let what = format!("`{}` is a systemd credential, and ${CREDENTIALS} is not set", node.key);
                scope.problem(*place, what, "credentials exist only within a unit with LoadCredential=".to_owned());
                None
            }
        },
        other => {
            let what = format!("unknown key `{}` in `{}`", shown(other), node.key);
            scope.problem(table[other].key_place, what, "choose from file, env, credential".to_owned());
            None
        }
    }
}

/// The content of a file without the newline that editors leave at its end.
fn from_file(scope: &Scope<'_>, node: &Node, path: &Path) -> Option<Vec<u8>> {
    let read = match read_bounded(path, MAX_SECRET + 2) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match scope.invent(path) {
            Some(secret) => return Some(secret.expose().to_vec()),
            None => Err(error),
        },
        read => read,
    };
    let unreadable = |error: io::Error| {
        let what = format!("`{}`: {} cannot be read: {error}", node.key, path.display());
        let help = match error.kind() {
            io::ErrorKind::PermissionDenied => Some("let the user that radhook runs as read it".to_owned()),
            _ => None,
        };
        scope.problem(node.place, what, help);
    };
    let (mut bytes, mode) = read.map_err(unreadable).ok()?;
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    if bytes.is_empty() {
        let what = format!("`{}`: {} is empty", node.key, path.display());
        scope.problem(node.place, what, "write the secret into it".to_owned());
        return None;
    }
    if mode & WORLD_READABLE != 0 {
        let what = format!("`{}`: everybody may read {}", node.key, path.display());
        scope.warn(node.place, what, format!("chmod o-r {}", path.display()));
    }
    Some(bytes)
}
