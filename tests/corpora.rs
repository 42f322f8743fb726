//! Every seed of the fuzz targets, and every file that a fuzzer once found, through the same functions on stable.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::{Path, PathBuf};

/// The seeds of a target, in the order of their names.
fn seeds(target: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut seeds: Vec<PathBuf> = entries.map(|entry| entry.expect("seeds can be listed").path()).collect();
    seeds.sort();
    assert!(seeds.len() >= 3, "only {} seeds for {target}", seeds.len());
    seeds
}

/// Runs all seeds of a target, each whole, cut at every length, and with every octet changed once.
fn run(target: &str, function: impl Fn(&[u8])) {
    for seed in seeds(target) {
        let octets = fs::read(&seed).expect("seeds can be read");
        println!("{}", seed.display());
        function(&octets);
        for length in 0..octets.len() {
            function(&octets[..length]);
        }
        let mut changed = octets.clone();
        for at in 0..octets.len() {
            changed[at] ^= 1 << (at % 8);
            function(&changed);
            changed[at] = octets[at];
        }
    }
}

/// The same with a Length field that names all octets that are there: what is cut off is then decoded and not refused.
fn with_its_length(octets: &[u8]) -> Vec<u8> {
    let mut octets = octets.to_vec();
    let length = u16::try_from(octets.len()).unwrap_or(u16::MAX);
    if let Some(field) = octets.get_mut(2..4) {
        field.copy_from_slice(&length.to_be_bytes());
    }
    octets
}

#[test]
fn packets() {
    run("packet", |octets| {
        targets::packet(octets);
        targets::packet(&with_its_length(octets));
    });
}

#[test]
fn dictionaries() {
    // Each is loaded on top of the shipped one, which takes a while.
    for seed in seeds("dictionary") {
        targets::dictionary(&fs::read(&seed).expect("seeds can be read"));
    }
}

#[test]
fn events() {
    run("event", |octets| {
        targets::event(octets);
        targets::event(&with_its_length(octets));
    });
}

#[test]
fn detail_files() {
    run("detail", targets::detail);
}

#[test]
fn captures() {
    run("pcap", targets::pcap);
}
