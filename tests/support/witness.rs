//! The verifying receiver of `lab/`, inside the test, with a memory that outlives its outages.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use radhook::deliver::options::SignatureOptions;
use radhook::deliver::sign::Signer;
use radhook::lab::receiver::{Answered, Behaviour, Novelty, Received, Receiver, ReceiverOptions, Verdict};
use radhook::secret::Secret;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::own_loopback;
use super::schema::assert_native_body;
use super::traffic::Fact;
use super::verbs::wait_until;

/// What requests are signed with.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A receiver that can go away and come back on the same address.
pub struct Witness {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Received>>>,
    receiver: Option<Receiver>,
    runtime: Option<Runtime>,
}

impl Witness {
    /// Listens on an address that nobody else takes while it is away.
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime starts");
        let address = SocketAddr::from((own_loopback(), 0));
        let mut witness = Self { address, seen: Arc::default(), receiver: None, runtime: Some(runtime) };
        witness.up();
        witness
    }

    /// Where to deliver to.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Stops listening and closes every connection.
    pub fn down(&mut self) {
        self.receiver = None;
        let address = self.address;
        // Aborting its task closes the listener a moment later.
        wait_until("nobody listens any more", || std::net::TcpStream::connect(address).err());
    }

    /// Listens again.
    pub fn up(&mut self) {
        let secrets = vec![Secret::new(SECRET).into()];
        let signer = Signer::new(&SignatureOptions::Standard { secrets }).expect("the secret is one");
        let tolerance = Some(Duration::from_secs(300));
        let options = ReceiverOptions { listen: self.address, signer: Some(signer), tolerance };
        let seen = Arc::clone(&self.seen);
        let report = move |received: &Received| seen.lock().expect("nobody panics with it").push(received.clone());
        let runtime = self.runtime.as_ref().expect("it is there until the end");
        let receiver = runtime.block_on(Receiver::start(options, report)).expect("the address is our own");
        self.address = receiver.address();
        self.receiver = Some(receiver);
    }

    /// Changes what it does from the next request on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.receiver.as_ref().expect("only who listens can behave").behave(behaviour);
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Received> {
        self.seen.lock().expect("nobody panics with it").clone()
    }

    /// How many requests came so far.
    pub fn requests(&self) -> usize {
        self.seen.lock().expect("nobody panics with it").len()
    }

    /// Events taken, in order, repeats included.
    pub fn taken(&self) -> Vec<Taken> {
        self.seen().iter().filter(|received| is_taken(received)).map(Taken::read).collect()
    }

    /// Fails unless every request was believed, no event broke its session's order, and none was sent under way of another.
    pub fn assert_believed_and_in_order(&self) {
        let mut furthest: HashMap<String, (u8, u64)> = HashMap::new();
        let mut known = BTreeSet::new();
        for received in self.seen() {
            assert_eq!(received.verdict, Verdict::Verified);
            assert_eq!(received.disorder, None, "{:?}", received.facts);
            if !is_taken(&received) {
                continue;
            }
            let taken = Taken::read(&received);
            if !known.insert(taken.id.clone()) {
                continue;
            }
            let stage =
                (["session.start", "session.update", "session.stop"].iter().position(|kind| *kind == taken.kind))
                    .map(|rank| (rank as u8, taken.seconds()));
            if let Some(stage) = stage {
                let before = furthest.insert(taken.session(), stage);
                assert!(before.is_none_or(|before| before < stage), "{stage:?} after {before:?}: {}", taken.body);
            }
        }
    }

    /// Fails unless every event was taken exactly once.
    pub fn assert_no_repeats(&self) {
        for received in self.seen() {
            assert_ne!(received.novelty, Novelty::Repeat, "{:?}", received.facts);
        }
        let taken = self.taken();
        let ids: BTreeSet<&str> = taken.iter().map(|taken| taken.id.as_str()).collect();
        assert_eq!(ids.len(), taken.len(), "an event was taken twice");
    }

    /// The ids under which each fact was taken. Fails when one id stands for two facts.
    pub fn ids_by_fact(&self) -> BTreeMap<Fact, BTreeSet<String>> {
        let mut ids: BTreeMap<Fact, BTreeSet<String>> = BTreeMap::new();
        let mut facts: HashMap<String, Fact> = HashMap::new();
        for taken in self.taken() {
            let fact = taken.fact();
            let first = facts.entry(taken.id.clone()).or_insert_with(|| fact.clone());
            assert_eq!(*first, fact, "one id for two facts");
            ids.entry(fact).or_default().insert(taken.id);
        }
        ids
    }

    /// Fails unless each of these facts was taken, under one id.
    pub fn assert_took(&self, facts: &[Fact]) {
        let ids = self.ids_by_fact();
        let missing: Vec<&Fact> = facts.iter().filter(|fact| !ids.contains_key(fact)).collect();
        let some = &missing[..missing.len().min(5)];
        assert!(missing.is_empty(), "{} acknowledged facts were never delivered: {some:?}", missing.len());
        for (fact, ids) in ids {
            assert_eq!(ids.len(), 1, "{fact:?} has the ids {ids:?}");
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.receiver = None;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// An event that was taken.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Its `webhook-id`.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// The event as it came.
    pub body: Value,
}

impl Taken {
    fn read(received: &Received) -> Self {
        let body: Value = serde_json::from_slice(&received.body).expect("an event is JSON");
        let id = received.facts.id.clone().expect("every request has its id");
        assert_eq!(body["id"], *id, "the header says what the body says");
        assert_native_body(&received.body);
        Self { id, kind: body["type"].as_str().expect("every event has its type").to_owned(), body }
    }

    /// Its session's Acct-Session-Id.
    pub fn session(&self) -> String {
        self.body["data"]["session"]["id"].as_str().unwrap_or_default().to_owned()
    }

    fn seconds(&self) -> u64 {
        self.body["data"]["session"]["duration"].as_u64().unwrap_or(0)
    }

    /// The fact it tells.
    pub fn fact(&self) -> Fact {
        const KINDS: [&str; 5] = ["session.start", "session.update", "session.stop", "nas.on", "nas.off"];
        let kind = KINDS.into_iter().find(|kind| *kind == self.kind).expect("an event of this version");
        Fact { session: self.session(), kind, seconds: self.seconds() }
    }
}

fn is_taken(received: &Received) -> bool {
    matches!(received.answered, Answered::Status(status) if status.is_success())
}
