//! What is to be changed in FreeRADIUS's directory, found out without changing anything.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::change::{Change, content};
use super::dropins::{self, DICTIONARY_FILE, OWN_FILES, Own, Way};
use super::marks;

/// Where the sites stand that FreeRADIUS serves.
const SITES: &str = "sites-enabled";

/// What joins FreeRADIUS to radhook: its own files, and the calls in these sites. Empty where all of it stands already.
pub fn install(directory: &Path, own: &[Own], way: Way, sites: &[String]) -> anyhow::Result<Vec<Change>> {
    let mut changes = Vec::new();
    for path in OWN_FILES {
        let after = own.iter().find(|own| own.path == path).map(|own| own.text.clone().into_bytes());
        let path = directory.join(path);
        let change = Change::of(path, after)?;
        match change.before.as_deref().map(marks::is_intact) {
            None | Some(Some(true)) => changes.push(change),
            Some(Some(false)) if !change.is_empty() => {
                bail!("{}: {EDITED}", change.path.display())
            }
            // Somebody else's file is nothing to us unless ours is to stand there.
            Some(None) if change.after.is_some() => {
                bail!("{} is there already and is not radhook's: move it away first", change.path.display())
            }
            Some(_) => {}
        }
    }
    for site in sites {
        changes.push(edit(&directory.join(SITES).join(site), |text| dropins::hook_site(text, way))?);
    }
    changes.push(edit(&directory.join(DICTIONARY_FILE), |text| dropins::hook_dictionary(text, way))?);
    changes.retain(|change| !change.is_empty());
    Ok(changes)
}

/// What takes all of it out again, wherever it is; and what of radhook's was edited since and has to be left.
pub fn undo(directory: &Path) -> anyhow::Result<(Vec<Change>, Vec<String>)> {
    let (mut changes, mut left) = (Vec::new(), Vec::new());
    for path in marked(directory)? {
        let stripped = content(&path)?.unwrap_or_default();
        match marks::strip(&stripped) {
            Ok(text) => changes.push(Change::of(path, Some(text))?),
            Err(edited) => left.push(format!("{}: {edited}", path.display())),
        }
    }
    for path in OWN_FILES {
        let change = Change::of(directory.join(path), None)?;
        match change.before.as_deref().and_then(marks::is_intact) {
            Some(true) => changes.push(change),
            Some(false) => left.push(format!("{}: {EDITED}", change.path.display())),
            None => {}
        }
    }
    changes.retain(|change| !change.is_empty());
    Ok((changes, left))
}

const EDITED: &str = "somebody has edited this file of radhook's; move your own lines out of it, and delete it";

/// The operator's files that may hold radhook's lines.
fn marked(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = vec![directory.join(DICTIONARY_FILE)];
    let sites = directory.join(SITES);
    let entries = fs::read_dir(&sites).with_context(|| format!("{} cannot be read", sites.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("{} cannot be read", sites.display()))?.path();
        // Links that lead nowhere are FreeRADIUS's business.
        if path.is_file() && path != directory.join(OWN_FILES[2]) {
            paths.push(path);
        }
    }
    paths.sort();
    let mut resolved = paths.into_iter().filter_map(|path| fs::canonicalize(path).ok()).collect::<Vec<_>>();
    resolved.dedup();
    Ok(resolved)
}

/// An operator's file, found behind its symbolic links.
fn edit(path: &Path, hook: impl Fn(&[u8]) -> Result<Vec<u8>, dropins::HookError>) -> anyhow::Result<Change> {
    let path = fs::canonicalize(path).with_context(|| format!("there is no {}", path.display()))?;
    let text = content(&path)?.unwrap_or_default();
    let after = hook(&text).with_context(|| path.display().to_string())?;
    Ok(Change { path, before: Some(text), after: Some(after) })
}
