//! What must stay secret, and every place where it could have come out.

use std::fs;
use std::path::Path;

use super::eapol::Login;

/// Octets in which no secret may stand, and what they are.
#[derive(Default)]
pub struct Places(Vec<(String, Vec<u8>)>);

impl Places {
    /// Adds a text.
    pub fn add(&mut self, name: &str, text: &str) {
        self.0.push((name.to_owned(), text.as_bytes().to_vec()));
    }

    /// Adds every file in a directory and below.
    pub fn add_files(&mut self, directory: &Path) {
        for entry in fs::read_dir(directory).expect("it can be read") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                self.add_files(&path);
            } else {
                let octets = without_room(fs::read(&path).expect("it can be read"));
                self.0.push((path.display().to_string(), octets));
            }
        }
    }

    /// How many of them hold a text: that there is something to search in.
    pub fn holding(&self, text: &str) -> usize {
        self.0.iter().filter(|(_, octets)| contains(octets, text.as_bytes())).count()
    }

    /// Fails where one of these stands in any place: as text, whatever its case, or as the octets that it is the hex of.
    pub fn assert_free_of(&self, secrets: &[String]) {
        let lower: Vec<Vec<u8>> = self.0.iter().map(|(_, octets)| octets.to_ascii_lowercase()).collect();
        for secret in secrets {
            let raw: Option<Vec<u8>> = (0..secret.len() / 2 * 2)
                .step_by(2)
                .map(|at| u8::from_str_radix(secret.get(at..at + 2)?, 16).ok())
                .collect();
            for ((place, octets), lower) in self.0.iter().zip(&lower) {
                assert!(!contains(lower, secret.to_ascii_lowercase().as_bytes()), "{secret} is in {place}");
                if let Some(raw) = &raw {
                    assert!(!contains(octets, raw), "the octets {secret} are in {place}");
                }
            }
        }
    }
}

/// The keys and the EAP octets of a login, in hex.
pub fn of_login(login: &Login) -> impl Iterator<Item = String> {
    login.keys.iter().chain(&login.eap_messages).chain(&login.vendor_specific).cloned()
}

/// What radclient printed as hex: the CHAP and MS-CHAP passwords and keys. Not the Class, which is told.
pub fn hex_values(output: &str) -> impl Iterator<Item = String> {
    let lines = output.lines().filter(|line| !line.contains("Class"));
    let values = lines.filter_map(|line| line.rsplit_once("= 0x"));
    values.map(|(_, hex)| hex.trim().to_owned()).filter(|hex| hex.len() >= 16)
}

/// A file without the zeros that are room for what comes: most of a journal's segment.
fn without_room(octets: Vec<u8>) -> Vec<u8> {
    const ROOM: usize = 64;
    octets.chunks(ROOM).filter(|chunk| chunk.iter().any(|octet| *octet != 0)).flatten().copied().collect()
}

fn contains(octets: &[u8], part: &[u8]) -> bool {
    let starts = octets.iter().enumerate().filter(|(_, octet)| **octet == part[0]);
    starts.map(|(at, _)| &octets[at..]).any(|rest| rest.starts_with(part))
}
