//! How a file's content is known again: by the marks of a place, in plain files and inside compressed ones.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::os::unix::fs::FileExt as _;

use flate2::read::MultiGzDecoder;

use super::place::{Place, WINDOW, head_mark, tail_mark};

/// Unpacks a file from its beginning.
pub(super) type Unpacker = MultiGzDecoder<File>;

/// Places with the same beginning whose end is looked for in a compressed file, which costs unpacking it each time.
const MAX_TRIES: usize = 3;

/// The place with the marks of what stands before it now. A file that has become too short gives others.
pub(super) fn marked(file: &File, place: Place) -> io::Result<Place> {
    let mut window = [0; WINDOW as usize];
    let length = place.head_length() as usize;
    let read = read_full(file, &mut window[..length], 0)?;
    let head = head_mark(&window[..read]);
    let read = read_full(file, &mut window[..length], place.tail_begins())?;
    Ok(Place { head, tail: tail_mark(&window[..read]), ..place })
}

/// Whether the file holds what was read up to the place.
pub(super) fn fits(file: &File, place: &Place) -> io::Result<bool> {
    Ok(place.offset == 0 || (file.metadata()?.len() >= place.offset && marked(file, *place)? == *place))
}

/// How far this file's content was read under another name or inode.
pub(super) fn known_content(file: &File, candidates: Vec<Place>) -> io::Result<Place> {
    let mut window = [0; WINDOW as usize];
    let length = read_full(file, &mut window, 0)?;
    for place in beginning_so(&window[..length], candidates) {
        if fits(file, &place)? {
            return Ok(place);
        }
    }
    Ok(Place::default())
}

/// The same of a compressed file, with what unpacks it from there on.
pub(super) fn known_inside(file: &File, candidates: Vec<Place>) -> io::Result<Option<(Unpacker, Place)>> {
    let mut beginning = Vec::new();
    unpacker(file)?.take(WINDOW).read_to_end(&mut beginning)?;
    for place in beginning_so(&beginning, candidates).take(MAX_TRIES) {
        if let Some((unpacker, tail)) = skip(file, &place)?
            && tail == place.tail
        {
            return Ok(Some((unpacker, place)));
        }
    }
    Ok(None)
}

/// The places of content that begins so, the furthest first.
fn beginning_so(beginning: &[u8], mut candidates: Vec<Place>) -> impl Iterator<Item = Place> {
    candidates
        .retain(|place| beginning.get(..place.head_length() as usize).is_some_and(|it| head_mark(it) == place.head));
    candidates.sort_by_key(|place| std::cmp::Reverse(place.offset));
    candidates.into_iter()
}

/// Unpacks up to a place; and the mark of what stands before it. `None` where there is not as much.
pub(super) fn skip(file: &File, place: &Place) -> io::Result<Option<(Unpacker, u32)>> {
    let mut unpacker = unpacker(file)?;
    let before = io::copy(&mut unpacker.by_ref().take(place.tail_begins()), &mut io::sink())?;
    let mut window = Vec::new();
    unpacker.by_ref().take(place.head_length()).read_to_end(&mut window)?;
    let is_there = before + window.len() as u64 == place.offset;
    Ok(is_there.then(|| (unpacker, tail_mark(&window))))
}

pub(super) fn unpacker(file: &File) -> io::Result<Unpacker> {
    let mut file = file.try_clone()?;
    // Clones share their position, of which nobody else makes use.
    file.rewind()?;
    Ok(MultiGzDecoder::new(file))
}

/// Reads until the buffer is full or the file ends.
pub(super) fn read_full(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read_at(&mut buffer[length..], at + length as u64) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
