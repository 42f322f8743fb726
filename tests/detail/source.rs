//! The source in this process, with a store that is a map and does what the test says.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use crossbeam_channel::{Receiver, Sender, bounded};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use radhook::exchange::{Bookmark, Exchange, Readiness, Stored, Submission};
use radhook::radius::{Dictionary, numbers};
use radhook::source::client::Clients;
use radhook::source::{DetailOptions, Inlet, Running, detail};

use crate::files::{Files, record};
use crate::support::process::PATIENCE;
use crate::support::verbs::wait_until;

static METRICS: LazyLock<PrometheusHandle> =
    LazyLock::new(|| PrometheusBuilder::new().install_recorder().expect("nobody else installs one in this process"));

/// A source that follows one glob, and what it has stored.
pub struct Source {
    options: DetailOptions,
    running: Option<Box<dyn Running>>,
    submissions: Receiver<Submission>,
    bookmarks: BTreeMap<Vec<u8>, Vec<u8>>,
    ends: usize,
}

impl Source {
    /// `name` is a test's own, since it tells the tests' metrics apart.
    pub fn start(name: &str, files: &Files) -> Self {
        Self::with(name, files, false)
    }

    pub fn with(name: &str, files: &Files, compressed: bool) -> Self {
        Self::over(name, vec![files.glob()], compressed, files.path("quarantine"))
    }

    /// Follows these globs.
    pub fn over(name: &str, path: Vec<String>, compressed: bool, quarantine: PathBuf) -> Self {
        LazyLock::force(&METRICS);
        let options = DetailOptions { name: name.into(), path, compressed, quarantine };
        let (_, submissions) = bounded(0);
        let mut source = Self { options, running: None, submissions, bookmarks: BTreeMap::new(), ends: 0 };
        source.restart();
        source
    }

    /// Stops it, and starts it with what was stored.
    pub fn restart(&mut self) {
        self.stop();
        let (sender, submissions) = bounded(4);
        self.submissions = submissions;
        let bookmark = |(item, place): (&Vec<u8>, &Vec<u8>)| Bookmark {
            source: Arc::clone(&self.options.name),
            item: item.clone(),
            place: Some(place.clone()),
        };
        let bookmarks = self.bookmarks.iter().map(bookmark).collect();
        self.running = Some(detail::start(&self.options, &inlet(sender), bookmarks).expect("it starts"));
    }

    /// Ends it. What it still hands in is not stored.
    pub fn stop(&mut self) {
        self.submissions = bounded(0).1;
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }

    /// The next batch, which is not stored yet.
    pub fn batch(&self) -> Submission {
        self.submissions.recv_timeout(PATIENCE).expect("a batch comes")
    }

    /// Stores a batch.
    pub fn store(&mut self, batch: Submission) -> Vec<Exchange> {
        for Bookmark { item, place, .. } in batch.bookmarks {
            match place {
                Some(place) => self.bookmarks.insert(item, place),
                None => self.bookmarks.remove(&item),
            };
        }
        (batch.done)(Stored::Yes);
        batch.exchanges.to_vec()
    }

    /// Stores what comes until so many exchanges came, and gives them.
    pub fn exchanges(&mut self, count: usize) -> Vec<Exchange> {
        let mut exchanges = Vec::new();
        while exchanges.len() < count {
            let batch = self.batch();
            exchanges.extend(self.store(batch));
        }
        assert_eq!(exchanges.len(), count, "{:?}", sessions(&exchanges));
        exchanges
    }

    /// Stores what comes until these sessions came, and fails when anything else does.
    pub fn expect(&mut self, wanted: &[&str]) {
        assert_eq!(sessions(&self.exchanges(wanted.len())), wanted);
    }

    /// Fails when anything but these comes before a file that is written now. All that was there before is read before it.
    pub fn expect_only(&mut self, files: &Files, wanted: &[&str]) {
        self.ends += 1;
        let end = format!("end-{}", self.ends);
        files.append(&format!("detail-{end}"), &record(&end));
        let mut told = Vec::new();
        while told.last() != Some(&end) {
            let batch = self.batch();
            told.extend(sessions(&self.store(batch)));
        }
        assert_eq!(told[..told.len() - 1], *wanted);
    }

    /// Waits until so many records came to be this; they are counted once they are stored.
    pub fn wait_for_records(&self, result: &str, count: u64) {
        self.wait_for("radhook_detail_records_total", &format!(",result=\"{result}\""), count);
    }

    /// Waits until something was so often odd about a file.
    pub fn wait_for_files(&self, result: &str, count: u64) {
        self.wait_for("radhook_detail_files_total", &format!(",result=\"{result}\""), count);
    }

    /// Waits until so many octets are not read yet, which is known after each look.
    pub fn wait_for_unread(&self, octets: u64) {
        self.wait_for("radhook_detail_unread_bytes", "", octets);
    }

    fn wait_for(&self, name: &str, more: &str, value: u64) {
        wait_until(&format!("{name}{more} is {value}"), || (self.metric(name, more) == value).then_some(()));
    }

    /// How often records came to be this so far.
    pub fn records(&self, result: &str) -> u64 {
        self.metric("radhook_detail_records_total", &format!(",result=\"{result}\""))
    }

    /// How often something was odd about a file so far.
    pub fn files(&self, result: &str) -> u64 {
        self.metric("radhook_detail_files_total", &format!(",result=\"{result}\""))
    }

    fn metric(&self, name: &str, more: &str) -> u64 {
        let line = format!("{name}{{source=\"{}\"{more}}} ", self.options.name);
        METRICS.render().lines().find_map(|other| other.strip_prefix(&line)?.parse().ok()).unwrap_or(0)
    }

    /// What stands in its quarantine.
    pub fn quarantine(&self) -> String {
        let entries = std::fs::read_dir(&self.options.quarantine).into_iter().flatten();
        let paths: HashSet<PathBuf> = entries.map(|entry| entry.expect("it lists").path()).collect();
        paths.iter().map(|path| std::fs::read_to_string(path).expect("it reads")).collect()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.stop();
    }
}

fn inlet(submissions: Sender<Submission>) -> Inlet {
    Inlet {
        clients: Arc::new(Clients::new(Vec::new())),
        dictionary: Dictionary::shipped(),
        submissions,
        readiness: Readiness::new(),
    }
}

/// The sessions that exchanges are about.
pub fn sessions(exchanges: &[Exchange]) -> Vec<String> {
    let session = |exchange: &Exchange| exchange.request.get(numbers::ACCT_SESSION_ID)?.text().map(str::to_owned);
    exchanges.iter().map(|exchange| session(exchange).unwrap_or_default()).collect()
}
