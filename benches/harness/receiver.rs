//! An HTTP receiver that shares the machine's cores with what it measures, so it does as little as it can: a thread for each
//! connection, one read and one write for each request, a fixed answer.
//!
//! At most [`MAX_CONNECTIONS`] at once and [`MAX_REQUEST`] octets a request; more is cut off. Ended when dropped.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// More than a hundred endpoints with a few requests each keep open.
const MAX_CONNECTIONS: usize = 2000;

/// A batch of some thousand events fits.
const MAX_REQUEST: usize = 8 << 20;

/// A connection's thread holds its buffer on the heap.
const STACK: usize = 128 << 10;

/// How often a silent connection, or one that hangs, looks whether it is to end.
const LOOK: Duration = Duration::from_millis(200);

/// Once in every event of the format native, with the quotes and the colon: values cannot hold it, since quotes in them are escaped.
const EVENT_MARK: &[u8] = b"\"received_at\":";

/// What it does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Conduct {
    /// Takes it: 204.
    Take,
    /// Reads it and never answers.
    Hang,
    /// Answers 503.
    Unavailable,
}

/// Listens until dropped.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
}

type OnBody = dyn Fn(&[u8]) + Send + Sync;

struct Shared {
    conduct: AtomicU8,
    ending: AtomicBool,
    connections: AtomicUsize,
    posts: AtomicU64,
    events: Arc<AtomicU64>,
    sample: Mutex<Option<Vec<u8>>>,
    on_body: Option<Box<OnBody>>,
}

impl Receiver {
    /// Takes everything, on a free port.
    pub fn start() -> Self {
        Self::listen((Ipv4Addr::LOCALHOST, 0).into(), None)
    }

    /// As [`Receiver::start`], on an address of the caller's own: one that was dead before.
    pub fn start_at(address: SocketAddr) -> Self {
        Self::listen(address, None)
    }

    /// As [`Receiver::start`], and shows every body when it is complete, before it is answered.
    pub fn showing(on_body: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        Self::listen((Ipv4Addr::LOCALHOST, 0).into(), Some(Box::new(on_body)))
    }

    fn listen(address: SocketAddr, on_body: Option<Box<OnBody>>) -> Self {
        let listener = TcpListener::bind(address).expect("loopback takes a TCP listener");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            conduct: AtomicU8::new(Conduct::Take as u8),
            ending: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            posts: AtomicU64::new(0),
            events: Arc::default(),
            sample: Mutex::default(),
            on_body,
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &accepting));
        Self { address, shared }
    }

    /// What it does from now on.
    pub fn behave(&self, conduct: Conduct) {
        self.shared.conduct.store(conduct as u8, Ordering::Relaxed);
    }

    /// Where to post to.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Requests taken.
    pub fn posts(&self) -> u64 {
        self.shared.posts.load(Ordering::Relaxed)
    }

    /// Events taken: those of an array each, any other body as one.
    pub fn events(&self) -> u64 {
        self.shared.events.load(Ordering::Relaxed)
    }

    /// The count itself, for those who wait on it.
    pub fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.shared.events)
    }

    /// The first body it got.
    pub fn sample(&self) -> Option<Vec<u8>> {
        self.shared.sample.lock().expect("nobody panics with it").clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::Relaxed);
        // The thread that accepts looks at the word when it gets a connection.
        let _ = TcpStream::connect(self.address);
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.ending.load(Ordering::Relaxed) {
            return;
        }
        let Ok(stream) = stream else { continue };
        if shared.connections.fetch_add(1, Ordering::Relaxed) >= MAX_CONNECTIONS {
            shared.connections.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let shared = Arc::clone(shared);
        let serving = move || {
            // Whoever ends a connection in the middle of a request gets no answer.
            let _ = serve(stream, &shared);
            shared.connections.fetch_sub(1, Ordering::Relaxed);
        };
        thread::Builder::new().stack_size(STACK).spawn(serving).expect("a thread starts");
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LOOK))?;
    let mut buffer = vec![0; 16 << 10];
    let mut filled = 0;
    loop {
        while let Some(request) = Request::in_front_of(&buffer[..filled]) {
            take(&mut stream, shared, &buffer[request.body.clone()])?;
            buffer.copy_within(request.end..filled, 0);
            filled -= request.end;
        }
        if let Some(Head { expects: true, body, .. }) = Head::in_front_of(&buffer[..filled])
            && body == filled
        {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if filled == buffer.len() {
            if filled >= MAX_REQUEST {
                return Ok(());
            }
            buffer.resize(2 * filled, 0);
        }
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => return Ok(()),
            Ok(read) => filled += read,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        if shared.ending.load(Ordering::Relaxed) {
            return Ok(());
        }
    }
}

/// Does with a complete body what it should.
fn take(stream: &mut TcpStream, shared: &Shared, body: &[u8]) -> std::io::Result<()> {
    let is = |conduct: Conduct| shared.conduct.load(Ordering::Relaxed) == conduct as u8;
    while is(Conduct::Hang) {
        if shared.ending.load(Ordering::Relaxed) {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        thread::sleep(LOOK);
    }
    if is(Conduct::Unavailable) {
        return stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    }
    if let Some(on_body) = &shared.on_body {
        on_body(body);
    }
    let before = shared.posts.fetch_add(1, Ordering::Relaxed);
    if before == 0 {
        *shared.sample.lock().expect("nobody panics with it") = Some(body.to_vec());
    }
    let events = if body.starts_with(b"[") { count(body, EVENT_MARK) } else { 1 };
    shared.events.fetch_add(events, Ordering::Relaxed);
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
}

/// What of a request's head matters here.
struct Head {
    /// Where the body begins.
    body: usize,
    length: usize,
    chunked: bool,
    expects: bool,
}

impl Head {
    fn in_front_of(bytes: &[u8]) -> Option<Self> {
        let body = find(bytes, b"\r\n\r\n")? + 4;
        let mut head = Self { body, length: 0, chunked: false, expects: false };
        for line in bytes[..body].split(|octet| *octet == b'\n') {
            let Some(colon) = line.iter().position(|octet| *octet == b':') else { continue };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"content-length") {
                head.length = std::str::from_utf8(value).ok()?.parse().ok()?;
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                head.chunked = value.eq_ignore_ascii_case(b"chunked");
            } else if name.eq_ignore_ascii_case(b"expect") {
                head.expects = true;
            }
        }
        Some(head)
    }
}

/// A complete request at the front of what was read.
struct Request {
    body: std::ops::Range<usize>,
    end: usize,
}

impl Request {
    fn in_front_of(bytes: &[u8]) -> Option<Self> {
        let Head { body, length, chunked, .. } = Head::in_front_of(bytes)?;
        if chunked {
            // Counted and not read: where it ends is all that matters.
            let last = body + find(&bytes[body..], b"0\r\n\r\n")?;
            return Some(Self { body: body..last, end: last + 5 });
        }
        let end = body.checked_add(length)?;
        (end <= bytes.len()).then_some(Self { body: body..end, end })
    }
}

/// Where `mark` stands first.
pub fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    Marks { bytes, mark, at: 0, skips: skips(mark) }.next()
}

fn count(bytes: &[u8], mark: &[u8]) -> u64 {
    Marks { bytes, mark, at: 0, skips: skips(mark) }.count() as u64
}

/// Finds a mark by looking at one octet in as many as it is long (Horspool): a batch is 70 KB, and they come by hundreds a second.
struct Marks<'a> {
    bytes: &'a [u8],
    mark: &'a [u8],
    at: usize,
    skips: [u8; 256],
}

/// How far each octet, at the place of the mark's last, lets the mark move on.
fn skips(mark: &[u8]) -> [u8; 256] {
    let mut skips = [mark.len() as u8; 256];
    for (at, octet) in mark.iter().enumerate().take(mark.len() - 1) {
        skips[usize::from(*octet)] = (mark.len() - 1 - at) as u8;
    }
    skips
}

impl Iterator for Marks<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while let Some(window) = self.bytes.get(self.at..self.at + self.mark.len()) {
            let found = self.at;
            let last = window[window.len() - 1];
            self.at += usize::from(self.skips[usize::from(last)]);
            if window == self.mark {
                return Some(found);
            }
        }
        None
    }
}
