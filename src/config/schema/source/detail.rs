//! `type = "detail"`.

use std::path::Path;
use std::sync::Arc;

use crate::config::reader::{Reader, Scope};
use crate::config::tree::Node;
use crate::config::value::{flag, one_or_more, path};
use crate::source::DetailOptions;

/// The most globs; one can name whole trees.
const MAX_GLOBS: usize = 64;

/// Where records go that cannot be understood, beneath the store's directory.
const QUARANTINE: &str = "quarantine";

pub(super) fn options(table: &mut Reader<'_>, name: Arc<str>, data: Option<&Path>) -> Option<DetailOptions> {
    let globs = one_or_more("a path with wildcards, or an array of them", MAX_GLOBS, glob);
    let path = table.required("path", "\"/var/log/freeradius/radacct/*/detail-*\"", globs);
    let compressed = table.or("compressed", flag, false);
    let quarantine = data?.join(QUARANTINE).join(&*name);
    Some(DetailOptions { name, path: path?, compressed, quarantine })
}

fn glob(scope: &Scope<'_>, node: &Node) -> Option<String> {
    let Some(text) = path(scope, node)?.to_str().map(str::to_owned) else {
        scope.problem(node.place, "the path is not UTF-8".to_owned(), "write the files' names in UTF-8".to_owned());
        return None;
    };
    if let Err(error) = glob::Pattern::new(&text) {
        let help =
            "* and ? stand for any characters of a name, ** for any directories, [ab] for one of several; [[] is a [";
        scope.problem(node.place, format!("the wildcards cannot be understood: {}", error.msg), help.to_owned());
        return None;
    }
    Some(text)
}
