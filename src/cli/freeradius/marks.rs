//! How radhook knows its own lines in FreeRADIUS's files again: marks with a checksum of what stands between them.
//!
//! All that undoing needs stands in the marks, so nothing has to be kept elsewhere. What radhook inserts are whole lines,
//! and taking them out is the exact reverse of putting them in, whatever was edited around them. Lines that somebody has
//! edited between the marks no longer match their checksum, and are left alone.

/// Begins a block of lines.
const BEGIN: &str = "# radhook: begin ";
/// Ends it.
const END: &str = "# radhook: end";
/// Begins a file that is radhook's as a whole.
const FILE: &str = "# radhook: file ";
/// For people who meet the lines in their files.
const NOTE: &str = "(made by `radhook freeradius install`, taken back by `radhook freeradius undo`)";

/// Lines that were radhook's and were edited since.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: somebody has edited radhook's lines; move your own out of them, or delete them with their marks")]
pub struct Edited {
    /// The line of the block's first mark, counted from 1.
    pub line: usize,
}

/// Lines to be put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Where, in octets: the beginning of a line.
    pub at: usize,
    /// White space that stands before each line.
    pub indent: String,
    /// The lines, each ended.
    pub lines: String,
}

/// Puts blocks in. They may come in any order, at different places.
pub fn insert(text: &[u8], mut blocks: Vec<Block>) -> Vec<u8> {
    blocks.sort_by_key(|block| block.at);
    let mut marked = Vec::new();
    let mut from = 0;
    for Block { at, indent, lines } in blocks {
        marked.extend(&text[from..at]);
        from = at;
        let lines: String = lines.lines().map(|line| format!("{indent}{line}\n")).collect();
        let sum = crc32fast::hash(lines.as_bytes());
        marked.extend(format!("{indent}{BEGIN}{sum:08x} {NOTE}\n{lines}{indent}{END}\n").bytes());
    }
    marked.extend(&text[from..]);
    marked
}

/// The text without any block: what it was before [`insert`], with whatever was edited elsewhere since.
pub fn strip(text: &[u8]) -> Result<Vec<u8>, Edited> {
    let mut kept = Vec::with_capacity(text.len());
    let mut block: Option<(usize, u32, Vec<u8>)> = None;
    for (number, line) in text.split_inclusive(|octet| *octet == b'\n').enumerate() {
        let words = line.trim_ascii();
        match (words.strip_prefix(BEGIN.as_bytes()), &mut block) {
            (Some(rest), None) => block = Some((number + 1, sum(rest).ok_or(Edited { line: number + 1 })?, Vec::new())),
            (Some(_), Some((line, ..))) => return Err(Edited { line: *line }),
            (None, Some((begin, sum, lines))) if words == END.as_bytes() => {
                if crc32fast::hash(lines) != *sum {
                    return Err(Edited { line: *begin });
                }
                block = None;
            }
            (None, None) if words == END.as_bytes() => return Err(Edited { line: number + 1 }),
            (None, Some((_, _, lines))) => lines.extend(line),
            (None, None) => kept.extend(line),
        }
    }
    match block {
        Some((line, ..)) => Err(Edited { line }),
        None => Ok(kept),
    }
}

/// A file of radhook's own.
pub fn file(text: &str) -> String {
    format!("{FILE}{:08x} {NOTE}\n{text}", crc32fast::hash(text.as_bytes()))
}

/// Whose file this is: radhook's as it was written (true), or edited since (false); None if it is not radhook's.
pub fn is_intact(content: &[u8]) -> Option<bool> {
    let rest = content.strip_prefix(FILE.as_bytes())?;
    let end = rest.iter().position(|octet| *octet == b'\n').unwrap_or(rest.len());
    let (mark, text) = rest.split_at(end);
    Some(sum(mark) == Some(crc32fast::hash(text.strip_prefix(b"\n").unwrap_or(text))))
}

/// The checksum behind a mark.
fn sum(mark: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(mark.get(..8)?).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block(at: usize) -> Block {
        Block { at, indent: "\t".into(), lines: "radhook_login\nok\n".into() }
    }

    #[test]
    fn taking_out_is_the_reverse_of_putting_in_at_any_line_of_any_text() {
        proptest!(|(lines in proptest::collection::vec("[ -~]{0,9}", 0..9), first in any::<usize>(), second in any::<usize>(), end in any::<bool>())| {
            let mut text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
            let starts: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
            if end {
                text += "}";
            }
            let blocks = vec![block(starts[first % starts.len()]), block(starts[second % starts.len()])];
            let marked = insert(text.as_bytes(), blocks);
            prop_assert_eq!(String::from_utf8(strip(&marked).unwrap()).unwrap(), text);
        });
    }

    #[test]
    fn edits_around_a_block_stay_and_edits_within_it_are_told() {
        let marked = String::from_utf8(insert(b"a\n}\n", vec![block(2)])).unwrap();
        let around = marked.replace("a\n", "a\nb\n");
        assert_eq!(strip(around.as_bytes()).unwrap(), b"a\nb\n}\n");
        for within in [
            marked.replace("\tok\n", "\tok\n\tmine\n"),
            marked.replace("\tok\n", ""),
            marked.replace("\t# radhook: end\n", ""),
            marked.replace("begin ", "begin x"),
        ] {
            assert_eq!(strip(within.as_bytes()), Err(Edited { line: 2 }), "{within}");
        }
        assert_eq!(strip(b"a\n# radhook: end\n"), Err(Edited { line: 2 }));
    }

    #[test]
    fn a_file_of_its_own_is_known_again_and_an_edited_one_too() {
        let own = file("home_server radhook {\n}\n");
        assert_eq!(is_intact(own.as_bytes()), Some(true));
        assert_eq!(is_intact(own.replace("home", "house").as_bytes()), Some(false));
        assert_eq!(is_intact(b"home_server radhook {\n}\n"), None);
    }
}
