//! Reading real files: what is merged, where secrets come from, and what may be read alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::deliver::options::{Format, Order, RetryOptions, SignatureOptions};
use crate::event::EventType;
use crate::listen::Address;
use crate::route::Interest;
use crate::source::client::Requirement;

/// A directory with these files; all of them only for their owner.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    directory
}

fn main_file(directory: &TempDir) -> PathBuf {
    directory.path().join("radhook.toml")
}

/// Messages without the directory, which has another name in every run.
fn problems(directory: &TempDir) -> Vec<String> {
    let place = format!("{}/", directory.path().display());
    let problems = load(&main_file(directory)).unwrap_err().problems;
    problems.iter().map(|problem| problem.to_string().replace(&place, "")).collect()
}

#[test]
fn files_beside_the_main_one_are_merged_in_the_order_of_their_names() {
    let endpoint = |name: &str| format!("[[endpoint]]\nname = \"{name}\"\nurl = \"https://example.com\"\n");
    let directory = directory(&[
        ("radhook.toml", &format!("[store]\npath = \"data\"\n{SMALLEST}")),
        ("radhook.d/30.toml", &endpoint("third")),
        ("radhook.d/10.toml", &format!("[store]\nmax_size = \"1GiB\"\n{}", endpoint("first"))),
        ("radhook.d/50.toml", &endpoint("fifth")),
        ("radhook.d/20.toml", &endpoint("second")),
        ("radhook.d/40.toml", &endpoint("fourth")),
        ("radhook.d/.hidden.toml", "nonsense"),
        ("radhook.d/notes.txt", "nonsense"),
    ]);
    let (config, warnings) = load(&main_file(&directory)).unwrap();
    let names: Vec<&str> = config.endpoints.iter().map(|endpoint| &*endpoint.delivery.name).collect();
    assert_eq!(names, ["crm", "first", "second", "third", "fourth", "fifth"]);
    assert_eq!(config.store.max_size, 1 << 30);
    assert_eq!(config.store.journal_keep, 1 << 27);
    assert_eq!(config.store.path, directory.path().join("data"));
    assert_eq!(warnings, []);
}

#[test]
fn a_key_set_in_two_files_names_both_places() {
    let directory = directory(&[
        ("radhook.toml", &format!("[store]\npath = \"/a\"\nhistory.keep = \"1d\"\n{SMALLEST}")),
        (
            "radhook.d/a.toml",
            "[store]\nmax_size = \"1GiB\"\npath = \"/b\"\nhistory = { keep = \"2d\", max_records = 1 }\n",
        ),
    ]);
    assert_eq!(
        problems(&directory),
        [
            "radhook.d/a.toml:3:1: `path` is set at radhook.toml:2:1 already; keep one of the two",
            "radhook.d/a.toml:4:13: `keep` is set at radhook.toml:3:9 already; keep one of the two",
        ]
    );
}

#[test]
fn every_file_that_cannot_be_read_or_parsed_is_reported() {
    let directory = directory(&[("radhook.d/a.toml", "a = "), ("radhook.d/b.toml/inside", "")]);
    assert_eq!(
        problems(&directory),
        [
            "radhook.toml: there is no such file; write it, or name another with --config FILE",
            "radhook.d/b.toml: cannot be read: it is not a regular file",
        ]
    );
    fs::write(main_file(&directory), "x = 'ä\n").unwrap();
    fs::remove_dir_all(directory.path().join("radhook.d/b.toml")).unwrap();
    assert_eq!(
        problems(&directory),
        [
            "radhook.toml:1:7: invalid literal string, expected `'`",
            "radhook.d/a.toml:1:5: string values must be quoted, expected literal string",
        ]
    );
    fs::write(main_file(&directory), b"a = 1\nb = \"\xff\"\n").unwrap();
    assert_eq!(problems(&directory), ["radhook.toml:2:6: this byte is not UTF-8; save the file as UTF-8"]);
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_taken() {
    let text = format!("\u{feff}nodes = 1\r\n{}", SMALLEST.replace('\n', "\r\n"));
    let directory = directory(&[("radhook.toml", &text)]);
    assert_eq!(problems(&directory), ["radhook.toml:1:1: unknown key `nodes` at the top level; did you mean `node`?"]);
}

#[test]
fn a_file_too_large_to_be_a_config_is_refused_unread() {
    let directory = directory(&[("radhook.toml", &"#".repeat(4 * 1024 * 1024 + 1))]);
    assert_eq!(problems(&directory), ["radhook.toml: cannot be read: it is larger than 4194304 bytes"]);
}

#[test]
fn secrets_come_from_files_the_environment_and_credentials() {
    let directory =
        directory(&[("a.key", "with a newline\n"), ("b.key", "  spaces stay  \r\n"), ("cred/c", "credential")]);
    let text = "[[endpoint]]\nname = \"x\"\nurl = \"https://example.com\"\n[endpoint.signature]\nscheme = \"standard\"\n\
        secret = [{ file = \"a.key\" }, { file = \"b.key\" }, { env = \"CRM_SECRET\" }, { credential = \"c\" }, \"inline\"]";
    let credentials = directory.path().join("cred").into_os_string();
    let environment = move |name: &str| match name {
        "CREDENTIALS_DIRECTORY" => Some(credentials.clone()),
        name => super::environment(name),
    };
    let files = Files::of(directory.path(), &[("radhook.toml", SMALLEST), ("x.toml", text)]);
    let (config, _) = read(Ok(files), &environment, schema::config).unwrap();
    let Some(SignatureOptions::Standard { secrets }) = &config.endpoints[1].delivery.signature else { panic!() };
    let keys: Vec<_> = secrets.iter().flat_map(|source| source.keys()).collect();
    let exposed: Vec<&[u8]> = keys.iter().map(|key| key.secret.expose()).collect();
    let expected: [&[u8]; 5] =
        [b"with a newline", b"  spaces stay  ", b"from the environment", b"credential", b"inline"];
    assert_eq!(exposed, expected);
}

#[test]
fn a_file_of_signing_secrets_holds_one_a_line_and_its_mistakes_are_told_with_file_and_line() {
    let endpoint = |name: &str, scheme: &str, secret: &str| {
        let signature = format!("signature = {{ scheme = \"{scheme}\", secret = {secret} }}");
        format!("[[endpoint]]\nname = \"{name}\"\nurl = \"https://example.com\"\n{signature}\n")
    };
    let with = |lines: &str, scheme: &str, secret: &str| {
        directory(&[("radhook.toml", &format!("{SMALLEST}{}", endpoint("x", scheme, secret))), ("x.key", lines)])
    };
    let one = "{ file = \"x.key\" }";

    let good = with("newest hunter2 of all\n\nolder hunter2, still good until 2026-11-26T10:00:00Z\n", "standard", one);
    let (config, _) = load(&main_file(&good)).unwrap();
    let source = &config.endpoints[1].delivery.signature.as_ref().unwrap().secrets()[0];
    assert_eq!(source.file(), Some(&*good.path().join("x.key")));
    let keys: Vec<_> = source.keys().iter().map(|key| (key.secret.expose().to_vec(), key.until)).collect();
    let end = "2026-11-26T10:00:00Z".parse().unwrap();
    let expected = [("newest hunter2 of all", None), ("older hunter2, still good", Some(end))];
    assert_eq!(keys, expected.map(|(secret, until)| (secret.as_bytes().to_vec(), until)));

    let key = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    for (lines, scheme, secret, told) in [
        (
            "hunter2 until 2026-11-26T10:00:00Z",
            "standard",
            one,
            "x.key:1: the first secret is the newest and has no `until`, or nothing would sign after it",
        ),
        (
            "new\nhunter2 until 2026-11",
            "hmac-sha256",
            one,
            "x.key:2: what follows `until` is not a time such as 2026-11-26T10:00:00Z",
        ),
        (
            "sixteen bytes or more\n\nwhsec_hunter2! until 2026-11-26T10:00:00Z",
            "standard",
            one,
            "x.key:3 begins with whsec_, and what follows is not base64; copy it whole, with its = at the end",
        ),
        (
            &format!("{key}\nwhsk_hunter2"),
            "ed25519",
            one,
            "x.key:2 is no private key of Ed25519; write whsk_ and the base64 of 32 random bytes",
        ),
        ("\n \n", "standard", one, "x.key:1: there is no secret"),
    ] {
        let told = format!("radhook.toml:16:{}: `secret`: {told}", 37 + scheme.len());
        assert_eq!(problems(&with(lines, scheme, secret)), [told], "{lines}");
    }
    let eight = "sixteen bytes or more\n".repeat(8);
    let directory = with(&eight, "standard", "[\"sixteen bytes or more\", { file = \"x.key\" }]");
    assert_eq!(
        problems(&directory),
        ["radhook.toml:16:45: `secret` has 9 secrets with those in its files, and at most 8 are allowed; \
          remove those that have ended"]
    );
}

#[test]
fn secrets_that_everybody_may_read_are_warned_about() {
    let client = "[[client]]\naddress = \"10.0.0.1\"\nsecret = { file = \"a.key\" }\n";
    let directory = directory(&[("radhook.toml", &format!("{SMALLEST}{client}")), ("a.key", "sixteen bytes or more")]);
    let warnings = || {
        let (_, warnings) = load(&main_file(&directory)).unwrap();
        let place = format!("{}/", directory.path().display());
        warnings.iter().map(|warning| warning.to_string().replace(&place, "")).collect::<Vec<_>>()
    };
    assert!(warnings().is_empty());
    for name in ["a.key", "radhook.toml"] {
        fs::set_permissions(directory.path().join(name), fs::Permissions::from_mode(0o644)).unwrap();
    }
    assert_eq!(
        warnings(),
        [
            "radhook.toml:5:10: this file holds a secret and everybody may read it; \
         chmod o-r it, or keep the secret in a file of its own",
            "radhook.toml:15:10: `secret`: everybody may read a.key; chmod o-r a.key",
        ]
    );
}

#[test]
fn an_empty_secret_file_and_one_that_is_no_secret_are_refused() {
    let client = |number: u8, file: &str| {
        format!("[[client]]\naddress = \"10.0.0.{number}\"\nsecret = {{ file = \"{file}\" }}\n")
    };
    let text = format!("{}{}{}", client(1, "empty"), client(2, "large"), client(3, "."));
    let directory = directory(&[
        ("radhook.toml", SMALLEST),
        ("radhook.d/x.toml", &text),
        ("empty", "\n"),
        ("large", &"x".repeat(20_000)),
    ]);
    assert_eq!(
        problems(&directory),
        [
            "radhook.d/x.toml:3:10: `secret`: empty is empty; write the secret into it",
            "radhook.d/x.toml:6:10: `secret`: large cannot be read: it is larger than 16386 bytes",
            "radhook.d/x.toml:9:10: `secret`: . cannot be read: it is not a regular file",
        ]
    );
}

#[test]
fn certificate_authorities_are_looked_into() {
    let endpoint = |name: &str, ca: &str| {
        format!("[[endpoint]]\nname = \"{name}\"\nurl = \"https://example.com\"\ntls = {{ ca = \"{ca}\" }}\n")
    };
    let text = format!("{}{}", endpoint("a", "none.pem"), endpoint("b", "text.pem"));
    let directory =
        directory(&[("radhook.toml", SMALLEST), ("radhook.d/x.toml", &text), ("text.pem", "no certificate")]);
    assert_eq!(
        problems(&directory),
        [
            "radhook.d/x.toml:4:14: `ca`: none.pem cannot be read: No such file or directory (os error 2)",
            "radhook.d/x.toml:8:14: `ca`: text.pem holds no certificate",
        ]
    );
}

#[test]
fn dictionaries_must_be_there() {
    let directory =
        directory(&[("radhook.toml", &format!("{SMALLEST}[dictionary]\nshipped = false\nfiles = [\"own\"]\n"))]);
    assert_eq!(problems(&directory), ["radhook.toml:15:9: `files`: there is no file own"]);
    fs::write(directory.path().join("own"), "").unwrap();
    let (config, _) = load(&main_file(&directory)).unwrap();
    assert_eq!(config.dictionary, DictionaryOptions { files: vec![directory.path().join("own")], shipped: false });
    fs::write(main_file(&directory), format!("{SMALLEST}[dictionary]\nshipped = false\n")).unwrap();
    assert_eq!(
        problems(&directory),
        ["radhook.toml:14:11: without the shipped dictionaries no attribute has a name; \
        name dictionaries in `files`, or remove it"]
    );
}

#[test]
fn store_and_admin_are_read_without_the_rest() {
    let text = "[store]\npath = \"/data\"\n[admin]\nlisten = [\"unix:admin.sock\", \"127.0.0.1:0\"]\ntoken = \"0123456789abcdef\"\n\
        [[client]]\nsecret = { file = \"not readable\" }\n[company]\n";
    let directory = directory(&[("radhook.toml", text)]);
    assert!(load(&main_file(&directory)).is_err());
    assert_eq!(load_store(&main_file(&directory)).unwrap().path, PathBuf::from("/data"));
    let admin = load_admin(&main_file(&directory)).unwrap();
    let socket = Address::Unix(directory.path().join("admin.sock"));
    assert_eq!(admin.listen, [socket, Address::Tcp("127.0.0.1:0".parse().unwrap())]);
    fs::write(main_file(&directory), "[store]\npath = 3\n").unwrap();
    assert_eq!(load_store(&main_file(&directory)).unwrap_err().problems.len(), 1);
}

#[test]
fn sources_without_a_name_are_numbered() {
    let source = |port: u16| format!("[[source]]\ntype = \"accounting\"\nlisten = \"127.0.0.1:{port}\"\n");
    let text = format!("{SMALLEST}{}{}", source(1), source(2));
    let (config, _) = read_text(&text).unwrap();
    let names: Vec<&str> = config.sources.iter().map(|source| &**source.name()).collect();
    assert_eq!(names, ["accounting", "accounting-2", "accounting-3"]);
}

#[test]
fn a_client_is_known_by_its_network_and_every_setting_arrives() {
    let client = "[[client]]\naddress = \"10.1.2.3/8\"\nsecret = \"sixteen bytes or more\"\nnas_type = \"mikrotik\"\n\
        require_message_authenticator = \"yes\"\nswap_octets = true\n";
    let (config, _) = read_text(&format!("{SMALLEST}{client}")).unwrap();
    let client = config.clients.lookup("10.9.9.9".parse().unwrap()).unwrap();
    assert_eq!((&*client.name, client.network.to_string().as_str()), ("10.1.2.3/8", "10.0.0.0/8"));
    assert_eq!(client.secret.expose(), b"sixteen bytes or more");
    assert_eq!(client.message_authenticator, Requirement::Yes);
    assert_eq!((client.swap_octets, client.nas_type.as_deref()), (true, Some("mikrotik")));
}

#[test]
fn every_setting_of_an_endpoint_arrives() {
    let text = "[[endpoint]]\nname = \"x\"\nurl = \"http://localhost:8080/a?b=c\"\nmethod = \"PUT\"\nevents = [\"nas.*\"]\n\
        timeout = \"3s\"\norder = \"none\"\nformat = \"ndjson\"\nconcurrency = 2\nenabled = false\nheaders = { X-Site = \"lobby\" }\n\
        signature = { scheme = \"hmac-sha256\", secret = \"sixteen bytes or more\", header = \"X-Sig\", prefix = \"v=\" }\n\
        retry = { schedule = [], jitter = 1 }\n";
    let (config, _) = read_text(&format!("{SMALLEST}{text}")).unwrap();
    let Endpoint { interest: Interest { subscription, .. }, delivery, .. } = &config.endpoints[1];
    assert!(subscription.wants(EventType::NasOn) && !subscription.wants(EventType::SessionStart));
    assert_eq!((delivery.url.as_str(), delivery.method.as_str()), ("http://localhost:8080/a?b=c", "PUT"));
    assert_eq!((delivery.timeout, delivery.order), (Duration::from_secs(3), Order::None));
    assert_eq!(delivery.format, Format::Ndjson);
    assert_eq!((delivery.concurrency, delivery.enabled), (2, false));
    assert_eq!(delivery.headers, [("x-site".parse().unwrap(), "lobby".parse().unwrap())]);
    assert_eq!(delivery.retry, RetryOptions { schedule: Vec::new(), jitter: 1.0, max_age: None, endless: false });
    let Some(SignatureOptions::HmacSha256 { header, prefix, .. }) = &delivery.signature else { panic!() };
    assert_eq!((header.as_str(), prefix.as_str()), ("x-sig", "v="));
}

#[test]
fn peers_are_read_beside_a_broken_endpoint_and_secrets_that_are_not_there_yet_are_made_up() {
    let client =
        |address: &str, file: &str| format!("[[client]]\naddress = \"{address}\"\nsecret = {{ file = \"{file}\" }}\n");
    let source = "[[source]]\ntype = \"accounting\"\nlisten = \"127.0.0.1:11813\"\n";
    let text = format!("{source}{}{}[[endpoint]]\nurl = 7\n", client("127.0.0.1", "new"), client("10.0.0.1", "new"));
    let directory = directory(&[("radhook.toml", &text)]);
    let invent = || Secret::new("made-up");

    let peers = load_peers(&main_file(&directory), &invent).unwrap();

    assert_eq!(peers.sources.len(), 1);
    assert!(peers.clients.iter().all(|client| client.secret.expose() == b"made-up"));
    assert_eq!(peers.invented, [(directory.path().join("new"), Secret::new("made-up"))]);
    assert!(!directory.path().join("new").exists());
    assert!(problems(&directory).iter().any(|problem| problem.contains("new cannot be read")));
}
