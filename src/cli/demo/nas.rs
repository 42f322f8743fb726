//! The demo's NAS: sends one packet at a time and waits for its acknowledgement, as a NAS does.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use jiff::{SignedDuration, Timestamp};

use super::Packets;
use super::stage::Stage;
use crate::lab::nas::{Nas, NasOptions, Record, Session};
use crate::radius::authenticator;
use crate::radius::packet::Packet;
use crate::secret::Secret;

/// How long an acknowledgement may take before the demo gives up: a loaded machine's fsync is far below.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the demo waits to see that a forged packet is not answered. An answer would take about a millisecond.
const SILENCE: Duration = Duration::from_millis(300);

/// How much of the sessions' own time passes between two of their packets.
const BETWEEN: SignedDuration = SignedDuration::from_mins(5);

/// A handful of sessions on one NAS.
pub struct DemoNas {
    socket: UdpSocket,
    secret: Secret,
    nas: Nas,
    sessions: Vec<Session>,
    last: Option<(Record, u8)>,
    now: Timestamp,
    identifier: u8,
    pace: Duration,
    packets: Packets,
}

impl DemoNas {
    /// A NAS whose sessions begin far enough in the past that their packets happen before they are sent.
    pub fn new(
        radius: SocketAddr,
        secret: Secret,
        sessions: usize,
        interims: u32,
        pace: Duration,
    ) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").context("a socket for the NAS")?;
        socket.connect(radius)?;
        let mut nas = Nas::new(NasOptions { interims, seed: rand::random(), ..NasOptions::default() });
        let now = Timestamp::now() - BETWEEN * (i32::try_from(interims).unwrap_or(0) + 2);
        let sessions = (0..sessions).map(|_| nas.open(now)).collect();
        Ok(Self { socket, secret, nas, sessions, last: None, now, identifier: 0, pace, packets: Packets::default() })
    }

    /// Accounting-On.
    pub fn boots(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let on = self.nas.on(self.now);
        self.tell(stage, on)
    }

    /// The next packet of every session.
    pub fn everybody(&mut self, stage: &Stage) -> anyhow::Result<()> {
        for at in 0..self.sessions.len() {
            if let Some(record) = self.sessions[at].next(self.now) {
                self.tell(stage, record)?;
            }
        }
        self.now += BETWEEN;
        Ok(())
    }

    /// The last packet once more: as it was, and then with another identifier and a raised Acct-Delay-Time.
    pub fn retransmits(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let (record, identifier) = self.last.take().context("nothing was sent yet")?;
        self.packets.repeats += 2;
        self.send(stage, &record, identifier, 0, "again")?;
        let identifier = self.next_identifier();
        self.send(stage, &record, identifier, 7, "again, 7 s later")
    }

    /// A packet made with a secret that radhook does not know.
    pub fn forges(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let record = self.nas.off(self.now);
        let identifier = self.next_identifier();
        let packet = record.packet(identifier, &Secret::new("not the secret"), 0)?;
        stage.sent(&record, "forged");
        self.socket.send(&packet)?;
        self.packets.forged.0 += 1;
        let answered = self.answer(&packet, SILENCE)?.is_some();
        self.packets.forged.1 += u64::from(answered);
        stage.silence(answered);
        Ok(())
    }

    /// The NAS's own count.
    pub fn finish(self) -> anyhow::Result<Packets> {
        Ok(self.packets)
    }

    fn tell(&mut self, stage: &Stage, record: Record) -> anyhow::Result<()> {
        self.packets.facts += 1;
        let identifier = self.next_identifier();
        self.send(stage, &record, identifier, 0, "")?;
        self.last = Some((record, identifier));
        std::thread::sleep(self.pace);
        Ok(())
    }

    fn send(&mut self, stage: &Stage, record: &Record, identifier: u8, delay: u32, note: &str) -> anyhow::Result<()> {
        let packet = record.packet(identifier, &self.secret, delay)?;
        stage.sent(record, note);
        let sent = Instant::now();
        self.socket.send(&packet)?;
        self.packets.sent += 1;
        let Some(answer) = self.answer(&packet, PATIENCE)? else {
            bail!("no acknowledgement within {PATIENCE:?}");
        };
        let (request, response) = (Packet::parse(&packet)?, Packet::parse(&answer)?);
        if !authenticator::verify_response(&response, request.authenticator(), self.secret.expose()) {
            bail!("an acknowledgement with a wrong Response Authenticator");
        }
        self.packets.acknowledged += 1;
        stage.acknowledged(sent.elapsed());
        Ok(())
    }

    /// The answer to `packet`, if one comes in time.
    fn answer(&self, packet: &[u8], patience: Duration) -> anyhow::Result<Option<Vec<u8>>> {
        self.socket.set_read_timeout(Some(patience))?;
        let mut buffer = [0; 4096];
        loop {
            match self.socket.recv(&mut buffer) {
                Ok(length) if length > 1 && buffer[1] == packet[1] => return Ok(Some(buffer[..length].to_vec())),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn next_identifier(&mut self) -> u8 {
        self.identifier = self.identifier.wrapping_add(1);
        self.identifier
    }
}
