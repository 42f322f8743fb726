//! FreeRADIUS's detail files: records of a header line, lines `<tab>Name = value`, and an empty line.
//!
//! ```text
//! Sun Nov 22 10:15:30 2026
//!         User-Name = "bob"
//!         Acct-Session-Time = 3600
//!         Timestamp = 1795342530
//!
//! ```
//!
//! The reader takes octets as they come and gives records as they end; a record may be as long as [`MAX_RECORD`], and a
//! value as long as its record, unlike FreeRADIUS's own reader, which drops the rest of a file behind a line of
//! 1,024 characters. A line that cannot be understood makes its record a bad one, told with its place; the next record
//! is read as if nothing had been.

mod split;
mod value;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime;

pub use split::{Position, Raw, Splitter};
pub use value::{Zone, attributes, is_secret, typed_attributes};

/// The most octets of one record. A RADIUS packet has 4096, each written as four characters at most; the reply's
/// attributes and a server's own may stand beside them.
pub const MAX_RECORD: usize = 1024 * 1024;

/// The attribute with the time at which the server received the packet.
pub const TIMESTAMP: &str = "Timestamp";

/// The same in a record that FreeRADIUS's own reader has marked as done, in its place.
pub const TIMESTAMP_DONE: &str = "Donestamp";

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The line it begins in, counted from 1.
    pub line: u64,
    /// Where it begins, in octets from where the reader began.
    pub offset: u64,
    /// Its first line: by default the server's local time.
    pub header: String,
    /// Its attributes as they are written.
    pub pairs: Vec<Pair>,
}

/// One line of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The attribute's name.
    pub name: String,
    /// What stands behind the equals sign.
    pub value: Written,
}

/// A value as a detail file writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// Between quotes, its escapes taken back: octets, as a text in RADIUS need not be UTF-8.
    Quoted(Vec<u8>),
    /// Without quotes: a number, an address, a name, hex.
    Bare(String),
}

/// What cannot be understood, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, octet {offset}: {problem}; the record that begins in line {record} is left out")]
pub struct BadRecord {
    /// The line, counted from 1.
    pub line: u64,
    /// Where the line begins, in octets from where the reader began.
    pub offset: u64,
    /// The line in which the record begins.
    pub record: u64,
    /// What.
    pub problem: Problem,
}

/// What can be wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A line with an attribute before any header.
    #[error("an attribute stands outside a record")]
    NoHeader,
    /// A second line that is no attribute.
    #[error("this is neither an attribute nor the empty line that ends a record")]
    NoAttribute,
    /// No equals sign behind the name.
    #[error("there is no \" = \" behind a name")]
    NoEquals,
    /// A quoted value without its second quote.
    #[error("the value's second quote is missing")]
    NoQuote,
    /// Something behind the second quote.
    #[error("something stands behind the value's second quote")]
    BehindQuote,
    /// Octets that are not UTF-8 where names, numbers and headers stand.
    #[error("there are octets that are not UTF-8 outside quotes")]
    NotText,
    /// A record above the limit.
    #[error("the record has more than {MAX_RECORD} octets")]
    TooLong,
    /// The end of the file in a line, so that its value may be half of one.
    #[error("the file ends in the middle of the record's last line")]
    CutOff,
}

impl Record {
    /// When the server received the packet: the attribute `Timestamp`, in seconds. FreeRADIUS's reader with
    /// `track = yes` writes `Done` over its first four letters once the record was acknowledged.
    pub fn time(&self) -> Option<Timestamp> {
        let seconds = self.bare(TIMESTAMP).or_else(|| self.bare(TIMESTAMP_DONE))?;
        Timestamp::from_second(seconds.parse().ok()?).ok()
    }

    /// What its header says, where that is a date as FreeRADIUS writes it by default: the server's local time.
    pub fn local_time(&self) -> Option<DateTime> {
        strtime::parse("%a %b %d %H:%M:%S %Y", &self.header).ok()?.to_datetime().ok()
    }

    /// The first value without quotes under this name, compared without case.
    pub fn bare(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|pair| pair.name.eq_ignore_ascii_case(name)).and_then(|pair| match &pair.value {
            Written::Bare(text) => Some(text.as_str()),
            Written::Quoted(_) => None,
        })
    }
}

/// Whether a line begins as one of a record's attributes: a detail file is told by it. Its value may be cut off.
pub fn is_pair(line: &[u8]) -> bool {
    is_indented(line) && name_and_value(line).is_some()
}

/// Takes octets and gives records.
#[derive(Debug)]
pub struct Reader {
    /// A line that has not ended yet.
    partial: Vec<u8>,
    /// The number and place of the line that comes next.
    line: u64,
    offset: u64,
    state: State,
    /// Octets of the present record.
    octets: usize,
}

#[derive(Debug)]
enum State {
    Between,
    Within(Record),
    /// In a record that was told to be bad.
    Bad,
}

impl Default for Reader {
    fn default() -> Self {
        Self { partial: Vec::new(), line: 1, offset: 0, state: State::Between, octets: 0 }
    }
}

impl Reader {
    /// Takes more octets, and hands each record and each bad one that ends in them to `take`.
    pub fn push(&mut self, octets: &[u8], mut take: impl FnMut(Result<Record, BadRecord>)) {
        for piece in octets.split_inclusive(|octet| *octet == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) if self.partial.is_empty() => self.line(end, piece.len()).into_iter().for_each(&mut take),
                Some(end) => {
                    let mut line = std::mem::take(&mut self.partial);
                    line.extend(end);
                    self.line(&line, line.len() + 1).into_iter().for_each(&mut take);
                    line.clear();
                    self.partial = line;
                }
                // A line above the limit is bad however it goes on; only its end is waited for.
                None => {
                    let room = (MAX_RECORD + 1).saturating_sub(self.partial.len());
                    let kept = piece.len().min(room);
                    self.partial.extend(&piece[..kept]);
                    self.offset += (piece.len() - kept) as u64;
                }
            }
        }
    }

    /// Says that nothing more comes: what stands there is a record even without its empty line.
    pub fn finish(mut self) -> Option<Result<Record, BadRecord>> {
        let line = std::mem::take(&mut self.partial);
        if !line.is_empty()
            && let Some(done) = self.line(&line, line.len())
        {
            return Some(done);
        }
        match self.state {
            State::Within(record) => Some(Ok(record)),
            _ => None,
        }
    }

    /// One line without its end, and how many octets it takes with it.
    fn line(&mut self, line: &[u8], length: usize) -> Option<Result<Record, BadRecord>> {
        let (number, offset) = (self.line, self.offset);
        self.line += 1;
        self.offset += length as u64;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.iter().all(u8::is_ascii_whitespace) {
            return match std::mem::replace(&mut self.state, State::Between) {
                State::Within(record) => Some(Ok(record)),
                State::Between | State::Bad => None,
            };
        }
        if matches!(self.state, State::Between) {
            self.octets = 0;
        }
        self.octets += length;
        let problem = match self.add(line, number, offset) {
            Ok(()) => return None,
            Err(problem) => problem,
        };
        let record = match std::mem::replace(&mut self.state, State::Bad) {
            State::Bad => return None,
            State::Within(record) => record.line,
            State::Between => number,
        };
        Some(Err(BadRecord { line: number, offset, record, problem }))
    }

    fn add(&mut self, line: &[u8], number: u64, offset: u64) -> Result<(), Problem> {
        if self.octets > MAX_RECORD {
            return Err(Problem::TooLong);
        }
        match (&mut self.state, is_indented(line)) {
            (State::Bad, _) => Ok(()),
            (State::Between, true) => Err(Problem::NoHeader),
            (State::Between, false) => {
                let header = std::str::from_utf8(line).map_err(|_| Problem::NotText)?.to_string();
                self.state = State::Within(Record { line: number, offset, header, pairs: Vec::new() });
                Ok(())
            }
            (State::Within(_), false) => Err(Problem::NoAttribute),
            (State::Within(record), true) => {
                record.pairs.push(pair(line)?);
                Ok(())
            }
        }
    }
}

fn is_indented(line: &[u8]) -> bool {
    matches!(line.first(), Some(b'\t' | b' '))
}

/// `Name = value`, with white space before it.
fn pair(line: &[u8]) -> Result<Pair, Problem> {
    let (name, value) = name_and_value(line).ok_or(Problem::NoEquals)?;
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).map_err(|_| Problem::NotText);
    let value = match value.strip_prefix(b"\"") {
        Some(quoted) => Written::Quoted(unquoted(quoted)?),
        None => Written::Bare(text(value.trim_ascii_end())?),
    };
    Ok(Pair { name: text(name)?, value })
}

fn name_and_value(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.trim_ascii_start();
    let equals = line.windows(3).position(|three| three == b" = ")?;
    let (name, value) = (&line[..equals], &line[equals + 3..]);
    let is_name = !name.is_empty() && !name.iter().any(|octet| octet.is_ascii_whitespace() || *octet == b'"');
    is_name.then_some((name, value))
}

/// What stands between quotes, the first of which is taken off, with its escapes taken back: `\"`, `\\`, `\n`, `\r`,
/// `\t`, and `\NNN` in octal for what cannot be printed.
fn unquoted(quoted: &[u8]) -> Result<Vec<u8>, Problem> {
    let mut octets = Vec::with_capacity(quoted.len());
    let mut rest = quoted;
    loop {
        rest = match rest {
            [] => return Err(Problem::NoQuote),
            [b'"', behind @ ..] => {
                return if behind.trim_ascii().is_empty() { Ok(octets) } else { Err(Problem::BehindQuote) };
            }
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', rest @ ..] => {
                octets.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest
            }
            [b'\\', escaped, rest @ ..] => {
                octets.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    other => *other,
                });
                rest
            }
            [octet, rest @ ..] => {
                octets.push(*octet);
                rest
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], step: usize) -> (Vec<Record>, Vec<String>) {
        let (mut records, mut bad) = (Vec::new(), Vec::new());
        let mut take = |done: Result<Record, BadRecord>| match done {
            Ok(record) => records.push(record),
            Err(error) => bad.push(error.to_string()),
        };
        let mut reader = Reader::default();
        for piece in text.chunks(step) {
            reader.push(piece, &mut take);
        }
        reader.finish().into_iter().for_each(&mut take);
        (records, bad)
    }

    const TWO: &str = "Sun Nov 22 10:15:30 2026\n\tUser-Name = \"bob\"\n\tNAS-Port = 7\n\tTimestamp = 1795342530\n\n\
                       Sun Nov 22 10:15:31 2026\n\tUser-Name = \"a \\\"b\\\" \\\\ \\303\\251\\n\"\n\n";

    #[test]
    fn records_are_read_however_their_octets_come() {
        let expected = read(TWO.as_bytes(), TWO.len());
        let [first, second] = expected.0.as_slice() else { panic!("{expected:?}") };
        assert_eq!((first.line, first.offset, first.header.as_str()), (1, 0, "Sun Nov 22 10:15:30 2026"));
        assert_eq!(first.pairs[0], Pair { name: "User-Name".into(), value: Written::Quoted(b"bob".to_vec()) });
        assert_eq!(first.pairs[1].value, Written::Bare("7".into()));
        assert_eq!(first.time().unwrap().to_string(), "2026-11-22T10:15:30Z");
        assert_eq!(second.line, 6);
        assert_eq!(&TWO[second.offset as usize..][..24], "Sun Nov 22 10:15:31 2026");
        assert_eq!(second.pairs[0].value, Written::Quoted("a \"b\" \\ é\n".into()));
        for step in 1..TWO.len() {
            assert_eq!(read(TWO.as_bytes(), step), expected, "{step}");
        }
    }

    #[test]
    fn a_record_needs_no_empty_line_at_the_end_of_the_file() {
        assert_eq!(read(TWO.trim_end().as_bytes(), 7), read(TWO.as_bytes(), 7));
        let (records, bad) = read(b"now\n\tUser-Name = \"bo", 7);
        assert!(records.is_empty());
        assert_eq!(
            bad,
            ["line 2, octet 4: the value's second quote is missing; the record that begins in line 1 is left out"]
        );
    }

    #[test]
    fn a_bad_record_is_told_with_its_place_and_the_others_are_read() {
        for (line, problem) in [
            ("User-Name: bob", "this is neither an attribute nor the empty line that ends a record"),
            ("\tUser-Name: bob", "there is no \" = \" behind a name"),
            ("\tUser-Name = \"bob", "the value's second quote is missing"),
            ("\tUser-Name = \"bob\" x", "something stands behind the value's second quote"),
        ] {
            let text = format!("first\n\tNAS-Port = 1\n\nsecond\n\tNAS-Port = 2\n{line}\n\tNAS-Port = 3\n\n{TWO}");
            let (records, bad) = read(text.as_bytes(), 11);
            assert_eq!(records.iter().map(|record| record.line).collect::<Vec<_>>(), [1, 9, 14], "{line}");
            assert_eq!(
                bad,
                [format!("line 6, octet 42: {problem}; the record that begins in line 4 is left out")],
                "{line}"
            );
        }
        let (records, bad) = read(b"\tNAS-Port = 1\n\nnow\n\tNAS-Port = 2\n\n", 5);
        assert_eq!((records.len(), bad.len()), (1, 1));
    }

    #[test]
    fn a_value_may_be_as_long_as_its_record_and_a_longer_record_is_refused() {
        let long = |length: usize| format!("now\n\tClass = \"{}\"\n\n{TWO}", "x".repeat(length));
        let (records, bad) = read(long(MAX_RECORD - 100).as_bytes(), 4096);
        assert_eq!((records.len(), bad.len()), (3, 0));
        let text = long(3 * MAX_RECORD);
        let (records, bad) = read(text.as_bytes(), 4096);
        assert_eq!((records.len(), bad.len()), (2, 1), "{bad:?}");
        assert!(text[records[0].offset as usize..].starts_with("Sun Nov 22 10:15:30"));
        let (records, bad) =
            read(format!("now\n{}\n{TWO}", "\tNAS-Port = 1\n".repeat(MAX_RECORD / 10)).as_bytes(), 999);
        assert_eq!((records.len(), bad.len()), (2, 1), "{bad:?}");
    }

    #[test]
    fn any_octets_are_records_or_bad_ones() {
        use proptest::prelude::*;
        proptest!(|(at in 0..TWO.len(), octets in proptest::collection::vec(any::<u8>(), 0..20), step in 1_usize..50)| {
            let mut text = TWO.as_bytes().to_vec();
            text.splice(at..(at + 5).min(TWO.len()), octets);
            let whole = read(&text, text.len().max(1));
            prop_assert_eq!(read(&text, step), whole);
        });
    }
}
