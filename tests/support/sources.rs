//! What others test with: Debian's source packages of tcpdump and FreeRADIUS, which `tests/run --prepare` unpacks into
//! cargo's target directory. Nothing of them is part of this repository.

use std::path::{Path, PathBuf};

/// A folder of a source package. Fails the test where it is not there.
pub fn source(package: &str, folder: &str) -> PathBuf {
    // The binary stands in target/debug/ or wherever CARGO_TARGET_DIR says.
    let target = Path::new(env!("CARGO_BIN_EXE_radhook")).ancestors().nth(2).expect("it is built into a directory");
    let path = target.join("test-sources").join(package).join(folder);
    assert!(path.is_dir(), "{} is not there; `tests/run --prepare` brings {package}'s source package", path.display());
    path
}
