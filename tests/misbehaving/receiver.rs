//! Receivers written down to the byte: what each does with a connection is a function of the table's row.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::{Domain, SockRef, Socket, Type};

use crate::support::own_loopback;

/// Where they all listen.
pub static HOME: LazyLock<Ipv4Addr> = LazyLock::new(own_loopback);

/// The name that leads there.
pub const NAME: &str = "receiver.test";

/// Between two bytes that drip: well within every timeout, so that only a deadline over the whole ends it.
const DRIP: Duration = Duration::from_millis(50);

/// How long a connection to a full queue is waited for, to know that it is full.
const FULL: Duration = Duration::from_millis(200);

/// What is done with a connection. It ends with the function, and an error in it is the sender's leaving.
pub type Conduct = Box<dyn Fn(&mut Talk) -> io::Result<()> + Send + Sync>;

/// One receiver, on a port of its own.
pub struct Receiver {
    address: SocketAddr,
    scheme: &'static str,
    seen: Arc<Seen>,
    /// Where nobody ever accepts: what fills the queue.
    _held: Vec<Socket>,
}

/// What all connections of a receiver have seen.
#[derive(Default)]
struct Seen {
    stop: AtomicBool,
    connections: AtomicUsize,
    open: AtomicUsize,
    written: AtomicU64,
    requests: Mutex<Vec<String>>,
}

impl Receiver {
    /// Speaks HTTP, or what `conduct` takes for it.
    pub fn plain(conduct: Conduct) -> Self {
        Self::listen("http", None, conduct)
    }

    /// Speaks TLS first.
    pub fn tls(config: ServerConfig, conduct: Conduct) -> Self {
        Self::listen("https", Some(Arc::new(config)), conduct)
    }

    /// As [`Receiver::plain`], though its URL promises TLS.
    pub fn said_to_speak_tls(conduct: Conduct) -> Self {
        Self::listen("https", None, conduct)
    }

    /// As [`Receiver::tls`], though its URL says nothing of it.
    pub fn not_said_to_speak_tls(config: ServerConfig, conduct: Conduct) -> Self {
        Self::listen("http", Some(Arc::new(config)), conduct)
    }

    /// Nobody listens there, and nobody will.
    pub fn absent() -> Self {
        // On an address that nobody else takes a port of.
        let listener = TcpListener::bind((own_loopback(), 0)).expect("loopback takes a TCP listener");
        let address = listener.local_addr().expect("a bound listener has an address");
        Self { address, scheme: "http", seen: Arc::default(), _held: Vec::new() }
    }

    /// Listens and never accepts; its queue is full.
    pub fn with_a_full_queue() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket can be made");
        listener.bind(&SocketAddr::from((*HOME, 0)).into()).expect("the address is our own");
        listener.listen(0).expect("a bound socket listens");
        let bound = listener.local_addr().expect("a bound listener has an address");
        let address = bound.as_socket().expect("an address of the internet");
        let mut held = vec![listener];
        loop {
            let one_more = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket can be made");
            if one_more.connect_timeout(&bound, FULL).is_err() {
                break;
            }
            held.push(one_more);
        }
        Self { address, scheme: "http", seen: Arc::default(), _held: held }
    }

    fn listen(scheme: &'static str, tls: Option<Arc<ServerConfig>>, conduct: Conduct) -> Self {
        let listener = TcpListener::bind((*HOME, 0)).expect("loopback takes a TCP listener");
        let address = listener.local_addr().expect("a bound listener has an address");
        let seen = Arc::new(Seen::default());
        let (of_threads, conduct) = (Arc::clone(&seen), Arc::new(conduct));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if of_threads.stop.load(Ordering::Relaxed) {
                    break;
                }
                of_threads.connections.fetch_add(1, Ordering::SeqCst);
                of_threads.open.fetch_add(1, Ordering::SeqCst);
                let (seen, conduct, tls) = (Arc::clone(&of_threads), Arc::clone(&conduct), tls.clone());
                thread::spawn(move || {
                    // How a connection ends is the sender's business.
                    let _ = Talk::begin(stream, tls, Arc::clone(&seen)).and_then(|mut talk| conduct(&mut talk));
                    seen.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, scheme, seen, _held: Vec::new() }
    }

    /// Where to deliver to.
    pub fn url(&self) -> String {
        match self.scheme {
            "https" => format!("https://{NAME}:{}/hook", self.address.port()),
            scheme => format!("{scheme}://{}/hook", self.address),
        }
    }

    /// The heads of the requests read so far.
    pub fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().expect("nobody panics with it").clone()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// Connections that are neither finished nor left.
    pub fn open(&self) -> usize {
        self.seen.open.load(Ordering::SeqCst)
    }

    /// Bytes that the system took from it.
    pub fn written(&self) -> u64 {
        self.seen.written.load(Ordering::SeqCst)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.seen.stop.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect_timeout(&self.address, FULL);
    }
}

trait Wire: Read + Write + Send {}

impl<S: Read + Write + Send> Wire for S {}

/// One connection, as a conduct has it.
pub struct Talk {
    wire: Box<dyn Wire>,
    stream: TcpStream,
    seen: Arc<Seen>,
}

impl Talk {
    fn begin(stream: TcpStream, tls: Option<Arc<ServerConfig>>, seen: Arc<Seen>) -> io::Result<Self> {
        let mut socket = stream.try_clone()?;
        let Some(config) = tls else { return Ok(Self { wire: Box::new(socket), stream, seen }) };
        let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            if let Err(error) = connection.complete_io(&mut socket) {
                // What was refused is told, and read by who was refused before the connection ends.
                let _ = connection.write_tls(&mut socket);
                socket.shutdown(Shutdown::Write)?;
                io::copy(&mut socket, &mut io::sink())?;
                return Err(error);
            }
        }
        Ok(Self { wire: Box::new(StreamOwned::new(connection, socket)), stream, seen })
    }

    /// Reads a request whole and keeps its head; an error where the sender has left.
    pub fn request(&mut self) -> io::Result<()> {
        let (mut request, mut part) = (Vec::new(), [0; 4096]);
        let (head, body) = loop {
            let length = self.wire.read(&mut part)?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            request.extend_from_slice(&part[..length]);
            let text = String::from_utf8_lossy(&request);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                break (head.to_ascii_lowercase(), body.len());
            }
        };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.map_or(0, |length| length.trim().parse().expect("radhook sends numbers"));
        self.wire.read_exact(&mut vec![0; length.saturating_sub(body)])?;
        self.seen.requests.lock().expect("nobody panics with it").push(head);
        Ok(())
    }

    /// Writes these bytes as they are.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let bytes = bytes.as_ref();
        self.wire.write_all(bytes)?;
        self.wire.flush()?;
        self.seen.written.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        Ok(())
    }

    /// Writes these bytes again and again, as fast as they are taken, until the sender leaves.
    pub fn flood(&mut self, bytes: &[u8]) -> io::Result<()> {
        let many = bytes.repeat((64 * 1024 / bytes.len()).max(1));
        loop {
            self.say(&many)?;
        }
    }

    /// Writes a byte now and then, until the sender leaves.
    pub fn drip(&mut self) -> io::Result<()> {
        self.now_and_then("x")
    }

    /// Writes these bytes now and then, until the sender leaves.
    pub fn now_and_then(&mut self, bytes: &str) -> io::Result<()> {
        loop {
            thread::sleep(DRIP);
            self.say(bytes)?;
        }
    }

    /// Reads once, and no matter what.
    pub fn read_something(&mut self) -> io::Result<()> {
        self.wire.read(&mut [0; 4096]).map(drop)
    }

    /// Is silent until the sender leaves.
    pub fn until_left(&mut self) -> io::Result<()> {
        io::copy(&mut self.wire, &mut io::sink()).map(drop)
    }

    /// Ends it not by a FIN but by a RST.
    pub fn reset(&mut self) -> io::Result<()> {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))
    }
}

/// Answers every request of a connection with these bytes.
pub fn says(answer: impl Into<Vec<u8>>) -> Conduct {
    let answer = answer.into();
    Box::new(move |talk| {
        loop {
            talk.request()?;
            talk.say(&answer)?;
        }
    })
}

/// Reads a request, says this, and then what `then` does.
pub fn begins(
    answer: impl Into<Vec<u8>>,
    then: impl Fn(&mut Talk) -> io::Result<()> + Send + Sync + 'static,
) -> Conduct {
    let answer = answer.into();
    Box::new(move |talk| {
        talk.request()?;
        talk.say(&answer)?;
        then(talk)
    })
}
