//! Where dictionary files come from: built in, or from disk.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::error::Problem;

/// The most a dictionary file may hold. The largest that FreeRADIUS ships has 200 KiB.
const MAX_FILE_OCTETS: u64 = 16 << 20;

macro_rules! shipped {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../dictionaries/", $name)))),*]
    };
}

/// The files under `dictionaries/`.
const SHIPPED: &[(&str, &str)] = shipped! {
    "dictionary"
    "dictionary.3com"
    "dictionary.3gpp"
    "dictionary.3gpp2"
    "dictionary.aerohive"
    "dictionary.airespace"
    "dictionary.alcatel"
    "dictionary.alcatel-lucent.aaa"
    "dictionary.alcatel.esam"
    "dictionary.alcatel.sr"
    "dictionary.altiga"
    "dictionary.arista"
    "dictionary.aruba"
    "dictionary.ascend"
    "dictionary.ascend.illegal"
    "dictionary.brocade"
    "dictionary.cabletron"
    "dictionary.cambium"
    "dictionary.checkpoint"
    "dictionary.chillispot"
    "dictionary.cisco"
    "dictionary.cisco.asa"
    "dictionary.cisco.bbsm"
    "dictionary.cisco.vpn3000"
    "dictionary.citrix"
    "dictionary.colubris"
    "dictionary.compat"
    "dictionary.dellemc"
    "dictionary.dlink"
    "dictionary.ericsson"
    "dictionary.ericsson.ab"
    "dictionary.ericsson.packet.core.networks"
    "dictionary.erx"
    "dictionary.extreme"
    "dictionary.f5"
    "dictionary.fortinet"
    "dictionary.foundry"
    "dictionary.freeradius"
    "dictionary.freeradius.evs5"
    "dictionary.freeradius.internal"
    "dictionary.h3c"
    "dictionary.hp"
    "dictionary.huawei"
    "dictionary.iana"
    "dictionary.juniper"
    "dictionary.lucent"
    "dictionary.meraki"
    "dictionary.meru"
    "dictionary.microsoft"
    "dictionary.mikrotik"
    "dictionary.mimosa"
    "dictionary.motorola"
    "dictionary.motorola.wimax"
    "dictionary.netscreen"
    "dictionary.nokia"
    "dictionary.nomadix"
    "dictionary.paloalto"
    "dictionary.pfsense"
    "dictionary.radhook"
    "dictionary.rfc2865"
    "dictionary.rfc2866"
    "dictionary.rfc2867"
    "dictionary.rfc2868"
    "dictionary.rfc2869"
    "dictionary.rfc3162"
    "dictionary.rfc3576"
    "dictionary.rfc3580"
    "dictionary.rfc4072"
    "dictionary.rfc4372"
    "dictionary.rfc4603"
    "dictionary.rfc4675"
    "dictionary.rfc4679"
    "dictionary.rfc4818"
    "dictionary.rfc4849"
    "dictionary.rfc5090"
    "dictionary.rfc5176"
    "dictionary.rfc5447"
    "dictionary.rfc5580"
    "dictionary.rfc5607"
    "dictionary.rfc5904"
    "dictionary.rfc6519"
    "dictionary.rfc6572"
    "dictionary.rfc6677"
    "dictionary.rfc6911"
    "dictionary.rfc6929"
    "dictionary.rfc6930"
    "dictionary.rfc7055"
    "dictionary.rfc7155"
    "dictionary.rfc7268"
    "dictionary.rfc7499"
    "dictionary.rfc7930"
    "dictionary.rfc8045"
    "dictionary.rfc8559"
    "dictionary.ruckus"
    "dictionary.siemens"
    "dictionary.sonicwall"
    "dictionary.starent"
    "dictionary.symbol"
    "dictionary.telrad"
    "dictionary.tplink"
    "dictionary.trapeze"
    "dictionary.usr"
    "dictionary.usr.illegal"
    "dictionary.vendor-values"
    "dictionary.wifialliance"
    "dictionary.wimax"
    "dictionary.wispr"
    "dictionary.xylan"
    "dictionary.zte"
    "dictionary.zyxel"
};

/// A file that has been read.
pub(super) struct Source {
    /// What tells it apart from other files.
    pub path: PathBuf,
    /// Its text. Octets that are not UTF-8 (in comments of old files) are replaced.
    pub text: String,
}

/// Where `$INCLUDE` looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Library {
    /// Among the built-in files.
    Shipped,
    /// On disk, relative to the file that includes.
    Disk,
}

impl Library {
    /// Reads a file, named from another one or by itself. `None` if there is no such file.
    pub fn open(self, from: Option<&Path>, name: &str) -> Result<Option<Source>, Problem> {
        match self {
            Self::Shipped => Ok(SHIPPED
                .iter()
                .find(|(shipped, _)| *shipped == name)
                .map(|(_, text)| Source { path: PathBuf::from(name), text: (*text).to_string() })),
            Self::Disk => match from.and_then(Path::parent) {
                Some(directory) => read(&directory.join(name)),
                None => read(Path::new(name)),
            },
        }
    }
}

fn read(path: &Path) -> Result<Option<Source>, Problem> {
    let unreadable =
        |error: std::io::Error| Problem::Unreadable { path: path.display().to_string(), reason: error.to_string() };
    let path = match path.canonicalize() {
        Ok(path) => path,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut file = std::fs::File::open(&path).map_err(unreadable)?;
    let mut octets = Vec::new();
    file.by_ref().take(MAX_FILE_OCTETS + 1).read_to_end(&mut octets).map_err(unreadable)?;
    let actual = octets.len() as u64;
    if actual > MAX_FILE_OCTETS {
        return Err(Problem::FileTooLarge { actual, limit: MAX_FILE_OCTETS });
    }
    let text = String::from_utf8(octets).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    Ok(Some(Source { path, text }))
}
