//! `radhook decode`: what packets say, from a capture, a hex dump or a detail file.

mod explain;
pub(super) mod frames;
mod json;
mod packet;
mod secrets;
mod text;

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;

use super::exit;
use crate::radius::{Attributes, Code, Dictionary, Packet, PacketError};
use crate::trace::capture::Capture;
use crate::trace::detail::{self, Record};
use crate::trace::hex::Dump;
use crate::trace::link::Datagrams;
use crate::trace::pairs::{Pairs, Role, Seen};
use crate::trace::{Datagram, Format, format};
use frames::{Frames, InFrame, known_packet};
use packet::{Path as Way, Told};
use secrets::{ClientSecret, Secrets};

/// Where RADIUS is spoken: authentication and accounting by RFC 2865 and 2866 and as they were before, dynamic
/// authorization by RFC 5176.
pub(super) const PORTS: [u16; 5] = [1812, 1813, 1645, 1646, 3799];
/// How much of a text file is read at once.
const PIECE: usize = 64 * 1024;

/// Decode RADIUS packets from a capture, a hex dump or a detail file
///
/// Tells pcap, pcapng, hex dumps (bare digits, xxd, hexdump, tcpdump -x, Wireshark) and FreeRADIUS detail files apart by
/// itself. Of captures it shows the UDP datagrams of the usual ports, with IP fragments put together, and says which
/// request a reply answers, after how long, and which requests nobody answered. Passwords, keys and EAP are never shown.
///
/// Exit code 1 when something could not be read to its end, or is no packet or record; what could be read is printed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    tcpdump -i any -w - port 1812 | radhook decode -\n  \
    radhook decode --secret-file /etc/radhook/secret --json capture.pcapng\n  \
    echo 01000014000102030405060708090a0b0c0d0e0f | radhook decode --explain -")]
pub struct Args {
    /// What to decode; - for stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// One JSON object a packet
    #[arg(long)]
    json: bool,
    /// Show where in the packet each attribute stands, octet by octet
    #[arg(long)]
    explain: bool,
    /// Adds a dictionary in FreeRADIUS's format; may be given several times
    #[arg(long = "dictionary", value_name = "FILE")]
    dictionaries: Vec<PathBuf>,
    /// Secret to check authenticators with
    #[arg(long, conflicts_with = "secret_file")]
    secret: Option<String>,
    /// Reads the secret from a file, so that it does not stand in the list of processes
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Secret of one client, by its address or network; may be given several times, the longest network wins
    #[arg(long = "client", value_name = "ADDRESS=SECRET", value_parser = secrets::client)]
    clients: Vec<ClientSecret>,
    /// Another port than 1812, 1813, 1645, 1646 and 3799; may be given several times
    #[arg(long = "port", value_name = "PORT")]
    ports: Vec<u16>,
}

/// Decodes to stdout. What is wrong with the file, and what was left out of it, is said on stderr.
pub fn run(args: Args) -> anyhow::Result<u8> {
    let (dictionary, warnings) = Dictionary::load(true, &args.dictionaries).context("load the dictionary")?;
    for warning in warnings {
        eprintln!("radhook: warning: {warning}");
    }
    let secrets = Secrets::new(args.secret.as_deref(), args.secret_file.as_deref(), args.clients)?;
    let name = if args.file.as_os_str() == "-" { "stdin".to_owned() } else { args.file.display().to_string() };
    let mut source = open(&args.file).with_context(|| format!("open {name}"))?;
    let beginning = beginning(&mut source).with_context(|| format!("read {name}"))?;
    let format = Format::of(&beginning).with_context(|| format!("cannot decode {name}"))?;
    let mut decoder = Decoder {
        dictionary,
        secrets,
        ports: PORTS.into_iter().chain(args.ports).collect(),
        explain: args.explain,
        json: args.json,
        pairs: Pairs::default(),
        count: 0,
        replies_expected: matches!(format, Format::Pcap | Format::Pcapng),
        failed: false,
        live: args.file.as_os_str() == "-",
        name,
        out: BufWriter::new(io::stdout().lock()),
    };
    let source = beginning.as_slice().chain(source);
    let ended = match format {
        Format::Pcap | Format::Pcapng => decoder.capture(format, source),
        Format::Hex => decoder.dump(source),
        Format::Detail => decoder.detail(source),
    };
    match ended.and_then(|()| decoder.finish()) {
        Ok(code) => Ok(code),
        // Whoever reads may stop early: `radhook decode x.pcap | head`.
        Err(error) if is_broken_pipe(&error) => Ok(exit::DONE),
        Err(error) => Err(error),
    }
}

pub(super) fn open(file: &Path) -> io::Result<Box<dyn Read>> {
    Ok(match file.as_os_str() == "-" {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(file)?),
    })
}

/// As much as is looked at to tell what the file is.
pub(super) fn beginning(source: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut beginning = Vec::new();
    let mut piece = vec![0; format::LOOK];
    loop {
        let length = match source.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        beginning.extend(&piece[..length]);
        if length == 0 || format::is_enough(&beginning) {
            return Ok(beginning);
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

struct Decoder<W> {
    dictionary: Dictionary,
    secrets: Secrets,
    ports: Vec<u16>,
    explain: bool,
    json: bool,
    pairs: Pairs,
    /// Packets and records told so far.
    count: u64,
    /// Whether silence means something: in a capture, or where there were replies at all.
    replies_expected: bool,
    /// Something could not be read.
    failed: bool,
    /// Whether each packet is shown at once: others may still come, much later.
    live: bool,
    /// What the input is called.
    name: String,
    out: W,
}

impl<W: Write> Decoder<W> {
    fn capture(&mut self, format: Format, source: impl Read) -> anyhow::Result<()> {
        let mut capture = match Capture::open(format, source) {
            Ok(capture) => capture,
            Err(error) => {
                self.complain(&error);
                return Ok(());
            }
        };
        let mut datagrams = Datagrams::default();
        let mut frames = 0_u64;
        for frame in &mut capture {
            match frame {
                Ok(frame) => {
                    frames += 1;
                    let found = datagrams.datagram(&frame);
                    if let Some(datagram) = found.filter(|datagram| self.is_radius(datagram)) {
                        self.datagram(&datagram)?;
                    }
                }
                Err(error) => self.complain(&error),
            }
        }
        self.remark(capture.skipped(), "frames of a link layer that is not known");
        self.remark(datagrams.incomplete(), "datagrams of which fragments are missing");
        if self.count == 0 && !self.failed {
            let ports: Vec<String> = self.ports.iter().map(u16::to_string).collect();
            let ports = ports.join(", ");
            eprintln!("radhook: {}: no RADIUS on ports {ports} in {frames} frames; --port adds others", self.name);
        }
        Ok(())
    }

    fn is_radius(&self, datagram: &Datagram) -> bool {
        self.ports.contains(&datagram.source.port()) || self.ports.contains(&datagram.destination.port())
    }

    fn datagram(&mut self, datagram: &Datagram) -> anyhow::Result<()> {
        let way = Some((datagram.source, datagram.destination));
        self.packet(datagram.time, way, &datagram.payload, datagram.length)
    }

    fn dump(&mut self, mut source: impl Read) -> anyhow::Result<()> {
        let mut dump = Dump::default();
        let mut frames = Frames::default();
        let mut partial = Vec::new();
        let mut piece = vec![0; PIECE];
        loop {
            let length = source.read(&mut piece).with_context(|| format!("read {}", self.name))?;
            partial.extend(&piece[..length]);
            let whole = match partial.iter().rposition(|octet| *octet == b'\n') {
                _ if length == 0 => partial.len(),
                Some(end) => end + 1,
                None if partial.len() > MAX_LINE => {
                    self.complain(&format_args!("a line of more than {MAX_LINE} octets"));
                    return Ok(());
                }
                None => continue,
            };
            for line in String::from_utf8_lossy(&partial[..whole]).lines() {
                match dump.line(line) {
                    Ok(Some(block)) => self.block(&mut frames, &block.octets)?,
                    Ok(None) => {}
                    Err(error) => self.complain(&error),
                }
            }
            partial.drain(..whole);
            if length == 0 {
                break;
            }
        }
        if let Some(block) = dump.end() {
            self.block(&mut frames, &block.octets)?;
        }
        self.remark(frames.incomplete(), "datagrams of which fragments are missing");
        Ok(())
    }

    /// Octets of a dump: packets one after the other, or what a capture would have as a frame.
    fn block(&mut self, frames: &mut Frames, octets: &[u8]) -> anyhow::Result<()> {
        let mut rest = octets;
        while let Some(packet) = known_packet(rest) {
            let length = packet.bytes().len();
            self.packet(None, None, &rest[..length], length)?;
            rest = &rest[length..];
        }
        if rest.len() < octets.len() {
            // What is left behind a packet and is none is padding.
            return Ok(());
        }
        match frames.datagram(octets) {
            InFrame::Datagram(datagram) => self.datagram(&datagram),
            InFrame::Fragment => Ok(()),
            InFrame::Nothing => {
                // Somebody who gives a packet by hand wants to know why it is none.
                self.failed = true;
                self.packet(None, None, octets, octets.len())
            }
        }
    }

    fn detail(&mut self, mut source: impl Read) -> anyhow::Result<()> {
        let mut reader = detail::Reader::default();
        let mut piece = vec![0; PIECE];
        loop {
            let length = source.read(&mut piece).with_context(|| format!("read {}", self.name))?;
            let mut done = Vec::new();
            reader.push(&piece[..length], |record| done.push(record));
            let at_end = length == 0;
            if at_end {
                done.extend(std::mem::take(&mut reader).finish());
            }
            for record in done {
                match record {
                    Ok(record) => self.record(&record)?,
                    Err(error) => self.complain(&error),
                }
            }
            if at_end {
                return Ok(());
            }
        }
    }

    fn record(&mut self, record: &Record) -> anyhow::Result<()> {
        self.count += 1;
        let attributes = detail::attributes(record, &self.dictionary);
        let code = record_code(record, &attributes);
        let written = if self.json {
            json::record(self.count, record, code, &attributes)
        } else {
            text::record(self.count, record, code, &attributes)
        };
        self.write(&written)
    }

    /// One datagram's payload; `length` octets were sent.
    fn packet(
        &mut self,
        time: Option<Timestamp>,
        way: Option<Way>,
        octets: &[u8],
        length: usize,
    ) -> anyhow::Result<()> {
        self.count += 1;
        // Of a packet whose end is missing, in the capture or already on the wire, the whole attributes are shown.
        let error = Packet::parse(octets).err();
        let whole = matches!(error, Some(PacketError::Truncated { .. })).then(|| packet::shortened(octets)).flatten();
        let kept = whole.as_deref().unwrap_or(octets);
        let parsed = Packet::parse(kept);
        let mut told = Told {
            number: self.count,
            time,
            way,
            octets: octets.len(),
            length,
            packet: parsed,
            missing: error.filter(|_| whole.is_some() && octets.len() == length),
            attributes: Attributes::default(),
            found: None,
            checked: None,
            parts: Vec::new(),
        };
        if let Ok(packet) = &told.packet {
            told.attributes = crate::radius::decode(packet, &self.dictionary);
            let found = self.pairs.see(Seen { number: self.count, time, path: way, packet });
            told.checked = Some(self.secrets.check(packet, way, &found, whole.is_some()));
            told.found = Some(found);
            self.replies_expected |= Role::of(packet.code()) == Role::Reply;
            if self.explain {
                told.parts = explain::parts(packet, &self.dictionary);
            }
        }
        let written = if self.json { json::packet(&told) } else { text::packet(&told) };
        self.write(&written)
    }

    fn write(&mut self, told: &str) -> anyhow::Result<()> {
        self.out.write_all(told.as_bytes())?;
        if self.live {
            self.out.flush()?;
        }
        Ok(())
    }

    /// Says what is wrong with the input.
    fn complain(&mut self, error: &dyn std::fmt::Display) {
        self.failed = true;
        // In the order in which things stand in the file, where both go to a terminal.
        let _ = self.out.flush();
        eprintln!("radhook: {}: {error}", self.name);
    }

    fn remark(&self, count: u64, what: &str) {
        if count > 0 {
            eprintln!("radhook: {}: left out: {count} {what}", self.name);
        }
    }

    /// Tells the requests that nobody answered.
    fn finish(mut self) -> anyhow::Result<u8> {
        let (unanswered, count) = self.pairs.finish();
        let told = if self.replies_expected { text::unanswered(&unanswered, count) } else { String::new() };
        // One object a packet is the promise of --json.
        if self.json {
            self.out.flush()?;
            eprint!("{told}");
        } else {
            self.out.write_all(told.as_bytes())?;
        }
        self.out.flush()?;
        Ok(if self.failed { exit::FAILED } else { exit::DONE })
    }
}

/// The longest line of a hex dump: the largest datagram in hex with two more characters for every octet, and some.
const MAX_LINE: usize = 512 * 1024;

/// What packet a record was made from: what it says itself, or what its attributes tell.
fn record_code(record: &Record, attributes: &Attributes) -> Option<Arc<str>> {
    let accounting = || attributes.by_name("Acct-Status-Type").and(Code::ACCOUNTING_REQUEST.name());
    record.bare("Packet-Type").or_else(accounting).map(Arc::from)
}
