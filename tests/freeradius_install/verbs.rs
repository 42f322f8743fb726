//! install, check and undo.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::stock::Stock;
use crate::support::daemon::{Config, Daemon};
use crate::support::http_sink::HttpSink;
use crate::support::own_accounting_address;
use crate::support::verbs::{Ended, radhook};

/// What an endpoint takes to be sent every event in the order in which they came in: of two requests under way at once, of
/// logins or sessions that have nothing to do with each other, either may arrive first.
pub const EVERYTHING_IN_TURN: &str = "events = [\"*\"]\nconcurrency = 1";

/// A config whose secret is still to be made up.
pub fn config(directory: &Path, address: SocketAddr, url: &str) -> PathBuf {
    let secret = directory.join("radius-secret");
    let client = format!(
        "[[client]]\nname = \"freeradius\"\naddress = \"{}\"\nsecret = {{ file = \"{}\" }}",
        address.ip(),
        secret.display()
    );
    let config = Config::bare(directory).accounting(&address.to_string()).table(&client);
    config.endpoint("crm", url, "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0", EVERYTHING_IN_TURN).write()
}

/// Runs `radhook freeradius` on a copy.
pub fn freeradius(stock: &Stock, config: &Path, words: &[&str]) -> Ended {
    let raddb = stock.raddb();
    let place = ["--dir", raddb.to_str().expect("temporary directories have UTF-8 names")];
    radhook(config, &[&["freeradius"], words, &place].concat())
}

/// As [`freeradius`], for undo, which reads no config.
fn undo(stock: &Stock, words: &[&str]) -> Ended {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_radhook"))
        .args(["freeradius", "undo"])
        .args(words)
        .arg("--dir")
        .arg(stock.raddb())
        .output()
        .expect("the binary starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it prints UTF-8");
    Ended { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn what_is_installed_passes_the_check_and_is_taken_out_to_the_byte() {
    let stock = Stock::copy();
    let before = stock.snapshot();
    let (directory, sink) = (tempfile::tempdir().unwrap(), HttpSink::counting());
    let config = config(directory.path(), own_accounting_address(), &sink.url());
    let secret = directory.path().join("radius-secret");

    let shown = freeradius(&stock, &config, &["install", "--dry-run"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(
        shown.stdout.contains("+\t\tradhook_login\n") && shown.stdout.contains("secret = \"[secret]\""),
        "{shown:?}"
    );
    let unasked = freeradius(&stock, &config, &["install"]);
    assert!(unasked.code == 1 && unasked.stderr.contains("--yes"), "{unasked:?}");
    assert!(stock.snapshot() == before && !secret.exists(), "nothing is changed without consent");

    let installed = freeradius(&stock, &config, &["install", "--yes"]);
    assert_eq!(installed.code, 0, "{installed:?}");
    let made_up = fs::read_to_string(&secret).unwrap();
    assert!(made_up.trim().len() == 43 && !installed.stdout.contains(made_up.trim()), "{made_up}");
    assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o007, 0, "not for everybody");
    let neighbour = fs::metadata(stock.raddb().join("radiusd.conf")).unwrap();
    for file in [
        "mods-enabled/radhook",
        "policy.d/radhook",
        "sites-enabled/radhook",
        "dictionary.radhook",
        "sites-available/default",
    ] {
        let own = fs::metadata(stock.raddb().join(file)).unwrap();
        assert_eq!((own.mode(), own.uid(), own.gid()), (neighbour.mode(), neighbour.uid(), neighbour.gid()), "{file}");
    }
    let after = stock.snapshot();
    let again = freeradius(&stock, &config, &["install", "--yes"]);
    assert!(again.code == 0 && again.stdout.starts_with("nothing to do"), "{again:?}");
    assert!(stock.snapshot() == after);

    let unreachable = freeradius(&stock, &config, &["check"]);
    assert!(
        unreachable.code == 4 && unreachable.stdout.contains("FAILED  the daemon does not answer"),
        "{unreachable:?}"
    );
    let daemon = Daemon::start(&config);
    let server = stock.start();
    let checked = freeradius(&stock, &config, &["check", "--json", "--wait", "60s"]);
    let steps: Vec<_> = checked
        .json()
        .iter()
        .map(|step| (step["step"].as_str().unwrap().to_owned(), step["ok"].as_bool().unwrap()))
        .collect();
    let expected = [
        "installed",
        "configuration",
        "radhook",
        "secret",
        "accounting",
        "session event",
        "session event",
        "login",
        "login event",
    ];
    assert_eq!(steps, expected.map(|step| (step.to_owned(), true)), "{checked:?}");
    drop((server, daemon));

    let undone = undo(&stock, &["--yes"]);
    assert!(undone.code == 0 && !undone.stdout.contains(made_up.trim()), "{undone:?}");
    for (path, entry) in stock.snapshot() {
        assert!(before.get(&path) == Some(&entry), "{} is not as it was", path.display());
    }
    assert_eq!(stock.snapshot().len(), before.len());
    assert!(undo(&stock, &["--yes"]).stdout.starts_with("nothing to undo"));
}

#[test]
fn what_freeradius_would_not_start_with_is_taken_back() {
    let stock = Stock::copy();
    // The name of radhook's own module is taken.
    fs::write(stock.raddb().join("mods-enabled/mine"), "always detail_radhook {\n\trcode = ok\n}\n").unwrap();
    let before = stock.snapshot();
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), own_accounting_address(), "http://127.0.0.1:9/");

    let refused = freeradius(&stock, &config, &["install", "--yes"]);

    assert!(refused.code == 1 && refused.stderr.contains("detail_radhook"), "{refused:?}");
    assert!(stock.snapshot() == before);
}

#[test]
fn edits_beside_radhooks_lines_survive_undo_and_edits_of_them_stop_it() {
    let stock = Stock::copy();
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), own_accounting_address(), "http://127.0.0.1:9/");
    let site = "sites-available/default";
    let stock_site = fs::read_to_string(stock.raddb().join(site)).unwrap();
    assert_eq!(freeradius(&stock, &config, &["install", "--yes"]).code, 0);

    stock.edit(site, |text| text.replace("\t\tradhook_login\n", "\t\tradhook_login\n\t\tok\n"));
    let installed = stock.snapshot();
    let stopped = undo(&stock, &["--yes"]);
    assert!(stopped.code == 1 && stopped.stderr.contains("somebody has edited radhook's lines"), "{stopped:?}");
    let refused = freeradius(&stock, &config, &["install", "--yes"]);
    assert!(refused.code == 1 && refused.stderr.contains(site), "{refused:?}");
    assert!(stock.snapshot() == installed);

    stock.edit(site, |text| {
        text.replace("\t\tradhook_login\n\t\tok\n", "\t\tradhook_login\n").replace("\taccounting {", "accounting {")
            + "# mine\n"
    });
    let undone = undo(&stock, &["--yes"]);
    assert_eq!(undone.code, 0, "{undone:?}");
    assert_eq!(fs::read_to_string(stock.raddb().join(site)).unwrap(), stock_site + "# mine\n");
}

#[test]
fn print_shows_each_part_without_its_secret_unless_asked() {
    let directory = tempfile::tempdir().unwrap();
    let address = own_accounting_address();
    let config = Config::new(directory.path(), "0123456789abcdef").accounting(&address.to_string());
    let config = config
        .client("freeradius", &address.ip().to_string(), "hidden-from-all-0123")
        .endpoint("crm", "http://127.0.0.1:9/", "0123456789abcdef", "")
        .write();
    let print = |words: &[&str]| {
        let ended = radhook(&config, &[&["freeradius", "print"], words].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.stdout
    };
    let to = address.to_string();

    let spool = print(&["spool", "--layout", "rhel", "--to", &to]);
    for part in [
        "### /etc/raddb/mods-enabled/radhook\n",
        "### /etc/raddb/sites-enabled/radhook\n",
        "load_factor = 100",
        "radhook_login {",
        "secret = \"[secret]\"",
        "$INCLUDE dictionary.radhook",
    ] {
        assert!(spool.contains(part), "{part} is not in {spool}");
    }
    assert!(!spool.contains("hidden-from-all"));
    assert!(print(&["home-server", "--to", &to, "--with-secret"]).contains("secret = \"hidden-from-all-0123\""));
    assert!(print(&["dictionary", "--to", &to]).contains("Radhook-Result"));
    let nowhere = radhook(&config, &["freeradius", "print", "rest"]);
    assert!(nowhere.code == 1 && nowhere.stderr.contains("type = \"local\""), "{nowhere:?}");
    let moving = radhook(&config, &["freeradius", "print", "spool"]);
    assert!(moving.code == 1 && moving.stderr.contains("a port that changes"), "{moving:?}");
}
