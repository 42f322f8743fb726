//! Octets written as hex digits: bare, with `0x`, commas or colons, or as `xxd`, `hexdump -C`, `od`, Wireshark and
//! `tcpdump -x` print them with an offset before and characters behind.
//!
//! A dump becomes blocks: one for each row of lines that follow each other. A block ends where the offsets begin again,
//! at an empty line, and at a line of words such as `tcpdump` puts before each packet.

/// The most octets in one block: a frame with the largest datagram, and some.
const MAX_BLOCK: usize = 128 * 1024;

/// One block of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The line it begins in, counted from 1.
    pub line: u64,
    /// Its octets.
    pub octets: Vec<u8>,
}

/// What is wrong with a dump, and where: lines and columns are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HexError {
    /// Something that is no hex digit where only such can be.
    #[error("line {line}, column {column}: {found:?} is no hex digit")]
    NoDigit {
        /// The line.
        line: u64,
        /// The column, in octets.
        column: usize,
        /// What stands there.
        found: char,
    },
    /// A single digit, which is half an octet.
    #[error("line {line}, column {column}: {word:?} has an odd number of digits")]
    HalfOctet {
        /// The line.
        line: u64,
        /// The column, in octets.
        column: usize,
        /// The group of digits.
        word: String,
    },
    /// A line whose offset is not where the lines before it ended.
    #[error("line {line}: the offset says {offset:#x}, but {octets:#x} octets stand before it")]
    Gap {
        /// The line.
        line: u64,
        /// What its offset says.
        offset: u64,
        /// How many octets the block has so far.
        octets: u64,
    },
    /// A block above the limit.
    #[error("line {line}: a block of more than {MAX_BLOCK} octets")]
    TooLong {
        /// The line.
        line: u64,
    },
}

/// Whether a line looks like one of a dump: an offset and octets, or octets alone, a header's worth or a row's.
pub fn is_dump(line: &[u8]) -> bool {
    let Ok(line) = std::str::from_utf8(line) else { return false };
    let Some(row) = Row::of(line) else { return false };
    row.offset.is_some() || row.octets(1).is_ok_and(|octets| !octets.is_empty())
}

/// Reads a dump line by line.
#[derive(Debug, Default)]
pub struct Dump {
    line: u64,
    /// Whether the lines have offsets: the first one that holds octets decides.
    offsets: Option<bool>,
    block: Option<Block>,
    /// The rest of a broken block is passed over.
    broken: bool,
}

impl Dump {
    /// Takes the next line, without its end, and answers with the block that ended before it, if one did.
    pub fn line(&mut self, line: &str) -> Result<Option<Block>, HexError> {
        self.line += 1;
        let row = Row::of(line);
        let has_offset = row.as_ref().is_some_and(|row| row.offset.is_some());
        let words = !has_offset && (self.offsets == Some(true) || is_prose(line));
        if line.trim().is_empty() || line.trim_start().starts_with('#') || words {
            return Ok(self.end());
        }
        let Some(row) = row else { return self.fail(no_digit(line, self.line)) };
        let begins = row.offset == Some(0) || row.colon;
        let with_offset = *self.offsets.get_or_insert(begins);
        let row = if with_offset { row } else { Row::bare(line) };
        let ended = if row.offset == Some(0) { self.end() } else { None };
        if self.broken {
            return Ok(ended);
        }
        let octets = match row.octets(self.line) {
            Ok(octets) => octets,
            Err(error) => return self.fail(error),
        };
        let block = self.block.get_or_insert(Block { line: self.line, octets: Vec::new() });
        let count = block.octets.len() as u64;
        if let Some(offset) = row.offset.filter(|offset| *offset != count) {
            return self.fail(HexError::Gap { line: self.line, offset, octets: count });
        }
        block.octets.extend(octets);
        if block.octets.len() > MAX_BLOCK {
            return self.fail(HexError::TooLong { line: self.line });
        }
        Ok(ended)
    }

    /// The block that the end of the dump ends.
    pub fn end(&mut self) -> Option<Block> {
        self.broken = false;
        self.block.take()
    }

    fn fail(&mut self, error: HexError) -> Result<Option<Block>, HexError> {
        self.block = None;
        self.broken = true;
        Err(error)
    }
}

/// A line of a dump, taken apart.
#[derive(Debug)]
struct Row<'a> {
    offset: Option<u64>,
    /// Whether a colon stands behind the offset, so that it can be nothing else.
    colon: bool,
    line: &'a str,
    /// Where the octets stand in the line.
    from: usize,
    to: usize,
}

impl<'a> Row<'a> {
    /// None for a line of words.
    fn of(line: &'a str) -> Option<Self> {
        let bare = Self::bare(line);
        let text = line.trim_start();
        let start = line.len() - text.len();
        let word = text.split([':', ' ', '\t']).next().unwrap_or_default();
        let digits = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")).unwrap_or(word);
        let after = &text[word.len()..];
        let colon = after.starts_with(": ") || after.starts_with(":\t") || after == ":";
        let hex = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        // Without a colon it is an offset where it begins like one: 0, or a row's length further on.
        let spaced = after.starts_with(' ') || after.starts_with('\t');
        let plain = (4..=8).contains(&digits.len()) && spaced && digits.len() == word.len() && !bare.wide(digits.len());
        if hex && digits.len() <= 16 && (colon || plain) {
            let offset = u64::from_str_radix(digits, 16).ok()?;
            let from = start + word.len() + usize::from(colon);
            return Some(Self { offset: Some(offset), colon, from, ..bare }.without_characters());
        }
        // At the least its first word must be hex.
        let first = line[bare.from..].split([' ', '\t', ',', ':']).next().unwrap_or_default();
        let first = first.strip_prefix("0x").or_else(|| first.strip_prefix("0X")).unwrap_or(first);
        let hex = first.len() >= 2 && first.bytes().all(|digit| digit.is_ascii_hexdigit());
        hex.then_some(bare)
    }

    /// All of the line is octets.
    fn bare(line: &'a str) -> Self {
        let from = line.len() - line.trim_start().len();
        Self { offset: None, colon: false, line, from, to: line.trim_end().len() }
    }

    /// Whether the words behind the first are as wide as it: octets in groups, and no offset before them.
    fn wide(&self, width: usize) -> bool {
        let second = self.line[self.from..self.to].split([' ', '\t']).filter(|word| !word.is_empty()).nth(1);
        let zero = self.line[self.from..].bytes().take(width).all(|digit| digit == b'0');
        !zero && second.is_some_and(|second| second.len() == width)
    }

    /// Cuts off the characters that dumps show behind the octets.
    fn without_characters(mut self) -> Self {
        if let Some(bar) = self.line[self.from..self.to].find('|') {
            self.to = self.from + bar;
        }
        let part = &self.line[self.from..self.to];
        self.from += part.len() - part.trim_start().len();
        let part = &self.line[self.from..self.to];
        // Two spaces end the octets, unless they stand in the middle of sixteen that are written one by one.
        let mut at = 0;
        while let Some(gap) = part[at..].find("  ").map(|gap| at + gap) {
            let octets = part[..gap].split_whitespace();
            let behind = part[gap..].trim_start();
            let half = octets.clone().all(|word| word.len() == 2) && octets.count() == 8;
            let more = behind
                .split(' ')
                .next()
                .is_some_and(|word| word.len() == 2 && word.bytes().all(|digit| digit.is_ascii_hexdigit()));
            let narrow = part.len() - gap - behind.len() == 2;
            if !(half && more && narrow) {
                self.to = self.from + gap;
                break;
            }
            at = gap + (part.len() - gap - behind.len());
        }
        self
    }

    fn octets(&self, number: u64) -> Result<Vec<u8>, HexError> {
        let mut octets = Vec::new();
        let mut at = self.from;
        for word in self.line[self.from..self.to].split([' ', '\t', ',', ':', ';', '-']) {
            let column = at + 1;
            at += word.len() + 1;
            let digits = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")).unwrap_or(word);
            if let Some((place, found)) = digits.char_indices().find(|(_, digit)| !digit.is_ascii_hexdigit()) {
                let column = column + (word.len() - digits.len()) + place;
                return Err(HexError::NoDigit { line: number, column, found });
            }
            if digits.len() % 2 == 1 {
                return Err(HexError::HalfOctet { line: number, column, word: word.to_string() });
            }
            let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or_default() as u8;
            octets.extend(digits.as_bytes().chunks_exact(2).map(|pair| value(pair[0]) << 4 | value(pair[1])));
        }
        Ok(octets)
    }
}

/// Whether a line tells something, as those that `tcpdump` puts before its dumps. A single word that is not hex is
/// rather a mistake among octets.
fn is_prose(line: &str) -> bool {
    let odd = |word: &&str| word.bytes().any(|c| !c.is_ascii_hexdigit() && !b"xX,:;-".contains(&c));
    line.split_whitespace().filter(odd).count() > 1
}

fn no_digit(line: &str, number: u64) -> HexError {
    let bare = Row::bare(line);
    bare.octets(number).err().unwrap_or(HexError::NoDigit { line: number, column: 1, found: ' ' })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<Block>, Vec<String>) {
        let (mut blocks, mut errors) = (Vec::new(), Vec::new());
        let mut dump = Dump::default();
        for line in text.lines() {
            match dump.line(line) {
                Ok(block) => blocks.extend(block),
                Err(error) => errors.push(error.to_string()),
            }
        }
        blocks.extend(dump.end());
        (blocks, errors)
    }

    fn octets() -> Vec<u8> {
        (0..40).map(|at: u8| at.wrapping_mul(37).wrapping_add(1)).collect()
    }

    /// Lines of a dump, made of an offset, the octets of a row and its number.
    fn dumped(row: impl Fn(usize, &[u8]) -> String) -> String {
        octets().chunks(16).enumerate().map(|(at, octets)| row(at * 16, octets) + "\n").collect()
    }

    fn hex(octets: &[u8], group: usize, between: &str) -> String {
        let digits = |group: &[u8]| group.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
        octets.chunks(group).map(digits).collect::<Vec<_>>().join(between)
    }

    #[test]
    fn every_usual_way_to_write_octets_is_read() {
        let all = octets();
        for text in [
            hex(&all, 40, ""),
            format!("0x{}", hex(&all, 40, "")),
            hex(&all, 1, " ").to_uppercase(),
            hex(&all, 1, ":"),
            format!("0x{}", hex(&all, 1, ", 0x")),
            dumped(|_, row| hex(row, 2, " ")),
            dumped(|_, row| hex(row, 4, " ")),
            dumped(|_, row| hex(row, 16, "")),
            dumped(|at, row| format!("{at:08x}: {:<39}  {}", hex(row, 2, " "), "ab cd.|fe 00:..x")),
            dumped(|at, row| format!("\t0x{at:04x}:  {:<39}  {}", hex(row, 2, " "), "E..T..@.@..U....")),
            dumped(|at, row| format!("\t0x{at:04x}:  {}", hex(row, 2, " "))),
            dumped(|at, row| {
                let (low, high) = row.split_at(8);
                format!("{at:08x}  {}  {}  |ab cd.......|", hex(low, 1, " "), hex(high, 1, " "))
            }),
            dumped(|at, row| {
                let (low, high) = row.split_at(8);
                format!("{at:04x}  {}  {}   ab cd.fe 00", hex(low, 1, " "), hex(high, 1, " "))
            }),
            dumped(|at, row| format!("{at:06x} {}", hex(row, 1, " "))),
            dumped(|at, row| format!("{at:04x}  {}   ......", hex(row, 1, " "))),
        ] {
            let (blocks, errors) = read(&text);
            assert_eq!((blocks.len(), errors.len()), (1, 0), "{errors:?}\n{text}");
            assert_eq!(blocks[0].octets, all, "\n{text}");
        }
    }

    #[test]
    fn blocks_end_at_empty_lines_at_words_and_where_offsets_begin_again() {
        let offsets = "12:00:00.1 IP a.1 > b.1812: RADIUS, length: 20\n\t0x0000:  0102 0304\n\t0x0004:  05\n\
                       12:00:00.2 IP b.1812 > a.1: RADIUS\n\t0x0000:  0607\n\t0x0000:  08\n";
        let (blocks, errors) = read(offsets);
        assert!(errors.is_empty(), "{errors:?}");
        let found: Vec<_> = blocks.iter().map(|block| (block.line, block.octets.as_slice())).collect();
        assert_eq!(found, [(2, [1, 2, 3, 4, 5].as_slice()), (5, &[6, 7]), (6, &[8])]);

        let (blocks, errors) = read("# one\n0102\n03\n\n# two\n04 05\n");
        assert!(errors.is_empty(), "{errors:?}");
        let found: Vec<_> = blocks.iter().map(|block| (block.line, block.octets.as_slice())).collect();
        assert_eq!(found, [(2, [1, 2, 3].as_slice()), (6, &[4, 5])]);
    }

    #[test]
    fn what_is_wrong_is_told_with_line_and_column_and_the_next_block_is_read() {
        let (blocks, errors) = read("0102\n03 0g\n05\n\n0607\n\n010\n\n08\n");
        assert_eq!(
            errors,
            ["line 2, column 5: 'g' is no hex digit", "line 7, column 1: \"010\" has an odd number of digits"]
        );
        let found: Vec<_> = blocks.iter().map(|block| block.octets.as_slice()).collect();
        assert_eq!(found, [[6, 7].as_slice(), &[8]]);

        let (blocks, errors) = read("0000: 0102\n0004: 05\n0000: 06\n");
        assert_eq!(errors, ["line 2: the offset says 0x4, but 0x2 octets stand before it"]);
        assert_eq!(blocks.len(), 1);
    }

    #[test]
    fn a_block_without_end_is_refused() {
        let line = "00".repeat(4096);
        let text = format!("{line}\n").repeat(MAX_BLOCK / 4096 + 2);
        let (blocks, errors) = read(&text);
        assert_eq!((blocks.len(), errors.len()), (0, 1), "{errors:?}");
    }

    #[test]
    fn any_line_is_read_or_refused() {
        use proptest::prelude::*;
        proptest!(|(lines in proptest::collection::vec("[0-9a-fx:|, é\t]{0,40}", 0..6))| {
            read(&lines.join("\n"));
        });
    }
}
