//! Another config for a daemon that runs. Endpoints are exchanged while packets are taken in; whatever else changed is named,
//! and waits for a restart.

use std::collections::HashMap;

use tracing::error;

use super::deliveries::{self, Prepared, Task};
use super::{Daemon, StartError};
use crate::admin::reload::Reloaded;
use crate::config::Config;
use crate::intake::Command;

impl Daemon {
    /// Applies what can be applied of `new`, all of it or nothing. `running` is what it runs by; afterwards it has the endpoints
    /// of `new`. Takes as long as requests under way to endpoints that change, and no longer than for a stop.
    ///
    /// # Errors
    /// What cannot be applied. Everything goes on as before.
    pub fn reload(&mut self, running: &mut Config, new: &Config) -> Result<Reloaded, StartError> {
        let mut fresh: HashMap<_, Prepared> = HashMap::new();
        for endpoint in &new.endpoints {
            if self.tasks.iter().all(|task| task.endpoint() != endpoint) {
                fresh.insert(endpoint.delivery.name.clone(), Prepared::new(endpoint)?);
            }
        }
        let mut reloaded = Reloaded { needs_restart: needs_restart(running, new), ..Reloaded::default() };
        let before = |name: &str| self.tasks.iter().any(|task| *task.endpoint().delivery.name == *name);
        for endpoint in &new.endpoints {
            let name = &endpoint.delivery.name;
            if fresh.contains_key(name) {
                if before(name) { &mut reloaded.changed } else { &mut reloaded.added }.push(name.to_string());
            }
        }
        let (mut kept, ended): (Vec<_>, Vec<_>) =
            self.tasks.drain(..).partition(|task| new.endpoints.contains(task.endpoint()));
        let gone: Vec<_> = ended.iter().map(|task| task.endpoint().clone()).collect();
        let named = |name: &str| new.endpoints.iter().any(|endpoint| *endpoint.delivery.name == *name);
        let removed = gone.iter().map(|endpoint| endpoint.delivery.name.to_string()).filter(|name| !named(name));
        reloaded.removed.extend(removed);
        // In this order: what they report is written down before others take out of their queues.
        deliveries::end(ended, &self.runtime);
        let order = |tasks: &mut Vec<Task>, config: &Config| {
            tasks.sort_by_key(|task| config.endpoints.iter().position(|endpoint| endpoint == task.endpoint()));
        };
        let mut started = Vec::new();
        for endpoint in &new.endpoints {
            started.extend(fresh.remove(&endpoint.delivery.name));
        }
        match self.exchange(&mut kept, started) {
            Ok(()) => {
                order(&mut kept, new);
                running.endpoints.clone_from(&new.endpoints);
            }
            Err(error) => {
                let again = gone.iter().filter_map(|endpoint| Prepared::new(endpoint).ok()).collect();
                if let Err(error) = self.exchange(&mut kept, again) {
                    error!(%error, "endpoints are not delivered to until the next start");
                }
                order(&mut kept, running);
                self.show(kept);
                return Err(error);
            }
        }
        self.show(kept);
        Ok(reloaded)
    }

    /// Has the writer offer events to these and to those that are prepared, which begin to be delivered to.
    fn exchange(&self, kept: &mut Vec<Task>, prepared: Vec<Prepared>) -> Result<(), StartError> {
        let routes = kept.iter().map(Task::route).chain(prepared.iter().map(Prepared::route)).collect();
        let (answer, answered) = crossbeam_channel::bounded(1);
        let sent = self.intake.commands.send(Command::Route { routes, answer });
        let ids = sent.ok().and_then(|()| answered.recv().ok()).ok_or(StartError::Writer)??;
        let ids = ids.into_iter().skip(kept.len());
        kept.extend(prepared.into_iter().zip(ids).map(|(prepared, id)| prepared.start(id, &self.house)));
        Ok(())
    }

    fn show(&mut self, tasks: Vec<Task>) {
        self.endpoints.exchange(tasks.iter().map(|task| task.known().clone()));
        self.tasks = tasks;
    }
}

/// The tables that are only read at the start, and are others now.
fn needs_restart(running: &Config, new: &Config) -> Vec<String> {
    let all = [
        ("node", running.node != new.node),
        ("[store]", running.store != new.store),
        ("[[client]]", running.clients != new.clients),
        ("[[source]]", running.sources != new.sources),
        ("[dictionary]", running.dictionary != new.dictionary),
        ("[[venue]], [company] or [facts]", running.enrichment != new.enrichment),
        ("[users]", running.users != new.users),
        ("[sessions] or [limits]", running.sessions != new.sessions),
        ("[admin]", running.admin != new.admin),
    ];
    all.into_iter().filter(|(_, differs)| *differs).map(|(table, _)| table.to_owned()).collect()
}
