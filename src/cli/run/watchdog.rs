//! systemd's watchdog: told that all is well for as long as the writer turns. A writer that hangs acknowledges nothing, and
//! only a restart helps; the process itself may look alive for ever.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use sd_notify::NotifyState;
use tracing::{error, info, warn};

use crate::intake::Health;

/// So many times within systemd's patience it is told: two may be missed by a busy host.
const TIMES: u32 = 4;

/// Twice as long as a writer without work takes from one turn to the next.
const AT_LEAST: Duration = Duration::from_secs(2);

/// The thread that tells systemd, where systemd asked for it by `WatchdogSec=`. Ends when dropped.
pub struct Watchdog(Option<Sender<Watched>>);

/// By what the house is known to be well.
enum Watched {
    /// The writer's turns. It turns at least once a second.
    Writer(Arc<Health>),
    /// That the process is there: while it starts, or stops, it takes as long as it takes.
    Process,
}

impl Watchdog {
    /// Begins to tell, of the process alone.
    pub fn start() -> std::io::Result<Self> {
        let Some(patience) = sd_notify::watchdog_enabled() else { return Ok(Self(None)) };
        let (sender, changes) = channel();
        let every = (patience / TIMES).max(AT_LEAST);
        std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || tell(&changes, every))?;
        Ok(Self(Some(sender)))
    }

    /// From here on it is the writer who has to be well.
    pub fn watch(&self, health: Arc<Health>) {
        self.change(Watched::Writer(health));
    }

    /// From here on it is enough that the process is there.
    pub fn relax(&self) {
        self.change(Watched::Process);
    }

    fn change(&self, watched: Watched) {
        if let Some(sender) = &self.0 {
            // The thread only ends with the sender.
            let _ = sender.send(watched);
        }
    }
}

fn tell(changes: &Receiver<Watched>, every: Duration) {
    let mut watched = Watched::Process;
    let (mut turns, mut missed) = (None, 0);
    loop {
        match changes.recv_timeout(every) {
            Ok(changed) => {
                (watched, turns) = (changed, None);
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = match &watched {
            Watched::Writer(health) => Some(health.turns()),
            Watched::Process => None,
        };
        let hangs = now.is_some() && now == turns;
        turns = now;
        if hangs {
            missed += 1;
            error!(
                "the writer hangs, for {:?} at least; systemd's watchdog is not told that all is well",
                every * missed
            );
            continue;
        }
        if std::mem::take(&mut missed) > 0 {
            info!("the writer goes on");
        }
        if let Err(error) = sd_notify::notify(&[NotifyState::Watchdog]) {
            warn!(%error, "systemd's watchdog could not be told");
        }
    }
}
