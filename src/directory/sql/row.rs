//! A row of the database as facts, by the rules by which the file's rows are read: what is empty is absent, dots nest, and what holds
//! secrets by its name is left out.

use std::collections::BTreeSet;

use serde_json::Map;

use super::connect::Cells;
use crate::directory::table::{MAX_COLUMNS, MAX_ROW, clean, is_left_out, put};

/// What a row says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// A JSON object; empty where it says nothing.
    pub facts: String,
    /// Columns left out, for they hold secrets by their names or are said by events themselves.
    pub left_out: BTreeSet<String>,
    /// Columns whose values cannot be told.
    pub untold: BTreeSet<String>,
}

/// Reads a row. An error says why it cannot be used.
pub(super) fn read(cells: Cells) -> Result<Row, String> {
    if cells.len() > MAX_COLUMNS {
        return Err(format!("its answer has {} columns, and at most {MAX_COLUMNS} are read", cells.len()));
    }
    let (mut row, mut facts) = (Row::default(), Map::new());
    for (title, told) in cells {
        let path: Vec<String> = title.split('.').map(str::to_owned).collect();
        match told {
            _ if is_left_out(&title) => drop(row.left_out.insert(title)),
            Ok(Some(value)) if !path.iter().any(String::is_empty) => put(&mut facts, &path, value),
            Ok(None) => {}
            Ok(Some(_)) | Err(_) => drop(row.untold.insert(title)),
        }
    }
    clean(&mut facts, true, &mut row.left_out);
    if !facts.is_empty() {
        row.facts = serde_json::to_string(&facts).unwrap_or_default();
    }
    if row.facts.len() > MAX_ROW {
        return Err(format!("a row has {} bytes, and at most {MAX_ROW} are told", row.facts.len()));
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::value::{Told, Untold};
    use super::*;

    fn cells(cells: &[(&str, Told)]) -> Cells {
        cells.iter().map(|(title, told)| ((*title).to_owned(), told.clone())).collect()
    }

    #[test]
    fn a_row_is_read_as_the_file_is() {
        let row = read(cells(&[
            ("email", Ok(Some(json!("alice@example.org")))),
            ("address.city", Ok(Some(json!("Salford")))),
            ("address.zip", Ok(None)),
            ("note", Ok(Some(json!("")))),
            ("name", Ok(Some(json!("Alice")))),
            ("password", Ok(Some(json!("hunter2")))),
            ("more", Ok(Some(json!({ "api_key": "hunter2", "stars": 4, "none": null })))),
            ("picture", Err(Untold)),
            ("a..b", Ok(Some(json!(1)))),
        ]))
        .unwrap();
        assert_eq!(row.facts, r#"{"email":"alice@example.org","address":{"city":"Salford"},"more":{"stars":4}}"#);
        assert_eq!(row.left_out.into_iter().collect::<Vec<_>>(), ["api_key", "name", "password"]);
        assert_eq!(row.untold.into_iter().collect::<Vec<_>>(), ["a..b", "picture"]);
        assert_eq!(read(cells(&[("email", Ok(None))])), Ok(Row::default()));
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let many: Cells = (0..=MAX_COLUMNS).map(|at| (format!("c{at}"), Ok(None))).collect();
        assert!(read(many).unwrap_err().contains("129 columns"));
        let long = "x".repeat(MAX_ROW);
        assert!(read(cells(&[("note", Ok(Some(json!(long))))])).unwrap_err().contains("bytes"));
    }
}
