//! One line of a dictionary, taken apart but not yet understood.

use super::error::Problem;

/// A word of a line and where it begins, in octets from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub text: &'a str,
    pub column: usize,
}

/// A column and what is wrong there.
pub(super) type Fault = (usize, Problem);

/// What a line says. The words are the line's own.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Statement<'a> {
    Attribute { name: Word<'a>, number: Word<'a>, kind: Word<'a>, flags: Vec<Word<'a>> },
    Value { attribute: Word<'a>, name: Word<'a>, number: Word<'a> },
    ValueAlias { attribute: Word<'a>, target: Word<'a> },
    Vendor { name: Word<'a>, number: Word<'a>, format: Option<Word<'a>> },
    BeginVendor { name: Word<'a>, format: Option<Word<'a>> },
    EndVendor { name: Word<'a> },
    BeginTlv { name: Word<'a> },
    EndTlv { name: Word<'a> },
    Include { path: Word<'a>, optional: bool },
    Unknown { keyword: Word<'a> },
}

/// Reads a line: nothing if it is empty or a comment, or the column of what is wrong.
pub(super) fn read(line: &str) -> Result<Option<Statement<'_>>, Fault> {
    let line = line.split_once('#').map_or(line, |(before, _)| before).trim_end();
    let mut words = Words { line, at: 0 };
    let Some(keyword) = words.next() else { return Ok(None) };
    let mut need = |keyword: &'static str, what: &'static str| {
        words.next().ok_or((line.len() + 1, Problem::Missing { keyword, what }))
    };
    let statement = match keyword.text.to_ascii_uppercase().as_str() {
        "ATTRIBUTE" => Statement::Attribute {
            name: need("ATTRIBUTE", "a name")?,
            number: need("ATTRIBUTE", "a number")?,
            kind: need("ATTRIBUTE", "a type")?,
            flags: words.flat_map(|word| word.split(',')).collect(),
        },
        "VALUE" => Statement::Value {
            attribute: need("VALUE", "an attribute's name")?,
            name: need("VALUE", "a name")?,
            number: need("VALUE", "a number")?,
        },
        "VALUE-ALIAS" => Statement::ValueAlias {
            attribute: need("VALUE-ALIAS", "an attribute's name")?,
            target: need("VALUE-ALIAS", "the name of another attribute")?,
        },
        "VENDOR" => Statement::Vendor {
            name: need("VENDOR", "a name")?,
            number: need("VENDOR", "a number")?,
            format: words.next(),
        },
        "BEGIN-VENDOR" => {
            Statement::BeginVendor { name: need("BEGIN-VENDOR", "a vendor's name")?, format: words.next() }
        }
        "END-VENDOR" => Statement::EndVendor { name: need("END-VENDOR", "a vendor's name")? },
        "BEGIN-TLV" => Statement::BeginTlv { name: need("BEGIN-TLV", "an attribute's name")? },
        "END-TLV" => Statement::EndTlv { name: need("END-TLV", "an attribute's name")? },
        "$INCLUDE" => Statement::Include { path: need("$INCLUDE", "a file")?, optional: false },
        "$INCLUDE-" => Statement::Include { path: need("$INCLUDE-", "a file")?, optional: true },
        _ => Statement::Unknown { keyword },
    };
    Ok(Some(statement))
}

/// The words of a line, between white space.
struct Words<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.line[self.at..];
        let begin = self.at + (rest.len() - rest.trim_start().len());
        let rest = &self.line[begin..];
        let text = &rest[..rest.find(char::is_whitespace).unwrap_or(rest.len())];
        self.at = begin + text.len();
        (!text.is_empty()).then_some(Word { text, column: begin + 1 })
    }
}

impl<'a> Word<'a> {
    /// Its parts between separators, each with its own column.
    fn split(self, separator: char) -> impl Iterator<Item = Word<'a>> {
        let mut column = self.column;
        self.text.split(separator).map(move |text| {
            let word = Word { text, column };
            column += text.len() + 1;
            word
        })
    }

    /// A number, decimal or with `0x` in hex.
    pub fn number<N: TryFrom<u64>>(self, what: &'static str) -> Result<N, Fault> {
        let parsed = match self.text.strip_prefix("0x").or_else(|| self.text.strip_prefix("0X")) {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => self.text.parse(),
        };
        let number = parsed.ok().and_then(|number| N::try_from(number).ok());
        number.ok_or_else(|| (self.column, Problem::BadNumber { word: self.text.to_string(), what }))
    }

    /// Numbers with dots between them.
    pub fn path(self) -> Result<Vec<u32>, Fault> {
        self.split('.').map(|word| word.number("attribute number")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, column: usize) -> Word<'_> {
        Word { text, column }
    }

    #[test]
    fn words_know_their_columns_and_flags_are_taken_apart() {
        assert_eq!(
            read("attribute\tTunnel-Password  69 string has_tag,encrypt=2 # salted"),
            Ok(Some(Statement::Attribute {
                name: word("Tunnel-Password", 11),
                number: word("69", 28),
                kind: word("string", 31),
                flags: vec![word("has_tag", 38), word("encrypt=2", 46)],
            }))
        );
    }

    #[test]
    fn empty_lines_and_comments_say_nothing() {
        for line in ["", "   \t", "# ATTRIBUTE x 1 string", "  #"] {
            assert_eq!(read(line), Ok(None));
        }
    }

    #[test]
    fn a_line_that_ends_too_early_says_what_is_missing_and_where() {
        assert_eq!(read("ATTRIBUTE User-Name"), Err((20, Problem::Missing { keyword: "ATTRIBUTE", what: "a number" })));
    }

    #[test]
    fn numbers_are_decimal_or_hex() {
        assert_eq!(word("0x1F", 1).number::<u32>("number"), Ok(31));
        assert_eq!(word("26.0x0a.3", 1).path(), Ok(vec![26, 10, 3]));
        assert!(word("4294967296", 1).number::<u32>("number").is_err());
        assert!(word("-1", 1).number::<u32>("number").is_err());
        assert_eq!(word("1.x", 5).path().unwrap_err().0, 7);
    }
}
