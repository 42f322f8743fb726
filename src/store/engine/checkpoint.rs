//! Checkpoints: the overlay moved into the table, then the journal trimmed; and the next segment made ahead of need.

use std::io;

use super::{Engine, RESERVE, lock, write};
use crate::store::StoreError;
use crate::store::journal::Preparation;
use crate::store::segment::Position;

impl Engine {
    /// Moves what the view holds into the table, and trims the journal. Answers whether there was anything to do.
    ///
    /// # Errors
    /// What the table answers, or [`StoreError::Io`] when there is too little free space for it. Nothing is lost, and
    /// the next call tries again.
    pub fn checkpoint(&self) -> Result<bool, StoreError> {
        let mut checkpointed = lock(&self.checkpoint);
        self.have_table(checkpointed.position)?;
        let values = self.view().size().values;
        let needed = RESERVE + 4 * values;
        let free = self.setup.fs.free_space(&self.setup.dir).map_err(StoreError::io("measuring", &self.setup.dir))?;
        if free < needed && values > 0 {
            self.trim(checkpointed.position, 0);
            let free =
                self.setup.fs.free_space(&self.setup.dir).map_err(StoreError::io("measuring", &self.setup.dir))?;
            if free < needed {
                return Err(StoreError::Io {
                    doing: format!("a checkpoint needs {needed} bytes of free space, and {free} are there"),
                    source: io::ErrorKind::StorageFull.into(),
                });
            }
        }
        let Some(frozen) = self.view_mut().freeze() else { return Ok(false) };
        let taken = match self.table().as_ref() {
            Some(table) => table.checkpoint(&frozen.changes, frozen.position),
            None => return Ok(false),
        };
        if let Err(error) = taken {
            // After an error sled answers every call with it; dropped and opened again, it may work.
            drop(write(&self.table).take());
            return Err(error);
        }
        let size = {
            let mut view = self.view_mut();
            view.thawed();
            view.size()
        };
        checkpointed.position = frozen.position;
        self.measure(size);
        self.trim(frozen.position, self.setup.journal_keep);
        Ok(true)
    }

    /// Opens the table again when it was dropped after a failure.
    fn have_table(&self, position: Position) -> Result<(), StoreError> {
        if self.table().is_some() {
            return Ok(());
        }
        let table = (self.setup.open_table)(crate::store::sled::Trust::Reopen)?;
        let found = table.position().sequence;
        if found < position.sequence {
            return Err(StoreError::Table {
                path: self.setup.dir.with_file_name("sled"),
                what: format!("opened again, it reaches to batch {found} and not to {}", position.sequence),
            });
        }
        *write(&self.table) = Some(table);
        Ok(())
    }

    /// Drops the trimmed segments there is no room for, or makes one of them the next segment. What cannot be removed
    /// is tried again when the store is opened the next time.
    fn trim(&self, checkpoint: Position, keep: u64) {
        let table_bytes = self.table().as_ref().map_or(0, |table| table.disk_bytes());
        let mut journal = lock(&self.journal);
        let live = journal.disk_bytes() - journal.retained(checkpoint);
        let room = self.setup.max_size.saturating_sub(live + table_bytes);
        let mut gone = journal.trim(checkpoint, keep.min(room));
        let recycling = journal.recycling(&mut gone);
        let removals: Vec<_> = gone.into_iter().map(|trimmed| journal.removal(trimmed)).collect();
        if let Err(error) = journal.cut_sealed() {
            tracing::warn!(%error, "a sealed journal segment keeps more room than it needs");
        }
        drop(journal);
        for removal in removals {
            if let Err(error) = removal() {
                tracing::warn!(%error, "a trimmed journal segment could not be removed");
            }
        }
        self.run(recycling);
    }

    /// Prepares the next segment when there is none, and room enough.
    pub fn prepare(&self) {
        let room = self.setup.fs.free_space(&self.setup.dir).unwrap_or(0);
        if room > RESERVE + 2 * self.setup.segment_size {
            let preparation = lock(&self.journal).preparation();
            self.run(preparation);
        }
    }

    fn run(&self, preparation: Option<Preparation>) {
        match preparation.map(Preparation::run) {
            None => {}
            Some(Ok(file)) => lock(&self.journal).prepared(file),
            Some(Err(error)) => tracing::warn!(%error, "the next journal segment will be made when it is needed"),
        }
    }
}
