//! The machine by itself: a UDP echo, a loop of fdatasync, a loop of POSTs. What stands between these and radhook is radhook.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use nix::fcntl::{FallocateFlags, fallocate};

use super::results::Figures;
use super::usage::settle;

/// What one append writes: a page, as a journal's smallest batch does.
const APPEND: usize = 4096;

/// Long enough for the appends of some seconds.
const PREALLOCATED: i64 = 512 << 20;

/// The size of an Accounting-Request.
const DATAGRAM: usize = 200;

/// An answer that takes so long was dropped.
const DROPPED: Duration = Duration::from_millis(200);

/// Appends and syncs, one after the other, in a file in this directory.
pub fn fdatasync(directory: &Path, preallocated: bool, span: Duration) -> Figures {
    settle();
    let file = tempfile::NamedTempFile::new_in(directory).expect("the directory is writable");
    let mut open = OpenOptions::new().write(true).open(file.path()).expect("it is there");
    if preallocated {
        fallocate(&open, FallocateFlags::empty(), 0, PREALLOCATED).expect("the disk has room");
        open.sync_all().expect("it can be synced");
    }
    let mut latency = histogram();
    let begun = Instant::now();
    let mut at = begun;
    while at - begun < span && latency.len() < PREALLOCATED as u64 / APPEND as u64 {
        open.write_all(&[0x5a; APPEND]).expect("the disk has room");
        open.sync_data().expect("it can be synced");
        let now = Instant::now();
        latency.saturating_record((now - at).as_nanos() as u64);
        at = now;
    }
    let mut figures = quantiles(&latency);
    figures.insert("per_second".to_owned(), latency.len() as f64 / (at - begun).as_secs_f64());
    figures
}

/// Datagrams there and back, so many under way, one system call for each.
pub fn udp_echo(window: u64, span: Duration) -> Figures {
    let [echo, sender] = [(), ()].map(|()| {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback takes a UDP socket");
        socket.set_read_timeout(Some(DROPPED)).expect("it can be set");
        socket
    });
    let address = echo.local_addr().expect("a bound socket has an address");
    sender.connect(address).expect("loopback can be reached");
    let ending = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&ending);
    let echoing = thread::spawn(move || {
        let mut datagram = [0; 4096];
        while !ended.load(Ordering::Relaxed) {
            if let Ok((length, from)) = echo.recv_from(&mut datagram) {
                let _ = echo.send_to(&datagram[..length], from);
            }
        }
    });
    let mut datagram = [0x5a; DATAGRAM];
    let refill = |count: u64| {
        for _ in 0..count {
            let _ = sender.send(&[0x5a; DATAGRAM]);
        }
    };
    refill(window);
    let (begun, mut answered) = (Instant::now(), 0u64);
    while begun.elapsed() < span {
        match sender.recv(&mut datagram) {
            Ok(_) => {
                answered += 1;
                refill(1);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => refill(window),
            Err(error) => panic!("the echo answers: {error}"),
        }
    }
    let took = begun.elapsed();
    ending.store(true, Ordering::Relaxed);
    echoing.join().expect("the echo ends");
    Figures::from([("per_second".to_owned(), answered as f64 / took.as_secs_f64())])
}

/// POSTs of one body by the same client library as radhook's, unsigned, so many under way on one thread as the machine has cores.
pub fn posts(url: &str, body: &[u8], concurrency: u64, span: Duration) -> Figures {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
    let client = reqwest::Client::builder().no_proxy().build().expect("a client can be built");
    let body = bytes::Bytes::copy_from_slice(body);
    let done = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    runtime.block_on(async {
        let posting = (0..concurrency).map(|_| {
            let (client, url, body, done) = (client.clone(), url.to_owned(), body.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                while begun.elapsed() < span {
                    let request = client.post(&url).header("Content-Type", "application/json").body(body.clone());
                    let answer = request.send().await.expect("the receiver answers");
                    answer.bytes().await.expect("to the end");
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        for posting in posting.collect::<Vec<_>>() {
            posting.await.expect("nobody panics");
        }
    });
    let rate = done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    Figures::from([("per_second".to_owned(), rate)])
}

/// Nanoseconds up to ten minutes, three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000_000, 3).expect("the bounds are in order")
}

/// The quantiles that matter, in microseconds.
pub fn quantiles(latency: &Histogram<u64>) -> Figures {
    [("p50_us", 0.5), ("p90_us", 0.9), ("p99_us", 0.99), ("p999_us", 0.999)]
        .into_iter()
        .map(|(name, quantile)| (name.to_owned(), latency.value_at_quantile(quantile) as f64 / 1e3))
        .collect()
}
