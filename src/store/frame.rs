//! A batch as it stands in a journal segment: one frame, which validates whole or not at all.
//!
//! ```text
//!  0      4      8          16               24     28        32
//!  | crc  | len  | sequence | synced through | kind | zero    | payload … zero padding to 8 |
//! ```
//! All numbers are little-endian. `crc` (CRC-32, IEEE) covers the segment's salt and everything behind itself, the
//! padding too: a frame that was left over from a file's earlier life as another segment never validates.
//! `len` is the payload's length without padding.

use super::{Batch, Key, MAX_KEY, MAX_VALUE, StoreError};

/// Bytes before the payload.
pub const HEADER: usize = 32;

/// Frames begin at multiples of this, so that a search for one has few places to look at.
pub const ALIGNMENT: usize = 8;

/// The largest payload: four of the largest values. A bigger batch would make a segment that replay could not hold in
/// memory beside everything else.
pub const MAX_PAYLOAD: usize = 4 * (MAX_VALUE + MAX_KEY + PUT_OVERHEAD);

/// Bytes a put takes beside its key and its value: tag, key length, value length.
const PUT_OVERHEAD: usize = 1 + 2 + 4;

const TAG_DELETE: u8 = 0;
const TAG_PUT: u8 = 1;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A batch.
    Batch = 1,
    /// The journal was closed cleanly here: everything before it is durable and nothing was under way.
    Close = 2,
}

/// A frame that validated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its number in the journal, contiguous from 1.
    pub sequence: u64,
    /// The highest sequence known durable when it was written.
    pub synced_through: u64,
    /// A batch, readable with [`decode`].
    pub payload: &'a [u8],
    /// Bytes it takes, padding included.
    pub length: usize,
}

/// Bytes a frame of so long a payload takes.
pub fn length(payload: usize) -> usize {
    (HEADER + payload).next_multiple_of(ALIGNMENT)
}

/// Appends a frame to `buffer`, which must stand at a multiple of [`ALIGNMENT`].
pub fn append(buffer: &mut Vec<u8>, salt: u64, kind: Kind, sequence: u64, synced_through: u64, payload: &[u8]) {
    let start = buffer.len();
    let payload_length = u32::try_from(payload.len()).expect("encode refuses payloads above MAX_PAYLOAD");
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(&payload_length.to_le_bytes());
    buffer.extend_from_slice(&sequence.to_le_bytes());
    buffer.extend_from_slice(&synced_through.to_le_bytes());
    buffer.extend_from_slice(&(kind as u32).to_le_bytes());
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(payload);
    buffer.resize(start + length(payload.len()), 0);
    let crc = checksum(salt, &buffer[start + 4..]);
    buffer[start..start + 4].copy_from_slice(&crc.to_le_bytes());
}

/// The frame at `offset`, if a valid one stands there.
pub fn read(bytes: &[u8], offset: usize, salt: u64) -> Option<Frame<'_>> {
    let head = Head::read(bytes, offset)?;
    let whole = bytes.get(offset..offset.checked_add(head.length)?)?;
    if checksum(salt, &whole[4..]) != head.crc {
        return None;
    }
    Some(Frame {
        kind: head.kind,
        sequence: head.sequence,
        synced_through: head.synced_through,
        payload: &whole[HEADER..HEADER + head.payload],
        length: head.length,
    })
}

/// The first valid frame from `offset` on that knew `sequence` to be durable: proof that what stands at `offset` was
/// acknowledged once. Answers its place.
pub fn find_witness(bytes: &[u8], offset: usize, salt: u64, sequence: u64) -> Option<usize> {
    find(bytes, offset, salt, |head| head.synced_through >= sequence)
}

/// The first valid frame from `offset` on, whatever its number.
pub fn find_any(bytes: &[u8], offset: usize, salt: u64) -> Option<usize> {
    find(bytes, offset, salt, |_| true)
}

fn find(bytes: &[u8], offset: usize, salt: u64, wanted: impl Fn(&Head) -> bool) -> Option<usize> {
    let mut at = offset.next_multiple_of(ALIGNMENT);
    while at + HEADER <= bytes.len() {
        // Looking at the numbers first spares the checksum at nearly every place.
        if Head::read(bytes, at).is_some_and(|head| wanted(&head)) && read(bytes, at, salt).is_some() {
            return Some(at);
        }
        at += ALIGNMENT;
    }
    None
}

struct Head {
    crc: u32,
    kind: Kind,
    sequence: u64,
    synced_through: u64,
    payload: usize,
    length: usize,
}

impl Head {
    fn read(bytes: &[u8], offset: usize) -> Option<Head> {
        let head: &[u8; HEADER] = bytes.get(offset..)?.first_chunk()?;
        let long = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes of a fixed array"));
        let short = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes of a fixed array"));
        let kind = match (short(24), short(28)) {
            (1, 0) => Kind::Batch,
            (2, 0) => Kind::Close,
            _ => return None,
        };
        let payload = usize::try_from(short(4)).ok().filter(|length| *length <= MAX_PAYLOAD)?;
        let (sequence, synced_through) = (long(8), long(16));
        (synced_through < sequence).then(|| Head {
            crc: short(0),
            kind,
            sequence,
            synced_through,
            payload,
            length: length(payload),
        })
    }
}

fn checksum(salt: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// A batch as a payload.
///
/// # Errors
/// [`StoreError::TooLarge`] when it breaks [`MAX_KEY`], [`MAX_VALUE`] or [`MAX_PAYLOAD`].
pub fn encode(batch: &Batch) -> Result<Vec<u8>, StoreError> {
    let mut size = 0usize;
    for (key, value) in batch.operations() {
        let value = value.as_ref().map_or(0, |value| value.len());
        if key.len() > MAX_KEY {
            return Err(StoreError::TooLarge(format!("a key of {} bytes, at most {MAX_KEY} are allowed", key.len())));
        }
        if value > MAX_VALUE {
            return Err(StoreError::TooLarge(format!("a value of {value} bytes, at most {MAX_VALUE} are allowed")));
        }
        size += PUT_OVERHEAD + key.len() + value;
    }
    if size > MAX_PAYLOAD {
        return Err(StoreError::TooLarge(format!("a batch of {size} bytes, at most {MAX_PAYLOAD} are allowed")));
    }
    let mut payload = Vec::with_capacity(size);
    for (key, value) in batch.operations() {
        payload.push(if value.is_some() { TAG_PUT } else { TAG_DELETE });
        payload.extend_from_slice(&u16::try_from(key.len()).expect("MAX_KEY fits").to_le_bytes());
        if let Some(value) = value {
            payload.extend_from_slice(&u32::try_from(value.len()).expect("MAX_VALUE fits").to_le_bytes());
        }
        payload.extend_from_slice(key);
        payload.extend_from_slice(value.as_deref().unwrap_or_default());
    }
    Ok(payload)
}

/// The batch in a payload; `None` when it is not one, which a valid checksum makes a foreign format.
pub fn decode(mut payload: &[u8]) -> Option<Batch> {
    let mut batch = Batch::default();
    while let Some((tag, rest)) = payload.split_first() {
        let (key_length, rest) = rest.split_first_chunk::<2>()?;
        let key_length = usize::from(u16::from_le_bytes(*key_length));
        match *tag {
            TAG_PUT => {
                let (value_length, rest) = rest.split_first_chunk::<4>()?;
                let value_length = usize::try_from(u32::from_le_bytes(*value_length)).ok()?;
                let (key, rest) = rest.split_at_checked(key_length)?;
                let (value, rest) = rest.split_at_checked(value_length)?;
                batch.put(key, value);
                payload = rest;
            }
            TAG_DELETE => {
                let (key, rest) = rest.split_at_checked(key_length)?;
                batch.delete(Key::from(key));
                payload = rest;
            }
            _ => return None,
        }
    }
    Some(batch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framed(payload: &[u8]) -> Vec<u8> {
        let mut buffer = Vec::new();
        append(&mut buffer, 7, Kind::Batch, 5, 4, payload);
        buffer
    }

    #[test]
    fn a_frame_reads_back_and_is_aligned() {
        for size in 0..40 {
            let payload = vec![0xa5; size];
            let bytes = framed(&payload);
            assert_eq!(bytes.len() % ALIGNMENT, 0);
            let frame = read(&bytes, 0, 7).expect("valid");
            assert_eq!((frame.sequence, frame.synced_through, frame.payload), (5, 4, &payload[..]));
            assert_eq!(frame.length, bytes.len());
        }
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_invalidates_a_frame() {
        let bytes = framed(b"thirteen byte");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&flipped, 0, 7), None, "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(read(&bytes[..length], 0, 7), None, "length {length}");
        }
    }

    #[test]
    fn a_frame_of_another_segments_salt_never_validates() {
        assert_eq!(read(&framed(b"x"), 0, 8), None);
    }

    #[test]
    fn a_witness_is_a_later_frame_that_knew_the_sequence_durable() {
        let mut bytes = vec![0xff; 64];
        append(&mut bytes, 7, Kind::Batch, 6, 4, b"does not know of 5");
        assert_eq!(find_witness(&bytes, 0, 7, 5), None);
        let at = bytes.len();
        append(&mut bytes, 7, Kind::Batch, 7, 6, b"does");
        assert_eq!(find_witness(&bytes, 0, 7, 5), Some(at));
    }

    #[test]
    fn batches_beyond_a_limit_are_refused_with_the_numbers() {
        let mut batch = Batch::default();
        batch.delete(vec![0; MAX_KEY + 1]);
        assert!(encode(&batch).unwrap_err().to_string().contains("1025"));
        let mut batch = Batch::default();
        for _ in 0..5 {
            batch.put(b"k".to_vec(), vec![0; MAX_VALUE]);
        }
        assert!(matches!(encode(&batch), Err(StoreError::TooLarge(_))));
    }

    proptest! {
        #[test]
        fn batches_survive_encoding(operations: Vec<(Vec<u8>, Option<Vec<u8>>)>) {
            let mut batch = Batch::default();
            for (key, value) in operations {
                match value {
                    Some(value) => batch.put(key, value),
                    None => batch.delete(key),
                }
            }
            prop_assert_eq!(decode(&encode(&batch).unwrap()), Some(batch));
        }

        #[test]
        fn decoding_anything_never_panics(payload: Vec<u8>) {
            let _ = decode(&payload);
        }
    }
}
