//! What the figures were measured on.

use std::fs;
use std::path::Path;
use std::process::Command;

/// One sentence of processor, memory, kernel, system, file system and FreeRADIUS's version; what is not known is left out.
pub fn sentence() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches(['\t', ' ', ':']).to_owned();
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let meminfo = read("/proc/meminfo");
    let memory = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or_default();
    let gib = memory.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / f64::from(1 << 20);
    let release = read("/etc/os-release");
    let system = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let parts = [
        format!("{model}, {cores} cores"),
        format!("{gib:.0} GiB of memory"),
        format!("Linux {}", kernel.trim()),
        system.trim_matches('"').to_owned(),
        file_system(Path::new(env!("CARGO_TARGET_TMPDIR"))),
        freeradius(),
    ];
    let known: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("Measured on: {}. Load, receiver and what is measured share the cores.", known.join("; "))
}

/// The kind of file system a directory is on, by the longest mount point above it.
fn file_system(directory: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let above = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (point, kind) = (words.next()?, words.next()?);
        directory.starts_with(point).then_some((point.len(), kind))
    });
    above.max_by_key(|(length, _)| *length).map_or_else(String::new, |(_, kind)| format!("data on {kind}"))
}

fn freeradius() -> String {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin";
    let Ok(output) = Command::new("freeradius").arg("-v").env("PATH", path).output() else { return String::new() };
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.split_once("Version ").and_then(|(_, after)| after.split([',', ' ', '\n']).next());
    version.map_or_else(String::new, |version| format!("FreeRADIUS {version}"))
}
