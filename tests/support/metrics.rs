//! What a daemon counts, read from its admin socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use super::daemon::Daemon;

/// Everything it counts, in Prometheus's text format.
pub fn scrape(daemon: &Daemon) -> String {
    let path = daemon.admin().iter().find_map(|address| address.strip_prefix("unix:")).expect("a Unix socket");
    let mut stream = UnixStream::connect(path).expect("the admin API listens");
    stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: x\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

/// The sum of all series of a metric that carry every one of these labels, such as `reason="idle"`.
pub fn sum(daemon: &Daemon, name: &str, labels: &[&str]) -> f64 {
    let scraped = scrape(daemon);
    let series = scraped.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
    let wanted = series
        .filter(|(of, _)| (of.is_empty() || of.starts_with('{')) && labels.iter().all(|label| of.contains(label)));
    wanted.map(|(_, value)| value.parse::<f64>().expect("a number")).sum()
}
