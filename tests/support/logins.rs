//! A NAS whose users log in by PAP, several at a time, on a thread of its own: it sends what is not answered again, octet for
//! octet, and knows how long each answer took.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use radius::core::code::Code;
use radius::core::packet::Packet;
use radius::core::{rfc2865, rfc2869};

/// How long an answer is waited for before the request is sent again.
const RESEND: Duration = Duration::from_millis(500);
/// How long a login may take in all: reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait for an answer before looking around.
const TICK: Duration = Duration::from_millis(5);

/// Logins going on.
pub struct Logins {
    answered: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Outcome>,
}

/// How they went.
#[derive(Debug, Default)]
pub struct Outcome {
    /// From the first sending of each login to its accept, in order of the accepts.
    pub latencies: Vec<Duration>,
    /// Requests sent again.
    pub resent: u64,
    /// Logins that nobody answered within a minute.
    pub lost: u64,
    /// Answers that were no accept.
    pub refused: u64,
}

/// One login that waits for its answer.
struct Waiting {
    request: Vec<u8>,
    first: Instant,
    last: Instant,
}

impl Logins {
    /// Users of this name log in at a server, `window` at a time and `every` so often at most, until they are stopped.
    pub fn start(server: SocketAddr, secret: &str, user: &str, password: &str, window: u8, every: Duration) -> Self {
        let here = if server.is_ipv6() { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
        Self::start_from(here, server, secret, user, password, window, every)
    }

    /// As [`Logins::start`], from another address than loopback.
    pub fn start_from(
        here: IpAddr,
        server: SocketAddr,
        secret: &str,
        user: &str,
        password: &str,
        window: u8,
        every: Duration,
    ) -> Self {
        let (answered, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let nas = Nas {
            socket: UdpSocket::bind((here, 0)).expect("a free port"),
            server,
            secret: secret.as_bytes().to_vec(),
            user: user.to_owned(),
            password: password.as_bytes().to_vec(),
            waiting: (0..window).map(|_| None).collect(),
            outcome: Outcome::default(),
            answered: Arc::clone(&answered),
        };
        let thread = {
            let stop = Arc::clone(&stop);
            thread::spawn(move || nas.play(every, &stop))
        };
        Self { answered, stop, thread }
    }

    /// How many have been let in so far.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Begins no more, waits for the answers to those under way, and tells how it went.
    pub fn finish(self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the NAS does not panic")
    }
}

struct Nas {
    socket: UdpSocket,
    server: SocketAddr,
    secret: Vec<u8>,
    user: String,
    password: Vec<u8>,
    /// By identifier.
    waiting: Vec<Option<Waiting>>,
    outcome: Outcome,
    answered: Arc<AtomicU64>,
}

impl Nas {
    fn play(mut self, every: Duration, stop: &AtomicBool) -> Outcome {
        self.socket.connect(self.server).expect("loopback is there");
        self.socket.set_read_timeout(Some(TICK)).expect("a read timeout can be set");
        let mut due = Instant::now();
        loop {
            let now = Instant::now();
            for identifier in 0..self.waiting.len() {
                match &mut self.waiting[identifier] {
                    Some(waiting) if now - waiting.first > PATIENCE => {
                        self.outcome.lost += 1;
                        self.waiting[identifier] = None;
                    }
                    Some(waiting) if now - waiting.last > RESEND => {
                        waiting.last = now;
                        self.outcome.resent += 1;
                        // It may say that nobody listens; then it is sent again.
                        let _ = self.socket.send(&waiting.request);
                    }
                    None if now >= due && !stop.load(Ordering::Relaxed) => {
                        due = now + every;
                        let request = self.request(identifier as u8);
                        let _ = self.socket.send(&request);
                        self.waiting[identifier] = Some(Waiting { request, first: now, last: now });
                    }
                    _ => {}
                }
            }
            if stop.load(Ordering::Relaxed) && self.waiting.iter().all(Option::is_none) {
                return self.outcome;
            }
            self.take_answer();
        }
    }

    fn request(&self, identifier: u8) -> Vec<u8> {
        let mut packet = Packet::new_with_identifier(Code::AccessRequest, &self.secret, identifier);
        rfc2865::add_user_name(&mut packet, &self.user);
        rfc2865::add_user_password(&mut packet, &self.password).expect("a password fits");
        rfc2865::add_nas_identifier(&mut packet, "lobby-ap-1");
        rfc2869::add_nas_port_id(&mut packet, "wlan0");
        packet.encode().expect("a login encodes")
    }

    fn take_answer(&mut self) {
        let mut room = [0; 4096];
        let length = match self.socket.recv(&mut room) {
            Ok(length) => length,
            // Nobody listens, for now.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return thread::sleep(TICK),
            Err(_) => return,
        };
        let answer = &room[..length];
        let Some(place) = self.waiting.get_mut(usize::from(answer[1])) else { return };
        let genuine = |waiting: &mut Waiting| Packet::is_authentic_response(answer, &waiting.request, &self.secret);
        // What is not genuine answers an earlier login of this identifier, sent again.
        let Some(waiting) = place.take_if(genuine) else { return };
        if answer[0] == 2 {
            self.outcome.latencies.push(waiting.first.elapsed());
            self.answered.fetch_add(1, Ordering::Relaxed);
        } else {
            self.outcome.refused += 1;
        }
    }
}
