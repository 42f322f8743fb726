//! The walk over attributes that stand in a row inside another one: a vendor's own (RFC 2865 §5.26), in the format that
//! the vendor chose, and TLVs (RFC 8044 §3.13). Like the walk over a packet it allocates nothing.

use super::dictionary::VendorFormat;

/// The largest type of a vendor's attribute; of four octets the first must be 0.
const MAX_TYPE: u32 = 0x00ff_ffff;

/// What remains of a row. Ends with `None` where it is broken.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    octets: &'a [u8],
    format: VendorFormat,
}

/// One attribute of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inner<'a> {
    /// Its type.
    pub number: u32,
    /// How many octets stand before its value: type, length and, in a format with continuation, flags.
    pub header: usize,
    /// Its value.
    pub value: &'a [u8],
}

impl<'a> Row<'a> {
    /// The row in these octets. TLVs have the default format.
    pub fn new(octets: &'a [u8], format: VendorFormat) -> Self {
        Self { octets, format }
    }

    /// Whether all that remains can be walked, and is something.
    pub fn is_whole(&self) -> bool {
        !self.octets.is_empty() && self.clone().all(|inner| inner.is_some())
    }

    fn split(&mut self) -> Option<Inner<'a>> {
        let Header { number, length, octets: header } = Header::of(self.octets, self.format)?;
        // 0 is an attribute only where types have one octet, as FreeRADIUS sees it: some vendors use it there.
        if self.format.type_octets > 1 && (number == 0 || number > MAX_TYPE) {
            return None;
        }
        let length = length?;
        let value = self.octets.get(header..length)?;
        self.octets = &self.octets[length..];
        Some(Inner { number, header, value })
    }
}

impl<'a> Iterator for Row<'a> {
    type Item = Option<Inner<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.octets.is_empty() {
            return None;
        }
        let inner = self.split();
        if inner.is_none() {
            self.octets = &[];
        }
        Some(inner)
    }
}

/// What an attribute of a row begins with.
pub(super) struct Header {
    /// Its type.
    pub number: u32,
    /// What its length says, itself included; where a format has none, all that is there. None if it is cut off.
    pub length: Option<usize>,
    /// How many octets it takes.
    pub octets: usize,
}

impl Header {
    /// None if not even a type is there.
    pub fn of(octets: &[u8], format: VendorFormat) -> Option<Self> {
        let type_octets = usize::from(format.type_octets);
        let header = type_octets + usize::from(format.length_octets);
        let big_endian = |octets: &[u8]| octets.iter().fold(0, |number, octet| number << 8 | u32::from(*octet));
        let number = big_endian(octets.get(..type_octets)?);
        let length = match format.length_octets {
            0 => Some(octets.len()),
            _ => octets.get(type_octets..header).map(|length| big_endian(length) as usize),
        };
        Some(Self { number, length, octets: header + usize::from(format.continuation) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(octets: &[u8], format: &str) -> Vec<Option<(u32, usize, Vec<u8>)>> {
        let row = Row::new(octets, VendorFormat::from_keyword(format).unwrap());
        row.map(|inner| inner.map(|inner| (inner.number, inner.header, inner.value.to_vec()))).collect()
    }

    #[test]
    fn rows_are_walked_in_every_format() {
        for (format, octets, expected) in [
            ("format=1,1", &[1, 3, 9, 0, 2][..], vec![Some((1, 2, vec![9])), Some((0, 2, vec![]))]),
            ("format=1,1,c", &[1, 4, 0, 9], vec![Some((1, 3, vec![9]))]),
            ("format=2,1", &[1, 2, 4, 9, 0, 1, 3], vec![Some((258, 3, vec![9])), Some((1, 3, vec![]))]),
            ("format=2,2", &[0, 3, 0, 5, 9], vec![Some((3, 4, vec![9]))]),
            ("format=4,0", &[0, 0, 0x90, 1, 9, 9], vec![Some((0x9001, 4, vec![9, 9]))]),
        ] {
            assert_eq!(walked(octets, format), expected, "{format}");
        }
    }

    #[test]
    fn a_row_ends_where_it_is_broken() {
        let first = Some((1, 2, vec![9]));
        for octets in [&[1, 3, 9, 2][..], &[1, 3, 9, 2, 1], &[1, 3, 9, 2, 4, 0]] {
            assert_eq!(walked(octets, "format=1,1"), [first.clone(), None]);
            assert!(!Row::new(octets, VendorFormat::default()).is_whole());
        }
        assert_eq!(walked(&[0, 0, 3], "format=2,1"), [None], "type 0 of two octets");
        assert_eq!(walked(&[1, 2], "format=1,1,c"), [None], "no flags");
        assert!(!Row::new(&[], VendorFormat::default()).is_whole(), "nothing");
    }
}
