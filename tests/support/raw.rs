//! Receivers written down to the byte: those that no HTTP library would let one write.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// What a receiver does with a request, once it has read it whole.
#[derive(Debug, Clone)]
pub enum Conduct {
    /// Writes these bytes as they are, and reads on.
    Say(String),
    /// Never answers and never closes.
    Hang,
    /// Begins an answer and sends a byte of its header now and then, for ever.
    DripHead,
    /// Answers 200 and sends a byte of the body now and then, for ever.
    DripBody,
    /// Answers 200 with a body of 10 GB, as fast as it is taken.
    Flood,
    /// Asks to go on (100 Continue), again and again, as fast as it is taken.
    Continue,
    /// Closes the connection.
    Close,
    /// Answers 204, but from the second request on only once [`RawReceiver::open_the_gate`] was called: who never answers gets one
    /// request at a time.
    Gate,
}

/// Between two bytes that drip: well within every timeout, so that only a deadline over the whole ends it.
const DRIP: Duration = Duration::from_millis(20);

/// The flood's length.
pub const FLOOD: u64 = 10_000_000_000;

/// A listening receiver; its threads end with their connections.
pub struct RawReceiver {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    requests: AtomicUsize,
    written: AtomicU64,
    stop: AtomicBool,
    open: Mutex<bool>,
    opened: Condvar,
}

impl RawReceiver {
    /// Listens on a free loopback port.
    pub fn start(conduct: Conduct) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback takes a TCP listener");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared::default());
        let of_threads = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if of_threads.stop.load(Ordering::Relaxed) {
                    break;
                }
                let (conduct, shared) = (conduct.clone(), Arc::clone(&of_threads));
                // How a connection ends is the sender's business.
                thread::spawn(move || drop(serve(stream, &conduct, &shared)));
            }
        });
        Self { address, shared }
    }

    /// Where to deliver to.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Requests read so far.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Bytes of answers that the system took from it.
    pub fn written(&self) -> u64 {
        self.shared.written.load(Ordering::SeqCst)
    }

    /// Lets everybody through who waits at the gate, and who comes after.
    pub fn open_the_gate(&self) {
        *self.shared.open.lock().expect("nobody panics with it") = true;
        self.shared.opened.notify_all();
    }
}

impl Drop for RawReceiver {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.open_the_gate();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(stream: TcpStream, conduct: &Conduct, shared: &Shared) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while read_request(&mut reader)? {
        let is_first = shared.requests.fetch_add(1, Ordering::SeqCst) == 0;
        match conduct {
            Conduct::Say(answer) => writer.write_all(answer.as_bytes())?,
            Conduct::Hang => {
                reader.read_to_end(&mut Vec::new())?;
            }
            Conduct::DripHead => drip(&mut writer, "HTTP/1.1 200 OK\r\nX-Drip: ")?,
            Conduct::DripBody => drip(&mut writer, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")?,
            Conduct::Flood => {
                write!(writer, "HTTP/1.1 200 OK\r\nContent-Length: {FLOOD}\r\n\r\n")?;
                let part = [b'x'; 65_536];
                for _ in 0..FLOOD / part.len() as u64 {
                    writer.write_all(&part)?;
                    shared.written.fetch_add(part.len() as u64, Ordering::SeqCst);
                }
            }
            Conduct::Continue => {
                let part = "HTTP/1.1 100 Continue\r\n\r\n".repeat(2_000);
                loop {
                    writer.write_all(part.as_bytes())?;
                }
            }
            Conduct::Close => return Ok(()),
            Conduct::Gate => {
                let open = shared.open.lock().expect("nobody panics with it");
                drop(shared.opened.wait_while(open, |open| !*open && !is_first).expect("nobody panics with it"));
                writer.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
            }
        }
    }
    Ok(())
}

/// Reads a request whole; `false` where the sender has closed.
fn read_request(reader: &mut impl BufRead) -> std::io::Result<bool> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(false);
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().expect("radhook sends numbers");
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    Ok(true)
}

fn drip(writer: &mut TcpStream, begin: &str) -> std::io::Result<()> {
    writer.write_all(begin.as_bytes())?;
    loop {
        thread::sleep(DRIP);
        writer.write_all(b"x")?;
    }
}
