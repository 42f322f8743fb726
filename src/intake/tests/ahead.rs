//! One batch is planned while another is being written: what holds when that is stored, and when it is not.

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::*;

/// Asks before each durable commit whether it may be.
struct Gate {
    store: MemoryStore,
    asks: Sender<()>,
    verdicts: Receiver<bool>,
}

impl Store for Gate {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.store.get(key)
    }
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Key, Bytes)>, StoreError> {
        self.store.range(from, to, limit)
    }
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        if durability == Durability::Durable {
            self.asks.send(()).unwrap();
            if !self.verdicts.recv().unwrap() {
                return Err(StoreError::Full { used: 2, limit: 1 });
            }
        }
        self.store.commit(batch, durability)
    }
}

/// Submits as many exchanges as one batch takes and, while that is being written, one of them once more and another. The large
/// batch meets this fate, the other is stored. Returns who was acknowledged, and how many events there are of the one.
fn planned_meanwhile(is_stored: bool) -> (Vec<Stored>, usize, Tally) {
    let ((asks, asked), (decide, verdicts)) = (unbounded(), unbounded());
    let gate = Arc::new(Gate { store: MemoryStore::default(), asks, verdicts });
    let table: Arc<dyn Store> = gate.clone();
    decide.send(true).unwrap();
    let crm = route("crm", &["*"]);
    let planner = Planner::new("node".into(), vec![crm.clone()], &*table).unwrap();
    let (ends, _ended) = oneshot::channel();
    let (intake, thread) = start(Arc::clone(&table), planner, options(100_000), ends).unwrap();
    asked.recv().unwrap();
    crm.bell.offer(10);
    let (tell, told) = unbounded();
    let submit = |exchanges: Vec<Exchange>| {
        let tell = tell.clone();
        intake.submissions.send(Submission::of(exchanges, move |stored| tell.send(stored).unwrap())).unwrap();
    };
    let many = (0..EXCHANGES_AT_ONCE).map(|n| packet(START, &n.to_string(), 0)).collect();
    // Something is being written while the others arrive, so that they are found together.
    submit(vec![packet(START, "first", 0)]);
    asked.recv().unwrap();
    submit(many);
    submit(vec![packet(START, "7", 0), packet(START, "another", 0)]);
    decide.send(true).unwrap();
    asked.recv().unwrap();
    // Once the writer has taken it, it is planned on what is under way, whatever comes of that meanwhile.
    while !intake.submissions.is_empty() {
        thread::yield_now();
    }
    decide.send(is_stored).unwrap();
    asked.recv().unwrap();
    decide.send(true).unwrap();
    let acknowledged = told.iter().take(3).collect();
    intake.commands.send(Command::Stop).unwrap();
    thread.join().unwrap();
    assert!(!crm.bell.is_claimed(), "what was claimed is rung or let go");
    let of_seven = table.range(b"E", b"F", 10_000).unwrap();
    let of_seven = of_seven.iter().filter(|(key, bytes)| {
        let event = EventRecord::decode(key, bytes).unwrap();
        serde_json::from_slice::<serde_json::Value>(&event.json).unwrap()["data"]["session"]["id"] == "7"
    });
    (acknowledged, of_seven.count(), tally(&*table, "crm"))
}

#[test]
fn what_is_planned_while_another_batch_is_written_knows_what_that_tells() {
    let (acknowledged, of_seven, tally) = planned_meanwhile(true);
    assert_eq!(acknowledged, [Stored::Yes; 3]);
    let received = EXCHANGES_AT_ONCE as u64 + 2;
    assert_eq!((of_seven, tally), (1, Tally { received, pending: received, ..Tally::default() }));
}

#[test]
fn what_was_planned_on_a_batch_that_is_not_stored_is_planned_anew() {
    let (acknowledged, of_seven, tally) = planned_meanwhile(false);
    assert_eq!(acknowledged, [Stored::Yes, Stored::No, Stored::Yes]);
    assert_eq!((of_seven, tally), (1, Tally { received: 3, pending: 3, ..Tally::default() }), "it is no repeat");
}
