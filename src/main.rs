//! The `radhook` binary: everything it does stands in the library.
#![forbid(unsafe_code)]

use std::process::ExitCode;

/// What one thread asks for another gives back here, all day: the writer what a checkpoint has moved, and the sources what the writer has
/// planned. glibc's allocator keeps several times as much for that, and takes longer the more there is. So the names by which everything,
/// Rust and C, asks for memory are jemalloc's; naming one of them links it. (As Rust's global allocator it would take 22 MiB more at
/// rest: sled's histograms, which nothing is written into, would then be filled with zeros instead of asked for as such.)
#[used]
static ALLOCATOR: unsafe extern "C" fn(usize, usize) -> *mut std::ffi::c_void = tikv_jemalloc_sys::calloc;

fn main() -> ExitCode {
    radhook::cli::main()
}
