//! Whoever reads what a verb prints may stop early: `radhook events list | head -1`.

use std::panic::{self, PanicHookInfo};

use super::exit;

/// How `println!` says that nobody reads stdout any more.
const NOBODY_READS: &str = "failed printing to stdout: Broken pipe";

/// Makes an early end of stdout a quiet end of the process, wherever it is printing at that moment.
///
/// Not by the signal SIGPIPE, as other programs do: that would also end a verb, without a word, whose daemon closes a socket.
pub fn end_quietly() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if nobody_reads(panic) {
            std::process::exit(exit::DONE.into());
        }
        before(panic);
    }));
}

fn nobody_reads(panic: &PanicHookInfo<'_>) -> bool {
    panic.payload_as_str().is_some_and(|said| said.starts_with(NOBODY_READS))
}
