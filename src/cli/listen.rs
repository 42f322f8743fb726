//! `radhook listen`: a receiver to try endpoints against. It shows and verifies what it is sent, and misbehaves when
//! asked to.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;
use http::StatusCode;
use jiff::tz::TimeZone;
use serde_json::json;

use super::arguments::{SignatureArgs, duration, share, tolerance};
use super::exit;
use super::interrupt::Interrupt;
use crate::lab::receiver::{
    Answered, Behaviour, Facts, How, Novelty, Received, Receiver, ReceiverOptions, Summary, Verdict, When,
};

/// Between two bytes of a dripping body.
const DRIP_EVERY: Duration = Duration::from_secs(1);

/// Receive events: show and verify each, and fail, hang or be slow when told to
///
/// Exit code 1 when a request could not be verified.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    #[command(flatten)]
    signature: SignatureArgs,
    /// How far a signed time may lie from now; 0 takes any
    #[arg(long, default_value = "5m", value_parser = duration)]
    tolerance: Duration,
    /// Answer with this status, 200 to 599; 503 where failing is asked for and nothing else
    #[arg(long, value_parser = status, group = "how")]
    status: Option<StatusCode>,
    /// Never answer
    #[arg(long, group = "how")]
    hang: bool,
    /// Close the connection without an answer
    #[arg(long, group = "how")]
    close: bool,
    /// Answer 200 with a body that does not end, one byte a second
    #[arg(long, group = "how")]
    drip: bool,
    /// Only the first so many requests fare so
    #[arg(long, value_name = "REQUESTS", group = "when")]
    fail_first: Option<u64>,
    /// Only this share of the requests fares so, 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = share, group = "when")]
    fail_share: Option<f64>,
    /// Only requests within so long from the start fare so
    #[arg(long, value_name = "DURATION", value_parser = duration, group = "when")]
    fail_for: Option<Duration>,
    /// Let every request wait so long
    #[arg(long, value_parser = duration, default_value = "0s")]
    delay: Duration,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Exit after so many requests
    #[arg(long, value_name = "REQUESTS")]
    count: Option<u64>,
}

/// A status a final answer can have: those below 200 are not final.
fn status(text: &str) -> Result<StatusCode, String> {
    match text.parse() {
        Ok(status @ 200..=599) => StatusCode::from_u16(status).map_err(|error| error.to_string()),
        _ => Err("write a status from 200 to 599".to_owned()),
    }
}

impl Args {
    fn behaviour(&self) -> Behaviour {
        let how = match self.status {
            _ if self.hang => Some(How::Hang),
            _ if self.close => Some(How::Close),
            _ if self.drip => Some(How::Drip { every: DRIP_EVERY }),
            status => status.map(How::Status),
        };
        let when = match (self.fail_first, self.fail_share, self.fail_for) {
            (Some(requests), _, _) => When::First(requests),
            (_, Some(share), _) => When::Share(share),
            (_, _, Some(duration)) => When::For(duration),
            _ if how.is_some() => When::Always,
            _ => When::Never,
        };
        Behaviour { when, how: how.unwrap_or(Behaviour::default().how), delay: self.delay }
    }
}

/// Why the showing of requests ended.
enum End {
    /// `--count` is reached.
    Counted,
    /// Ctrl-C, or SIGTERM.
    Interrupted,
}

/// What the printing thread is told.
enum Message {
    Received(Box<Received>),
    End(End),
}

/// Receives until Ctrl-C or `--count`, then sums up on stderr.
pub fn run(args: Args) -> anyhow::Result<u8> {
    let options =
        ReceiverOptions { listen: args.listen, signer: args.signature.signer()?, tolerance: tolerance(args.tolerance) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (tell, messages) = mpsc::channel();
    let reporter = tell.clone();
    let receiver = runtime.block_on(Receiver::start(options, move |received| {
        // Nobody listens any more when the count is reached; what comes then is not part of it.
        let _ = reporter.send(Message::Received(Box::new(received.clone())));
    }))?;
    receiver.behave(args.behaviour());
    let interrupt = runtime.block_on(async { Interrupt::catch() }).context("catch Ctrl-C")?;
    runtime.spawn(async move {
        interrupt.wait().await;
        let _ = tell.send(Message::End(End::Interrupted));
    });
    eprintln!("ready {}", receiver.url());
    let style = Style::for_stdout();
    let mut shown = Shown::default();
    let end = loop {
        if args.count.is_some_and(|count| shown.requests >= count) {
            break End::Counted;
        }
        match messages.recv().context("the receiver stopped")? {
            Message::Received(received) => {
                shown.requests += 1;
                shown.refused |= matches!(received.verdict, Verdict::Refused(_));
                let line = if args.json { as_json(&received).to_string() } else { as_line(&received, style) };
                writeln!(io::stdout(), "{line}").context("write to stdout")?;
            }
            Message::End(end) => break end,
        }
    };
    if let End::Interrupted = end {
        // Away from the ^C that the terminal shows.
        eprintln!();
    }
    eprintln!("{}", summed_up(&runtime.block_on(receiver.stop())));
    Ok(if shown.refused { exit::FAILED } else { exit::DONE })
}

/// What was printed so far.
#[derive(Default)]
struct Shown {
    requests: u64,
    refused: bool,
}

fn summed_up(summary: &Summary) -> String {
    let mut text = format!("requests: {}, events taken: {}", summary.requests, summary.taken);
    for (what, count) in [
        ("failed as told", summary.failed),
        ("retries", summary.retries),
        ("repeats of what was taken", summary.repeats),
        ("out of order", summary.out_of_order),
        ("not believed", summary.refused),
        ("left before they were answered", summary.left),
    ] {
        if count > 0 {
            let _ = write!(text, ", {what}: {count}");
        }
    }
    text
}

/// Whether to use colours.
#[derive(Debug, Clone, Copy)]
struct Style {
    colours: bool,
}

impl Style {
    /// Colours on a terminal, unless `NO_COLOR` is set to something.
    fn for_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colours: io::stdout().is_terminal() && !refused }
    }

    fn paint(self, colour: u8, text: &str) -> String {
        if self.colours { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

const RED: u8 = 31;
const GREEN: u8 = 32;
const YELLOW: u8 = 33;

fn as_line(received: &Received, style: Style) -> String {
    let time = received.at.to_zoned(TimeZone::system()).strftime("%H:%M:%S%.3f").to_string();
    let (verdict, colour) = match &received.verdict {
        Verdict::Verified => ("verified", GREEN),
        Verdict::Unchecked => ("unchecked", YELLOW),
        Verdict::Refused(_) => ("refused", RED),
    };
    let (answer, good) = match received.answered {
        Answered::Status(status) => (status.as_u16().to_string(), status.is_success()),
        other => (answered(other).to_owned(), false),
    };
    let Facts { id, kind, user, mac, session, .. } = &received.facts;
    let shown = |fact: &Option<String>| fact.as_deref().map_or_else(|| "-".to_owned(), printable);
    // Padded before it is painted: the escapes take no room on the screen.
    let mut line = format!(
        "{time}  {}  {}  {:<15}  {:<24} {:<18} {}  {}",
        style.paint(colour, &format!("{verdict:<9}")),
        style.paint(if good { GREEN } else { RED }, &format!("{answer:<6}")),
        shown(kind),
        shown(user),
        shown(mac),
        shown(session),
        shown(id),
    );
    match received.novelty {
        Novelty::New => {}
        Novelty::Retry => line.push_str("  retry"),
        Novelty::Repeat => line.push_str(&style.paint(YELLOW, "  repeat: it was taken before")),
    }
    if let Some(disorder) = &received.disorder {
        line.push_str(&style.paint(RED, &format!("  out of order: {disorder}")));
    }
    if let Verdict::Refused(reason) = &received.verdict {
        line.push_str(&style.paint(RED, &format!("  {}", printable(reason))));
    }
    line
}

/// Without what would steer a terminal: these texts come from anybody.
fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

fn answered(answered: Answered) -> &'static str {
    match answered {
        Answered::Status(_) => "status",
        Answered::Hung => "hung",
        Answered::Closed => "closed",
        Answered::Dripped => "drips",
        Answered::SenderLeft => "left",
    }
}

fn as_json(received: &Received) -> serde_json::Value {
    let (verdict, reason) = match &received.verdict {
        Verdict::Verified => ("verified", None),
        Verdict::Unchecked => ("unchecked", None),
        Verdict::Refused(reason) => ("refused", Some(reason)),
    };
    let status = match received.answered {
        Answered::Status(status) => Some(status.as_u16()),
        _ => None,
    };
    let novelty = match received.novelty {
        Novelty::New => "new",
        Novelty::Retry => "retry",
        Novelty::Repeat => "repeat",
    };
    let body =
        serde_json::from_slice(&received.body).unwrap_or_else(|_| json!(String::from_utf8_lossy(&received.body)));
    let mut line = json!({
        "at": received.at,
        "id": received.facts.id,
        "type": received.facts.kind,
        "user": received.facts.user,
        "mac": received.facts.mac,
        "session": received.facts.session,
        "verdict": verdict,
        "reason": reason,
        "novelty": novelty,
        "out_of_order": received.disorder,
        "answered": answered(received.answered),
        "status": status,
        "body": body,
    });
    // As in events, what is not known is not there.
    if let Some(line) = line.as_object_mut() {
        line.retain(|_, value| !value.is_null());
    }
    line
}
