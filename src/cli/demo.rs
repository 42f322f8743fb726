//! `radhook demo`: the whole bridge on this machine, with nothing but this binary.
//!
//! A real daemon on free loopback ports with a store of its own, a NAS that sends it real RADIUS packets, and a receiver
//! that verifies every request and fails for a while in the middle. Every packet, every acknowledgement and every request is
//! shown as it happens; at the end the books must balance.

mod nas;
mod stage;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use http::StatusCode;

use super::arguments::duration;
use super::exit;
use crate::admin::client::AdminClient;
use crate::admin::status::{EndpointStatus, Status};
use crate::config;
use crate::daemon::Daemon;
use crate::deliver::options::SignatureOptions;
use crate::deliver::sign::Signer;
use crate::lab::receiver::{Behaviour, Receiver, ReceiverOptions};
use crate::secret::Secret;
use nas::DemoNas;
use stage::Stage;

/// See the whole bridge at work on this machine: NAS, radhook, receiver, a failure, and the books balanced
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Pause between packets, so that a person can follow
    #[arg(long, value_parser = duration, default_value = "120ms")]
    pace: Duration,
}

const RADIUS_SECRET: &str = "demo-radius-secret";
const SIGNING_SECRET: &str = "whsec_ZGVtby1zaWduaW5nLXNlY3JldC1mb3ItcmFkaG9vaw==";

/// Interim updates of each of the demo's sessions.
const INTERIMS: u32 = 2;

/// How many sessions the demo's NAS has: a handful, so that each can be followed by eye.
const SESSIONS: usize = 5;

/// How long the last deliveries may take. With the demo's schedule a retry waits at most two seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the verb.
pub fn run(args: Args) -> anyhow::Result<u8> {
    let directory = TemporaryDirectory::new()?;
    let stage = Arc::new(Stage::new());
    // The receiver's address goes into the config, so it comes first, on a runtime of its own.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let receiver = runtime.block_on(receiver(&stage))?;
    let path = directory.0.join("radhook.toml");
    std::fs::write(&path, config_text(&directory.0, &receiver)).context("writing the demo's config")?;
    let (config, _) = config::load(&path).map_err(|problems| anyhow::anyhow!("the demo's own config: {problems}"))?;
    let daemon = Daemon::start(&config, None)?;
    let (_, _, radius) = daemon.addresses().sources.first().context("the daemon listens nowhere")?;
    let radius = radius.parse().context("the daemon's own address")?;

    stage.opening(radius, receiver.address(), &directory.0);
    let played = play(&stage, &receiver, radius, args.pace);
    let status = played.and_then(|packets| Ok((packets, settled(&AdminClient::new(&config.admin)?)?)));
    let stopped = daemon.stop();
    let (packets, status) = status?;
    let balanced = stage.closing(&packets, &status, &receiver.summary());
    Ok(if balanced && stopped { exit::DONE } else { exit::FAILED })
}

/// What the NAS did, by its own count.
#[derive(Debug, Default)]
struct Packets {
    /// Different facts.
    facts: u64,
    /// Packets sent for them.
    sent: u64,
    /// Of these, acknowledged with a right authenticator.
    acknowledged: u64,
    /// Retransmissions among those sent.
    repeats: u64,
    /// Forged packets, and how many of them were answered.
    forged: (u64, u64),
}

/// The story: sessions begin, the receiver breaks, sessions go on, the receiver comes back, sessions end.
fn play(stage: &Stage, receiver: &Receiver, radius: SocketAddr, pace: Duration) -> anyhow::Result<Packets> {
    let mut nas = DemoNas::new(radius, Secret::new(RADIUS_SECRET), SESSIONS, INTERIMS, pace)?;
    stage.chapter("The NAS boots; guests arrive");
    nas.boots(stage)?;
    nas.everybody(stage)?;
    stage.chapter("An answer gets lost on the way, the NAS sends the same again: still one event");
    nas.retransmits(stage)?;
    stage.chapter("Somebody forges a packet: no answer, no event");
    nas.forges(stage)?;
    stage.chapter("The receiver breaks down: RADIUS does not notice");
    receiver.behave(Behaviour::status(StatusCode::SERVICE_UNAVAILABLE));
    nas.everybody(stage)?;
    stage.chapter("The receiver is back: what waited comes, in order");
    receiver.behave(Behaviour::default());
    nas.everybody(stage)?;
    stage.chapter("Guests leave");
    nas.everybody(stage)?;
    nas.finish()
}

async fn receiver(stage: &Arc<Stage>) -> anyhow::Result<Receiver> {
    let secrets = vec![Secret::new(SIGNING_SECRET).into()];
    let options = ReceiverOptions {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        signer: Some(Signer::new(&SignatureOptions::Standard { secrets })?),
        tolerance: Some(Duration::from_secs(300)),
    };
    let stage = Arc::clone(stage);
    Ok(Receiver::start(options, move |received| stage.received(received)).await?)
}

fn config_text(directory: &std::path::Path, receiver: &Receiver) -> String {
    let (directory, url) = (directory.display(), receiver.url());
    format!(
        r#"node = "demo"

[store]
path = "{directory}/store"

[[client]]
name = "demo-nas"
address = "127.0.0.1"
secret = "{RADIUS_SECRET}"

[[source]]
type = "accounting"
listen = "127.0.0.1:0"

[[endpoint]]
name = "crm"
url = "{url}"
events = ["session.*", "nas.*"]
signature = {{ scheme = "standard", secret = "{SIGNING_SECRET}" }}
retry = {{ schedule = ["300ms", "600ms", "1s", "2s", "2s", "2s"], jitter = 0.1 }}

[admin]
listen = "unix:{directory}/admin.sock"
"#
    )
}

/// Waits until nothing is pending any more.
fn settled(client: &AdminClient) -> anyhow::Result<EndpointStatus> {
    let begun = Instant::now();
    loop {
        let status: Status = client.get("/api/v1/status", &())?;
        let endpoint = status.endpoints.into_iter().next().context("the daemon has no endpoint")?;
        if endpoint.pending == 0 {
            return Ok(endpoint);
        }
        if begun.elapsed() > PATIENCE {
            bail!("{} deliveries are still pending after {PATIENCE:?}", endpoint.pending);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Removed when the demo ends, however it ends.
struct TemporaryDirectory(std::path::PathBuf);

impl TemporaryDirectory {
    fn new() -> anyhow::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let path = std::env::temp_dir().join(format!("radhook-demo-{:08x}", rand::random::<u32>()));
        std::fs::DirBuilder::new().mode(0o700).create(&path).context("making a temporary directory")?;
        Ok(Self(path))
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning of its temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
