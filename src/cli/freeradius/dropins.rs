//! What radhook puts into FreeRADIUS: files of its own, and lines in the operator's. The texts stand in
//! `packaging/freeradius/`; words between at signs are filled in here.

use std::net::{IpAddr, SocketAddr};

use super::marks::{self, Block, Edited};
use super::sections::{self, Section, Unbalanced, line_of};
use crate::secret::Secret;

const HOME_SERVER: &str = include_str!("../../../packaging/freeradius/home-server");
const MARKERS: &str = include_str!("../../../packaging/freeradius/markers");
const SPOOL_MODULE: &str = include_str!("../../../packaging/freeradius/spool.module");
const SPOOL_POLICY: &str = include_str!("../../../packaging/freeradius/spool.policy");
const SPOOL_SITE: &str = include_str!("../../../packaging/freeradius/spool.site");
const PROXY_POLICY: &str = include_str!("../../../packaging/freeradius/proxy.policy");
const REST_MODULE: &str = include_str!("../../../packaging/freeradius/rest.module");
const REST_POLICY: &str = include_str!("../../../packaging/freeradius/rest.policy");
/// The attributes that mark copies of logins.
pub const DICTIONARY: &str = include_str!("../../../dictionaries/dictionary.radhook");

/// Where radhook's own files stand, beneath FreeRADIUS's directory.
pub const OWN_FILES: [&str; 4] =
    ["mods-enabled/radhook", "policy.d/radhook", "sites-enabled/radhook", "dictionary.radhook"];

/// The operator's dictionary, which includes radhook's.
pub const DICTIONARY_FILE: &str = "dictionary";

/// How what FreeRADIUS knows gets to radhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// Accounting and logins through a spool: FreeRADIUS answers at once, and nothing is lost while radhook is down
    Spool,
    /// Accounting only, in line: FreeRADIUS answers when radhook has stored the record
    Proxy,
    /// Accounting and logins posted by rlm_rest, in line
    Rest,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Spool, Self::Proxy, Self::Rest];

    /// Whether it tells of logins.
    pub fn has_logins(self) -> bool {
        self != Self::Proxy
    }
}

/// Where radhook is to be found by FreeRADIUS.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its accounting source.
    pub home: SocketAddr,
    /// The secret that both share; printable, and without what FreeRADIUS would expand or end a string at.
    pub secret: Secret,
    /// Its local source over TCP, which rlm_rest posts to.
    pub rest: Option<SocketAddr>,
}

/// A file of radhook's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// One of [`OWN_FILES`].
    pub path: &'static str,
    /// Its whole text; it has the mark of [`marks::file`].
    pub text: String,
}

/// radhook's own files for a way. `Rest` needs [`Target::rest`].
pub fn own_files(way: Way, target: &Target) -> Vec<Own> {
    let home = home_server(target);
    let [module, policy, site, dictionary] = OWN_FILES;
    let texts = match way {
        Way::Spool => vec![
            (module, SPOOL_MODULE.to_owned()),
            (policy, SPOOL_POLICY.replace("@markers@", MARKERS)),
            (site, format!("{home}\n{SPOOL_SITE}")),
            (dictionary, DICTIONARY.to_owned()),
        ],
        Way::Proxy => vec![(policy, PROXY_POLICY.to_owned()), (site, home)],
        Way::Rest => vec![(module, rest_module(target)), (policy, REST_POLICY.to_owned())],
    };
    texts.into_iter().map(|(path, text)| Own { path, text: marks::file(&text) }).collect()
}

/// radhook as a home server, with pool and realm.
pub fn home_server(target: &Target) -> String {
    let address = target.home.ip();
    // From loopback to loopback, so that FreeRADIUS opens no port for answers to the world.
    let from = if address.is_loopback() { format!("\tsrc_ipaddr = {address}\n") } else { String::new() };
    HOME_SERVER
        .replace("@family@", if address.is_ipv4() { "ipaddr" } else { "ipv6addr" })
        .replace("@address@", &address.to_string())
        .replace("@port@", &target.home.port().to_string())
        .replace("@from@", &from)
        .replace("@secret@", &String::from_utf8_lossy(target.secret.expose()))
}

fn rest_module(target: &Target) -> String {
    let address = target.rest.unwrap_or(SocketAddr::new(IpAddr::from([127, 0, 0, 1]), 0));
    REST_MODULE.replace("@rest@", &address.to_string())
}

/// Why a file of the operator's cannot be edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// radhook's own lines in it were edited.
    #[error(transparent)]
    Edited(#[from] Edited),
    /// Its sections cannot be told.
    #[error(transparent)]
    Unbalanced(#[from] Unbalanced),
    /// There is nothing to hook into.
    #[error("there is no `accounting` and no `post-auth` section in any `server` of it; name the right one by --site")]
    NoSection,
    /// Lines cannot be put in.
    #[error("line {line}: the brace that {what} `{section}` must stand {place}; move what stands beside it")]
    Crowded {
        /// The brace's line.
        line: usize,
        /// Opens or closes.
        what: &'static str,
        /// The section's words.
        section: String,
        /// Where it must stand.
        place: &'static str,
    },
}

/// A site with its calls of radhook's policies: the record first in `accounting`, so that a fault elsewhere does not keep
/// it from radhook; the login last in `post-auth` and its parts, when the reply is what the NAS will get.
pub fn hook_site(text: &[u8], way: Way) -> Result<Vec<u8>, HookError> {
    let text = marks::strip(text)?;
    let whole = sections::parse(&text)?;
    let mut blocks = Vec::new();
    for server in whole.sections.iter().filter(|section| section.words.first().is_some_and(|word| word == "server")) {
        if let Some(accounting) = server.section(&["accounting"]) {
            blocks.push(first_in(&text, accounting, "radhook_accounting\n")?);
        }
        if let Some(post_auth) = server.section(&["post-auth"]).filter(|_| way.has_logins()) {
            let mut last = String::new();
            for kind in ["REJECT", "Challenge"] {
                match post_auth.section(&["Post-Auth-Type", kind]) {
                    Some(section) => blocks.push(last_in(&text, section, "radhook_login\n".to_owned())?),
                    None => last += &format!("Post-Auth-Type {kind} {{\n\tradhook_login\n}}\n"),
                }
            }
            blocks.push(last_in(&text, post_auth, last + "radhook_login\n")?);
        }
    }
    if blocks.is_empty() {
        return Err(HookError::NoSection);
    }
    Ok(marks::insert(&text, blocks))
}

/// The operator's dictionary with or without radhook's.
pub fn hook_dictionary(text: &[u8], way: Way) -> Result<Vec<u8>, HookError> {
    let text = marks::strip(text)?;
    // Only the spool marks its copies; rlm_rest posts what it has to say beside them.
    if way != Way::Spool {
        return Ok(text);
    }
    let include = Block { at: 0, indent: String::new(), lines: "$INCLUDE dictionary.radhook\n".to_owned() };
    Ok(marks::insert(&text, vec![include]))
}

/// Lines behind the line of a section's opening brace.
fn first_in(text: &[u8], section: &Section, lines: &str) -> Result<Block, HookError> {
    let behind = section.open + 1;
    let end = text[behind..].iter().position(|octet| *octet == b'\n').map(|found| behind + found + 1);
    let rest = text[behind..end.unwrap_or(text.len())].trim_ascii();
    match end {
        Some(at) if rest.is_empty() || rest.starts_with(b"#") => {
            Ok(Block { at, indent: indent_of(text, section.open) + "\t", lines: lines.to_owned() })
        }
        _ => Err(crowded(text, section.open, section, "opens", "last on its line")),
    }
}

/// Lines before the line of a section's closing brace.
fn last_in(text: &[u8], section: &Section, lines: String) -> Result<Block, HookError> {
    let at = line_start(text, section.close);
    if !text[at..section.close].trim_ascii().is_empty() {
        return Err(crowded(text, section.close, section, "closes", "first on its line"));
    }
    Ok(Block { at, indent: indent_of(text, section.close) + "\t", lines })
}

fn crowded(text: &[u8], at: usize, section: &Section, what: &'static str, place: &'static str) -> HookError {
    HookError::Crowded { line: line_of(text, at), what, section: section.words.join(" "), place }
}

fn line_start(text: &[u8], at: usize) -> usize {
    text[..at].iter().rposition(|octet| *octet == b'\n').map_or(0, |found| found + 1)
}

fn indent_of(text: &[u8], at: usize) -> String {
    text[line_start(text, at)..]
        .iter()
        .take_while(|octet| matches!(octet, b' ' | b'\t'))
        .map(|octet| char::from(*octet))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "server default {\nlisten {\n\ttype = auth\n}\naccounting {\n\tdetail\n}\npost-auth {\n\texec\n\tPost-Auth-Type REJECT {\n\t\teap\n\t}\n\tPost-Auth-Type Challenge {\n#\t\tinsert\n\t}\n\tif (x) {\n\t}\n}\n}\n";

    fn hooked(text: &str, way: Way) -> String {
        let hooked = String::from_utf8(hook_site(text.as_bytes(), way).unwrap()).unwrap();
        // Without the marks, which have tests of their own.
        hooked.lines().filter(|line| !line.contains("# radhook:")).map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn the_record_is_told_first_and_the_login_last() {
        let expected = SITE
            .replace("accounting {\n", "accounting {\n\tradhook_accounting\n")
            .replace("\t\teap\n", "\t\teap\n\t\tradhook_login\n")
            .replace("#\t\tinsert\n", "#\t\tinsert\n\t\tradhook_login\n")
            .replace("\t}\n}\n}\n", "\t}\n\tradhook_login\n}\n}\n");
        assert_eq!(hooked(SITE, Way::Spool), expected);
        assert_eq!(hooked(SITE, Way::Proxy), SITE.replace("accounting {\n", "accounting {\n\tradhook_accounting\n"));
    }

    #[test]
    fn a_site_without_parts_for_reject_and_challenge_gets_them() {
        let site = "server x {\n  post-auth {\n    exec\n  }\n}\n";
        let expected = "server x {\n  post-auth {\n    exec\n  \tPost-Auth-Type REJECT {\n  \t\tradhook_login\n  \t}\n  \tPost-Auth-Type Challenge {\n  \t\tradhook_login\n  \t}\n  \tradhook_login\n  }\n}\n";
        assert_eq!(hooked(site, Way::Spool), expected);
    }

    #[test]
    fn hooking_again_changes_nothing_and_another_way_takes_the_place_of_the_first() {
        let once = hook_site(SITE.as_bytes(), Way::Spool).unwrap();
        assert_eq!(hook_site(&once, Way::Spool).unwrap(), once);
        assert_eq!(hook_site(&once, Way::Proxy).unwrap(), hook_site(SITE.as_bytes(), Way::Proxy).unwrap());
        assert_eq!(marks::strip(&once).unwrap(), SITE.as_bytes());
    }

    #[test]
    fn a_site_that_cannot_be_hooked_is_refused_with_the_reason() {
        let refused = |text: &str| hook_site(text.as_bytes(), Way::Spool).unwrap_err().to_string();
        assert!(refused("server x {\n}\n").starts_with("there is no `accounting`"));
        assert!(refused("server x {\n").starts_with("line 1: this brace has no partner"));
        assert!(
            refused("server x {\n accounting { detail\n }\n}\n")
                .starts_with("line 2: the brace that opens `accounting` must stand last")
        );
        assert!(
            refused("server x {\n post-auth {\n exec }\n}\n")
                .starts_with("line 3: the brace that closes `post-auth` must stand first")
        );
    }

    #[test]
    fn every_word_between_at_signs_is_filled_in() {
        let target = Target {
            home: "[2001:db8::1]:1813".parse().unwrap(),
            secret: Secret::new("s3cret"),
            rest: Some("127.0.0.1:8464".parse().unwrap()),
        };
        for way in Way::ALL {
            for own in own_files(way, &target) {
                assert!(!own.text.contains('@'), "{}", own.text);
                assert!(OWN_FILES.contains(&own.path));
                assert_eq!(marks::is_intact(own.text.as_bytes()), Some(true));
                if own.path != "dictionary.radhook" {
                    sections::parse(own.text.as_bytes()).unwrap();
                }
            }
        }
        let home = home_server(&target);
        assert!(
            home.contains("ipv6addr = 2001:db8::1\n")
                && home.contains("secret = \"s3cret\"\n")
                && !home.contains("src_ipaddr")
        );
    }
}
