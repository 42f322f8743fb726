//! What a process has used so far, by proc(5).

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What the system counts blocks of files in (stat(2)).
const BLOCK: u64 = 512;

/// What the system counts CPU time in, a second (`sysconf(_SC_CLK_TCK)`; 100 on every Linux there is).
const TICKS: f64 = 100.0;

/// CPU seconds of all its threads, user and kernel (`/proc/PID/stat`, fields 14 and 15).
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let after_name = stat.rsplit_once(')').expect("a name in brackets").1;
    let ticks = after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("a number"));
    ticks.sum::<f64>() / TICKS
}

/// The same to the nanosecond, by `/proc/PID/task/*/schedstat`, of the threads that are there now: for a process that does next to
/// nothing, and starts and ends no threads meanwhile.
pub fn cpu_seconds_fine(pid: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").flatten();
    let spent = |thread: fs::DirEntry| {
        let schedstat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        schedstat.split(' ').next()?.parse::<f64>().ok()
    };
    threads.filter_map(spent).sum::<f64>() / 1e9
}

/// Resident memory in MiB: now, and at most so far.
pub fn memory_mib(pid: u32) -> (f64, f64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let of = |what: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(what)).expect("a process has memory");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
    };
    (of("VmRSS:"), of("VmHWM:"))
}

/// What a directory and all beneath it take, in bytes.
pub fn on_disk(path: &Path) -> u64 {
    let Ok(metadata) = fs::symlink_metadata(path) else { return 0 };
    let beneath = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| on_disk(&entry.path()));
    metadata.blocks() * BLOCK + beneath.sum::<u64>()
}

/// Waits until what others have written is on the disk: a detail file that was written before is no business of the next one's
/// fdatasync.
pub fn settle() {
    rustix::fs::sync();
}
