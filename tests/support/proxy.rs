//! An HTTP proxy inside the test: tunnels by CONNECT, passes plain requests on, or refuses both.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What a proxy does.
#[derive(Debug, Clone, Copy)]
pub enum Manner {
    /// What is asked for.
    Serves,
    /// The same, where the request carries `Proxy-Authorization` with this value; else 407.
    Wants(&'static str),
    /// Answers everything with this status line.
    Refuses(&'static str),
    /// Closes every connection once it was asked for something.
    Closes,
}

/// Listens until the process ends.
pub struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Every receiver is looked for at `receivers`, whatever its name: the names of tests lead nowhere.
    pub fn start(manner: Manner, receivers: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback takes a TCP listener");
        let address = listener.local_addr().expect("a bound listener has an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let of_thread = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let asked = Arc::clone(&of_thread);
                // How a connection ends is its two sides' business.
                thread::spawn(move || drop(serve(stream, manner, receivers, &asked)));
            }
        });
        Self { address, asked }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of the requests made to it, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("nobody panics with it").clone()
    }
}

fn serve(
    stream: TcpStream,
    manner: Manner,
    receivers: Option<SocketAddr>,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        asked.lock().expect("nobody panics with it").push(head.clone());
        let field = |name: &str| {
            let mut fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
            fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        let length = field("content-length").map_or(0, |value| value.parse().expect("radhook sends numbers"));
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let refusal = match manner {
            Manner::Closes => return Ok(()),
            Manner::Refuses(status) => Some(status),
            Manner::Wants(value) if field("proxy-authorization").as_deref() != Some(value) => {
                Some("407 Proxy Authentication Required")
            }
            Manner::Wants(_) | Manner::Serves => None,
        };
        if let Some(status) = refusal {
            write!(writer, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        }
        let mut words = head.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let authority =
            target.strip_prefix("http://").map_or(target, |rest| rest.split('/').next().unwrap_or_default());
        let mut receiver = match receivers {
            Some(address) => TcpStream::connect(address)?,
            None => TcpStream::connect(authority)?,
        };
        if method == "CONNECT" {
            writer.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            let mut back = receiver.try_clone()?;
            thread::spawn(move || {
                let _ = std::io::copy(&mut back, &mut writer);
                let _ = writer.shutdown(Shutdown::Both);
            });
            std::io::copy(&mut reader, &mut receiver)?;
            return receiver.shutdown(Shutdown::Both);
        }
        // One request a connection to the receiver, which says so; credentials for the proxy end here.
        let path = target.strip_prefix(&format!("http://{authority}")).unwrap_or(target);
        write!(receiver, "{method} {path} HTTP/1.1\r\nConnection: close\r\n")?;
        for line in head.lines().skip(1).filter(|line| !line.to_ascii_lowercase().starts_with("proxy-")) {
            write!(receiver, "{line}\r\n")?;
        }
        receiver.write_all(&body)?;
        std::io::copy(&mut receiver, &mut writer)?;
        return writer.shutdown(Shutdown::Both);
    }
}
