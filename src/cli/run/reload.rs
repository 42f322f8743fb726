//! Reading the config again while the daemon runs by it.

use std::path::Path;

use tracing::{error, info, warn};

use crate::admin::reload::Reloaded;
use crate::config::{self, Config};
use crate::daemon::Daemon;

/// Reads the config again and applies what can be applied while it runs: all of that, or, when anything is wrong with the
/// config, nothing. The log says what came of it, and so does the answer.
pub(super) fn reload(daemon: &mut Daemon, path: &Path, running: &mut Config) -> Reloaded {
    let refused = |problems: Vec<String>| {
        problems.iter().for_each(|problem| error!("{problem}"));
        error!("the config is not taken; everything goes on by the one from before");
        Reloaded { problems, ..Reloaded::default() }
    };
    let new = match config::load(path) {
        Ok((new, remarks)) => {
            remarks.iter().for_each(|remark| warn!("{remark}"));
            new
        }
        Err(problems) => return refused(problems.problems.iter().map(ToString::to_string).collect()),
    };
    let reloaded = match daemon.reload(running, &new) {
        Ok(reloaded) => reloaded,
        Err(error) => return refused(vec![error.to_string()]),
    };
    let Reloaded { added, changed, removed, .. } = &reloaded;
    info!(?added, ?changed, ?removed, "the config was read again");
    if !reloaded.needs_restart.is_empty() {
        warn!(tables = ?reloaded.needs_restart, "what changed there is only read at the start: restart radhook to apply it");
    }
    reloaded
}
