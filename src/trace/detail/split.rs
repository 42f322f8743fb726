//! Cuts a detail file into its records without looking into them: for whoever must know where each begins and ends, and
//! may have to keep one that cannot be understood.

use super::{BadRecord, MAX_RECORD, Problem, Reader, Record};

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// In octets from the file's beginning.
    pub offset: u64,
    /// The line, counted from 1.
    pub line: u64,
}

impl Default for Position {
    fn default() -> Self {
        Self { offset: 0, line: 1 }
    }
}

/// One record as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// Where it begins.
    pub at: Position,
    /// Its octets, with the empty line that ends it; of a record above [`MAX_RECORD`] only the first so many.
    pub octets: Vec<u8>,
    /// How many octets it has in all.
    pub length: u64,
}

impl Raw {
    /// Reads it. What is bad is told with its place in the file.
    pub fn read(&self) -> Result<Record, BadRecord> {
        let bad = |problem| BadRecord { line: self.at.line, offset: self.at.offset, record: self.at.line, problem };
        if self.length > self.octets.len() as u64 {
            return Err(bad(Problem::TooLong));
        }
        if !self.octets.ends_with(b"\n") {
            return Err(bad(Problem::CutOff));
        }
        let mut reader = Reader::default();
        let mut first = None;
        reader.push(&self.octets, |result| first = first.take().or(Some(result)));
        // It was cut where a record ends, so that there is one, told by its empty line or by the file's end.
        match first.or_else(|| reader.finish()) {
            Some(Ok(record)) => Ok(Record { line: self.at.line, offset: self.at.offset, ..record }),
            Some(Err(error)) => {
                let before = self.at.line - 1;
                let (line, record) = (before + error.line, before + error.record);
                Err(BadRecord { line, record, offset: self.at.offset + error.offset, problem: error.problem })
            }
            None => Err(bad(Problem::NoHeader)),
        }
    }
}

/// Takes octets and cuts them at empty lines. What it keeps is bounded by [`MAX_RECORD`].
#[derive(Debug)]
pub struct Splitter {
    /// Behind the last octet taken.
    next: Position,
    /// Behind the last record that ended.
    boundary: Position,
    /// The record that has begun.
    octets: Vec<u8>,
    /// How many octets it has, of which some may have been too many to keep.
    length: u64,
    /// The line that has begun has nothing but white space so far.
    is_blank: bool,
}

impl Splitter {
    /// Goes on at a place between two records.
    pub fn at(position: Position) -> Self {
        Self { next: position, boundary: position, octets: Vec::new(), length: 0, is_blank: true }
    }

    /// Takes more octets, and hands each record that ends in them to `take`.
    pub fn push(&mut self, octets: &[u8], mut take: impl FnMut(Raw)) {
        for piece in octets.split_inclusive(|octet| *octet == b'\n') {
            self.next.offset += piece.len() as u64;
            self.length += piece.len() as u64;
            let room = MAX_RECORD.saturating_sub(self.octets.len());
            self.octets.extend(&piece[..piece.len().min(room)]);
            self.is_blank &= piece.iter().all(u8::is_ascii_whitespace);
            if piece.ends_with(b"\n") {
                self.next.line += 1;
                if std::mem::replace(&mut self.is_blank, true) {
                    self.end().into_iter().for_each(&mut take);
                }
            }
        }
    }

    /// Behind the last octet taken.
    pub fn next(&self) -> Position {
        self.next
    }

    /// Behind the last record that ended: where to go on another time.
    pub fn boundary(&self) -> Position {
        self.boundary
    }

    /// Says that nothing more comes: what has begun is a record even without its empty line.
    pub fn end(&mut self) -> Option<Raw> {
        let at = std::mem::replace(&mut self.boundary, self.next);
        let (octets, length) = (std::mem::take(&mut self.octets), std::mem::take(&mut self.length));
        self.is_blank = true;
        let is_record = length > octets.len() as u64 || !octets.trim_ascii().is_empty();
        is_record.then_some(Raw { at, octets, length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "\n \nfirst\n\tNAS-Port = 1\n\n\nsecond\n\tNAS-Port = 2\n \t\n";

    fn split(text: &[u8], step: usize) -> (Vec<Raw>, Splitter) {
        let (mut splitter, mut raws) = (Splitter::at(Position::default()), Vec::new());
        text.chunks(step).for_each(|piece| splitter.push(piece, |raw| raws.push(raw)));
        (raws, splitter)
    }

    #[test]
    fn records_are_cut_with_their_places_however_their_octets_come() {
        let (raws, splitter) = split(TWO.as_bytes(), TWO.len());
        let at = |raw: &Raw| (raw.at.line, &TWO[raw.at.offset as usize..][..raw.octets.len()]);
        let cut: Vec<_> = raws.iter().map(at).collect();
        assert_eq!(cut, [(3, "first\n\tNAS-Port = 1\n\n"), (7, "second\n\tNAS-Port = 2\n \t\n")]);
        assert_eq!(raws[1].read().unwrap().bare("NAS-Port"), Some("2"));
        assert_eq!((raws[1].read().unwrap().line, raws[1].read().unwrap().offset), (7, raws[1].at.offset));
        assert_eq!(splitter.boundary(), Position { offset: TWO.len() as u64, line: 10 });
        for step in 1..TWO.len() {
            assert_eq!(split(TWO.as_bytes(), step).0, raws, "{step}");
        }
    }

    #[test]
    fn a_record_that_has_not_ended_is_no_boundary_and_can_be_ended() {
        let text = format!("{TWO}third\n\tNAS-Port = 3\n");
        let (raws, mut splitter) = split(text.as_bytes(), 7);
        assert_eq!((raws.len(), splitter.boundary().offset), (2, TWO.len() as u64));
        assert_eq!(splitter.next().offset, text.len() as u64);
        let third = splitter.end().unwrap();
        assert_eq!(third.read().unwrap().bare("NAS-Port"), Some("3"));
        assert_eq!(splitter.boundary().offset, text.len() as u64);
        assert_eq!(splitter.end(), None);
    }

    #[test]
    fn a_line_that_was_cut_off_is_not_believed() {
        let (_, mut splitter) = split(b"now\n\tAcct-Session-Time = 36", 5);
        assert_eq!(splitter.end().unwrap().read().unwrap_err().problem, Problem::CutOff);
    }

    #[test]
    fn what_is_bad_is_told_with_its_place_in_the_file() {
        let text = format!("{TWO}third\n\tNAS-Port: 3\n\n");
        let (raws, _) = split(text.as_bytes(), 9);
        let error = raws[2].read().unwrap_err();
        assert_eq!((error.record, error.line, error.problem), (10, 11, Problem::NoEquals));
        assert_eq!(error.offset as usize, TWO.len() + "third\n".len());
    }

    #[test]
    fn a_record_without_end_keeps_no_more_than_a_record_may_have() {
        let (mut splitter, mut raws) = (Splitter::at(Position::default()), Vec::new());
        for _ in 0..40 {
            splitter.push(&[b'x'; 65_536], |raw| raws.push(raw));
            assert!(splitter.octets.len() <= MAX_RECORD);
        }
        splitter.push(b"\n\nnow\n\tNAS-Port = 1\n\n", |raw| raws.push(raw));
        assert_eq!(raws.len(), 2);
        assert_eq!((raws[0].length, raws[0].octets.len()), (40 * 65_536 + 2, MAX_RECORD));
        assert_eq!(raws[0].read().unwrap_err().problem, Problem::TooLong);
        assert_eq!((raws[1].at.line, raws[1].read().unwrap().pairs.len()), (3, 1));
    }
}
