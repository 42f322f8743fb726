//! The `radhook` binary: everything it does stands in the library.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// What one thread asks for another gives back here, all day: the writer what a checkpoint has moved, and the sources what the writer has
/// planned. glibc's allocator keeps several times as much for that, and takes longer the more there is.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    radhook::cli::main()
}
