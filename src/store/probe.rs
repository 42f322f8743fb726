//! Trying sled on a copy: its files are opened only when that went well, because opening repairs, which is to say cuts
//! off, what it finds damaged.

use std::fs;
use std::path::Path;

use super::StoreError;
use super::fs::{make_dir, remove_dir};
use super::segment::Position;
use super::sled::{SledTable, failed};
use super::table::Table;

/// Opens a copy of sled's files, reads it whole, counts, and removes it again.
pub fn try_on_copy(dir: &Path, position: Position) -> Result<Position, StoreError> {
    let copy = dir.with_file_name("sled.probe");
    remove_dir(&copy)?;
    let tried = copy_files(dir, &copy).and_then(|()| {
        let table = SledTable::open_files(&copy)?;
        table.at_least(position)?;
        table.count()?;
        Ok(table.position())
    });
    remove_dir(&copy)?;
    tried.map_err(|error| match error {
        StoreError::Table { what, .. } => failed(dir, what),
        other => other,
    })
}

/// Copies a directory with all that is in it.
pub(super) fn copy_files(from: &Path, to: &Path) -> Result<(), StoreError> {
    make_dir(to)?;
    for entry in fs::read_dir(from).map_err(StoreError::io("listing", from))? {
        let entry = entry.map_err(StoreError::io("listing", from))?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_files(&path, &copy)?;
        } else {
            fs::copy(&path, &copy).map_err(StoreError::io("copying", &path))?;
        }
    }
    Ok(())
}
