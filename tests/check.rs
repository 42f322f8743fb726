//! `radhook check`, as an operator runs it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const GOOD: &str = r#"
node = "radhook-1"
[[client]]
name = "campus"
address = "10.0.0.0/8"
secret = { env = "RADIUS_SECRET" }
[[source]]
type = "accounting"
listen = ["127.0.0.1:1813", "[::1]:1813"]
[[endpoint]]
name = "crm"
url = "https://crm.example.com/hooks?token=hunter2"
events = ["session.*"]
headers = { "Authorization" = "Bearer hunter2" }
signature = { scheme = "standard", secret = [{ credential = "crm" }, { file = "old.key" }] }
[admin]
listen = "127.0.0.1:8463"
token = "hunter2hunter2hunter2"
"#;

const BAD: &str = "[[client]]\naddress = \"nowhere\"\nsecret = \"hunter2\"\n[[endpoint]]\nevnts = []\n";

fn directory(config: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in
        [("radhook.toml", config), ("old.key", "hunter2 hunter2 hunter2\n"), ("crm", "hunter2-hunter2-hunter2")]
    {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    directory
}

fn check(directory: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_radhook"))
        .current_dir(directory)
        .arg("check")
        .args(arguments)
        .env("RADHOOK_CONFIG", "radhook.toml")
        .env("RADIUS_SECRET", "hunter2 from the environment")
        .env("CREDENTIALS_DIRECTORY", directory)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(stderr).unwrap(), "");
    (status.code(), String::from_utf8(stdout).unwrap())
}

#[test]
fn a_good_config_is_summed_up_without_its_secrets() {
    let directory = directory(GOOD);
    let (code, output) = check(directory.path(), &[]);
    assert_eq!(
        output,
        "\
node        radhook-1
accounting  accounting on udp 127.0.0.1:1813, udp [::1]:1813
client      campus from 10.0.0.0/8, secret [secret]
endpoint    crm: POST https://crm.example.com/hooks?…
            events session.start, session.update, session.stop, session.resumed, session.lost, session.revoked, \
session.limit_exceeded
            in order within a session, 16 at once, 10s each
            retries after 1m, 5m, 30m, 2h, 12h, give or take 10 %
            signed standard with [secret], [secret]
            headers authorization
store       /var/lib/radhook, at most 8GiB
            1GiB of journal kept for recovery
            history of 3d, at most 1000000 records
dictionary  the shipped ones
admin       127.0.0.1:8463, token [secret]
the config is good
"
    );
    assert_eq!(code, Some(0));
}

#[test]
fn a_bad_config_is_refused_with_all_its_problems_and_exit_code_3() {
    let directory = directory(BAD);
    let (code, output) = check(directory.path(), &["--config", "radhook.toml"]);
    let messages = "\
warning: radhook.toml:3:10: this secret has only 7 bytes; use 16 or more random characters, on both sides
radhook.toml:2:11: `address` is \"nowhere\", which is neither an address nor a network; \
write it like \"10.1.2.3\", \"10.0.0.0/8\" or \"2001:db8::/32\"; names are not looked up
radhook.toml:4:1: [[endpoint]] needs `name`; add name = \"crm\"
radhook.toml:4:1: [[endpoint]] needs `url`; add url = \"https://crm.example.com/hooks\"
radhook.toml:5:1: unknown key `evnts` in [[endpoint]]; did you mean `events`?
radhook.toml: there is no [[source]]: nothing would come in; \
add one with type = \"accounting\" and listen = \"0.0.0.0:1813\"
5 problems in the config
";
    assert_eq!(output, messages);
    assert_eq!(code, Some(3));
}

#[test]
fn json_is_one_object_a_line_in_both_cases() {
    let good = directory(GOOD);
    let (code, output) = check(good.path(), &["--json"]);
    let kinds: Vec<String> = output
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((code, kinds.join(" ").as_str()), (Some(0), "node source client endpoint store dictionary admin"));
    assert!(!output.contains("hunter2"), "{output}");

    let bad = directory(BAD);
    let (code, output) = check(bad.path(), &["--json"]);
    let objects: Vec<serde_json::Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, objects.len()), (Some(3), 6));
    assert_eq!(
        objects[3],
        serde_json::json!({
            "kind": "problem", "file": "radhook.toml", "line": 5, "column": 1,
            "what": "unknown key `evnts` in [[endpoint]]", "help": "did you mean `events`?",
        })
    );
    assert!(!output.contains("hunter2"), "{output}");
}

#[test]
fn a_config_that_is_not_there_is_a_problem_like_any_other() {
    let directory = directory(GOOD);
    let (code, output) = check(directory.path(), &["--config", "none.toml"]);
    assert_eq!(
        output,
        "none.toml: there is no such file; write it, or name another with --config FILE\n1 problem in the config\n"
    );
    assert_eq!(code, Some(3));
}

#[test]
fn the_examples_of_dialects_are_good_as_they_stand() {
    for (example, said) in [
        ("ironwifi", "signed hmac-sha256 in x-ironwifi-signature with [secret]"),
        ("signin", "in batches of at most 20000 events, 20m and 16MiB"),
        ("purple", "retries after 3h, the last again and again, give or take 10 %"),
        ("bt", "written as bt\n            asked first whether it wants events (purple)"),
        ("openwisp", "events auth.accept, auth.reject"),
        ("iacbox", "written as iacbox"),
    ] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{example}.toml"));
        let directory = directory(&fs::read_to_string(file).unwrap());
        for secret in ["radius-secret", "ironwifi.key", "openwisp-authorization", "pms-password"] {
            let path = directory.path().join(secret);
            fs::write(&path, "sixteen bytes or more\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let body = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/iacbox.json");
        fs::copy(body, directory.path().join("iacbox.json")).unwrap();
        let (code, output) = check(directory.path(), &[]);
        assert_eq!(code, Some(0), "{example}: {output}");
        assert!(output.contains(said) && !output.contains("warning"), "{example}: {output}");
    }
}
