//! FreeRADIUS's unit vectors: every `decode` line of `src/tests/unit/*.txt`, through our dictionary loader and decoder.
//!
//! A file is a row of commands: `encode` and `raw` make octets out of words, `decode` words out of octets (`-`: out of
//! those of the line before), `data` says what must come out. Of `encode` only the octets are taken that its `data` line
//! names: encoding is not what we do.

use std::fs;
use std::path::Path;

use radhook::radius::dictionary::{Dictionary, Loader};
use radhook::radius::{Packet, decode};

use crate::printed::printed;
use crate::support::sources::source;
use crate::wire;

/// Where our words are not FreeRADIUS's: how the expected ones begin, and why.
const DIFFERENT: [(&str, &str); 1] = [(
    "FreeRADIUS-802.1X-EAPoL-Key-Msg = 0x",
    "hidden: with its MIC, pre-shared keys can be tried one after the other",
)];

/// `decode -` lines whose octets no line names, because encoding them needs a random salt. We would not show the
/// values either: they are encrypted.
const WITHOUT_OCTETS: [(&str, usize); 2] = [("tunnel.txt", 19), ("vendor.txt", 2)];

/// A `decode` line with its octets and what should come of them.
struct Vector {
    place: String,
    octets: Vec<u8>,
    expected: String,
}

/// The decode lines of a file; of those whose octets nobody names, the places.
fn vectors(file: &Path) -> (Vec<Vector>, Vec<String>) {
    let text = fs::read_to_string(file).expect("the vectors are there");
    let (mut vectors, mut unknown) = (Vec::new(), Vec::new());
    let mut octets: Option<Vec<u8>> = None;
    let mut decoding = None;
    for (number, line) in (1..).zip(text.lines()) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "decode" => {
                let given = if rest.trim() == "-" { octets.clone() } else { wire::unhex(rest) };
                let place = format!("{}:{number}", file.file_name().unwrap_or_default().display());
                match given {
                    Some(given) => decoding = Some((place, given)),
                    None => unknown.push(place),
                }
            }
            "encode" | "raw" | "attribute" => {
                decoding = None;
                octets = if rest.trim() == "-" { octets } else { None };
            }
            "data" => match decoding.take() {
                Some((place, given)) => {
                    octets = Some(given.clone());
                    vectors.push(Vector { place, octets: given, expected: rest.trim_end().to_owned() });
                }
                None => octets = wire::unhex(rest).or(octets),
            },
            _ => {}
        }
    }
    (vectors, unknown)
}

/// What we make of octets, in FreeRADIUS's words.
fn ours(octets: &[u8], dictionary: &Dictionary) -> String {
    let bytes = wire::packet(1, 0, [0; 16], octets);
    let packet = match Packet::parse(&bytes) {
        Ok(packet) => packet,
        Err(_) => return "rad_attr2vp: Insufficient data".to_owned(),
    };
    let word = |attribute: &radhook::radius::Attribute| {
        let kind = dictionary.by_name(&attribute.name).map(|definition| definition.kind);
        format!("{} = {}", attribute.name, printed(kind, &attribute.value))
    };
    decode(&packet, dictionary).iter().map(word).collect::<Vec<_>>().join(", ")
}

#[test]
fn freeradius_s_decode_vectors_come_out_as_it_expects() {
    let mut loader = Loader::empty();
    let main = source("freeradius", "share").join("dictionary");
    loader.file(&main).unwrap_or_else(|error| panic!("{error}"));
    let (dictionary, _) = loader.finish();
    let directory = source("freeradius", "src/tests/unit");
    let (mut compared, mut different, mut wrong, mut unknown) = (0, Vec::new(), Vec::new(), Vec::new());
    let mut files: Vec<_> = fs::read_dir(&directory)
        .expect("it is a directory")
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "txt")) {
        let (vectors, without_octets) = vectors(file);
        unknown.extend(without_octets);
        for vector in vectors {
            let ours = ours(&vector.octets, &dictionary);
            match DIFFERENT.iter().find(|(expected, _)| vector.expected.starts_with(expected)) {
                _ if ours == vector.expected => compared += 1,
                Some((expected, _)) => different.push(*expected),
                None => wrong.push(format!("{}:\n  expected {}\n  ours     {ours}", vector.place, vector.expected)),
            }
        }
    }
    println!("{compared} vectors come out as expected, {} differ, {} have no octets", different.len(), unknown.len());
    assert!(wrong.is_empty(), "{} vectors:\n{}", wrong.len(), wrong.join("\n"));
    for (expected, reason) in DIFFERENT {
        assert!(different.contains(&expected), "no longer different: {expected} ({reason})");
    }
    for (file, count) in WITHOUT_OCTETS {
        assert_eq!(unknown.iter().filter(|place| place.starts_with(file)).count(), count, "{unknown:?}");
    }
    // FreeRADIUS 3.2.1 has 81 such lines.
    assert_eq!((compared, different.len(), unknown.len()), (59, 1, 21));
}
