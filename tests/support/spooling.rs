//! A FreeRADIUS that tells all it knows by radhook's own spool policy, once for its own reader, which hands it on, and
//! once into files that stay.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::freeradius::NAS_SECRET;
use super::freeradius_auth::AuthOptions;

/// The directory under `radacct` of the files that stay.
pub const PLAIN: &str = "plain";

/// Logins and accounting go to the accounting port `home` under [`NAS_SECRET`], and into `radacct/plain/detail-*`.
///
/// As the default site does, it adds to what it copies: the address that it knows the NAS by and the time of accounting
/// that has none (`preprocess`), an id of its own for the session, the user without realm.
pub fn spooling(home: SocketAddr) -> AuthOptions {
    let beside = |text: &str, spooled: &str| {
        let both = text.replace(spooled, &format!("{}\n{spooled}", spooled.replace("detail_radhook", "detail_plain")));
        assert_ne!(both, text, "the policy spools by {spooled:?}");
        both
    };
    let module = shipped("spool.module");
    let plain = module.split_inclusive("\n}\n").next().expect("the first module is the spool's");
    let plain = plain.replace("detail detail_radhook", "detail detail_plain").replace("/radhook%", "/plain%");
    let policy = shipped("spool.policy").replace("@markers@", &shipped("markers"));
    let policy = beside(&policy, "\tdetail_radhook\n");
    let policy = beside(&policy, "\tdetail_radhook.accounting\n");
    let home_server = shipped("home-server")
        .replace("@family@", "ipaddr")
        .replace("@address@", &home.ip().to_string())
        .replace("@port@", &home.port().to_string())
        .replace("@secret@", NAS_SECRET)
        .replace("@from@", "\tsrc_ipaddr = 127.0.0.1\n");
    let added = |attributes: &str| format!("preprocess\n\t\tupdate request {{\n{attributes}\n\t\t}}");
    AuthOptions {
        dictionary: fs::read_to_string(repository("dictionaries/dictionary.radhook")).expect("it is there"),
        modules: format!("expr {{\n}}\npreprocess {{\n}}\n{module}\n{plain}"),
        servers: format!("policy {{\n{policy}\n}}\n{home_server}\n{}", shipped("spool.site")),
        authorize: added("&Stripped-User-Name := \"%{User-Name}\""),
        post_auth: "radhook_login".to_owned(),
        reject: "radhook_login".to_owned(),
        challenge: "radhook_login".to_owned(),
        preacct: added("&Stripped-User-Name := \"%{User-Name}\"\n&Acct-Unique-Session-Id := \"freeradius-s-own\""),
        accounting: "radhook_accounting".to_owned(),
        ..AuthOptions::default()
    }
}

/// A text of those that are put into FreeRADIUS.
fn shipped(name: &str) -> String {
    fs::read_to_string(repository("packaging/freeradius").join(name)).expect("the text is there")
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
