//! Where FreeRADIUS is on this host: its directory, its program.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{anyhow, bail};
use clap::ValueEnum;

/// How packages lay FreeRADIUS out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// Debian, Ubuntu: /etc/freeradius/3.0
    Debian,
    /// RHEL, Rocky, Alma: /etc/raddb
    Rhel,
}

/// FreeRADIUS's main file, by which its directory is known.
pub const MAIN_FILE: &str = "radiusd.conf";

/// Where only root's PATH looks.
const ADMIN_PATH: &str = "/usr/local/sbin:/usr/sbin:/sbin";

/// Which FreeRADIUS is meant.
#[derive(Debug, Clone, clap::Args)]
pub struct PlaceArgs {
    /// FreeRADIUS's directory as its package lays it out [default: the one that is there]
    #[arg(long, value_enum)]
    layout: Option<Layout>,
    /// FreeRADIUS's directory, wherever it is
    #[arg(long, value_name = "DIR", conflicts_with = "layout")]
    dir: Option<PathBuf>,
}

impl Layout {
    const ALL: [Self; 2] = [Self::Debian, Self::Rhel];

    fn directory(self) -> &'static Path {
        Path::new(match self {
            Self::Debian => "/etc/freeradius/3.0",
            Self::Rhel => "/etc/raddb",
        })
    }
}

impl PlaceArgs {
    /// The directory, which holds a FreeRADIUS's configuration.
    pub fn directory(&self) -> anyhow::Result<PathBuf> {
        let wanted = match (&self.dir, self.layout) {
            (Some(dir), _) => vec![dir.clone()],
            (None, Some(layout)) => vec![layout.directory().to_owned()],
            (None, None) => Layout::ALL.map(|layout| layout.directory().to_owned()).to_vec(),
        };
        match wanted.iter().find(|dir| dir.join(MAIN_FILE).exists()) {
            Some(dir) => Ok(dir.clone()),
            None => {
                let tried: Vec<String> = wanted.iter().map(|dir| dir.display().to_string()).collect();
                bail!("there is no {MAIN_FILE} in {}: name FreeRADIUS's directory by --dir", tried.join(" or "))
            }
        }
    }

    /// The directory to write into texts: also where no FreeRADIUS is, so that it can be set up from elsewhere.
    pub fn nominal(&self) -> PathBuf {
        self.directory().unwrap_or_else(|_| match (&self.dir, self.layout) {
            (Some(dir), _) => dir.clone(),
            (None, layout) => layout.unwrap_or(Layout::Debian).directory().to_owned(),
        })
    }
}

/// FreeRADIUS's program, which Debian and RHEL call differently.
pub fn program() -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default() + ":" + ADMIN_PATH;
    let found = |name: &str| path.split(':').map(|dir| Path::new(dir).join(name)).find(|file| file.is_file());
    ["freeradius", "radiusd"].into_iter().find_map(found)
}

/// Has FreeRADIUS read its configuration; what it complains of, if it does.
pub fn judge(program: &Path, directory: &Path) -> anyhow::Result<Result<(), String>> {
    let output = Command::new(program).arg("-XC").arg("-d").arg(directory).output();
    let output = output.map_err(|error| anyhow!("{} does not start: {error}", program.display()))?;
    if output.status.success() {
        return Ok(Ok(()));
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Ok(Err(complaint(&lines)))
}

/// The lines at the end, where FreeRADIUS says what is wrong.
fn complaint(lines: &[&str]) -> String {
    /// An error and the two lines in which its callers repeat it.
    const LINES: usize = 4;
    lines[lines.len().saturating_sub(LINES)..].join("; ")
}
