//! `radhook endpoints test` and `copy`.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use serde_json::Value;
use support::daemon::{Config, Daemon};
use support::schema::assert_native;
use support::scripted::{Answer, Scripted};
use support::verbs::{radhook, status, wait_until_status};
use support::witness::SECRET;

const NAS: &str = "nas-to-radhook";

#[test]
fn a_test_delivery_is_sent_now_signed_and_marked_and_counts_nowhere() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let crm = Scripted::start(|_| Answer(202, &[("x-took", "it"), ("set-cookie", "session=hush")]));
    let config = Config::new(directory.path(), NAS)
        .endpoint("crm", crm.url(), SECRET, "enabled = false\nauth = { type = \"bearer\", token = \"hush-hush\" }")
        .write();
    let daemon = Daemon::start(&config);
    let told = radhook(&config, &["endpoints", "test", "crm", "--json"]).json();
    let got = crm.wait_until_asked(1);
    assert_eq!((&told[0]["taken"], &told[0]["status"]), (&true.into(), &202.into()));
    assert_eq!(got[0].header("authorization"), "Bearer hush-hush");
    assert!(got[0].header("webhook-signature").starts_with("v1,"));
    let event = got[0].json();
    assert_native(&event);
    assert_eq!((&event["type"], &event["source"]["type"]), (&"test".into(), &"test".into()));
    assert_eq!((&event["id"], got[0].header("webhook-id")), (&told[0]["id"], told[0]["id"].as_str().expect("an id")));
    assert_eq!(event["data"]["endpoint"]["name"], "crm");

    for kind in ["session.stop", "auth.accept", "nas.on"] {
        let ended = radhook(&config, &["endpoints", "test", "crm", "--type", kind]);
        assert!(ended.code == 0 && ended.stdout.contains("taken: answered 202 after"), "{ended:?}");
        assert!(ended.stdout.contains("x-took: it") && ended.stdout.contains("set-cookie: [redacted]"), "{ended:?}");
        assert!(!ended.stdout.contains("hush"), "{ended:?}");
        let event = crm.asked().last().expect("it was asked").json();
        assert_native(&event);
        assert_eq!(event["type"], kind);
    }
    let ids: std::collections::BTreeSet<String> =
        crm.asked().iter().map(|asked| asked.header("webhook-id").to_owned()).collect();
    assert_eq!(ids.len(), 4, "each has an id of its own");

    let file = directory.path().join("event.json");
    fs::write(&file, "{\"type\": \"user.created\", \"id\": \"x\", \"data\": {\"user\": {\"name\": \"bob\"}}}")
        .expect("it can be");
    let file = file.to_str().expect("a UTF-8 path");
    assert_eq!(radhook(&config, &["endpoints", "test", "crm", "--event", file]).code, 0);
    let event = crm.asked().last().expect("it was asked").json();
    assert_native(&event);
    assert_eq!((&event["type"], &event["data"]["user"]["name"]), (&"user.created".into(), &"bob".into()));

    let endpoint = status(&config).endpoint("crm").clone();
    assert_eq!((endpoint.received, endpoint.delivered, endpoint.pending), (0, 0, 0));
    assert!(radhook(&config, &["events", "list", "--json"]).json().is_empty());
    let nobody = radhook(&config, &["endpoints", "test", "nobody"]);
    assert!(nobody.code == 1 && nobody.stderr.contains("there is no endpoint"), "{nobody:?}");
    let unknown = radhook(&config, &["endpoints", "test", "crm", "--type", "session.halt"]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
    assert!(daemon.stop().success());
    assert_eq!(radhook(&config, &["endpoints", "test", "crm"]).code, 4);
}

#[test]
fn why_there_was_no_answer_is_told_and_so_is_what_a_purple_listener_says() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let refusing = Scripted::start(|_| Answer(500, &[]));
    let listening = Scripted::start(|_| Answer(200, &[("wifiwebhooklistener", "1")]));
    let deaf = Scripted::start(|_| Answer(200, &[]));
    let config = Config::new(directory.path(), NAS)
        .endpoint("nowhere", "http://127.0.0.1:9/", SECRET, "enabled = false")
        .endpoint("refusing", refusing.url(), SECRET, "")
        .endpoint("listening", listening.url(), SECRET, "verify = \"purple\"\nenabled = false")
        .endpoint("deaf", deaf.url(), SECRET, "verify = \"purple\"\nenabled = false")
        .write();
    let daemon = Daemon::start(&config);
    let test = |name: &str| radhook(&config, &["endpoints", "test", name]);
    let nowhere = test("nowhere");
    assert!(nowhere.code == 1 && nowhere.stdout.contains("not taken: cannot connect"), "{nowhere:?}");
    let refused = test("refusing");
    assert!(refused.code == 1 && refused.stdout.contains("not taken: answered 500 after"), "{refused:?}");
    assert_eq!(refusing.asked().len(), 1, "it is not tried again");
    let agreed = test("listening");
    assert!(agreed.stdout.contains("wifiwebhooklistener: 1") && agreed.stdout.contains("it agrees"), "{agreed:?}");
    let not = test("deaf");
    assert!(not.stdout.contains("without `wifiWebhookListener: 1`"), "{not:?}");
    assert!(daemon.stop().success());
}

#[test]
fn an_endpoint_is_copied_disabled_with_its_comments_and_two_may_have_one_url() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let sink = Scripted::start(|_| Answer(204, &[]));
    let secret = directory.path().join("crm-secret");
    fs::write(&secret, format!("{SECRET}\n")).expect("it can be written");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("it can be");
    let config = Config::new(directory.path(), NAS)
        .table(&format!(
            "# The CRM.\n[[endpoint]]\nname = \"crm\"\nurl = \"{}\" # theirs\nheaders = {{ \"X-Key\" = \"hush-hush\" }}\n\
             signature = {{ scheme = \"standard\", secret = {{ file = \"crm-secret\" }} }}",
            sink.url()
        ))
        .write();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o640)).expect("it can be");
    let before = fs::read_to_string(&config).expect("it can be read");

    let rehearsed = radhook(&config, &["endpoints", "copy", "crm", "crm-2", "--dry-run"]);
    assert_eq!(rehearsed.code, 0, "{rehearsed:?}");
    for line in ["+# The CRM.", "+name = \"crm-2\"", "+enabled = false", "+headers = { \"X-Key\" = \"[secret]\" }"] {
        assert!(rehearsed.stdout.contains(line), "{line}: {}", rehearsed.stdout);
    }
    assert!(!rehearsed.stdout.contains("hush") && !rehearsed.stdout.contains(NAS), "{rehearsed:?}");
    assert_eq!(fs::read_to_string(&config).expect("it can be read"), before);

    let done = radhook(&config, &["endpoints", "copy", "crm", "crm-2"]);
    assert!(done.code == 0 && done.stdout.contains("radhook endpoints test crm-2"), "{done:?}");
    let after = fs::read_to_string(&config).expect("it can be read");
    assert_eq!(fs::metadata(&config).expect("it is there").mode() & 0o7777, 0o640);
    assert!(after.starts_with(before.trim_end()), "{after}");
    assert_eq!(after.matches("secret = { file = \"crm-secret\" }").count(), 2);
    assert_eq!(after.matches("# theirs").count(), 2);

    let daemon = Daemon::start(&config);
    wait_until_status(&config, "both are there", |status| {
        (&*status.endpoint("crm").state, &*status.endpoint("crm-2").state) == ("ok", "disabled")
    });
    assert_eq!(radhook(&config, &["endpoints", "test", "crm-2"]).code, 0);
    assert!(daemon.stop().success());

    for (words, why) in [
        (["crm", "crm-2"], "there is an endpoint \"crm-2\" already"),
        (["nobody", "new"], "there is no endpoint \"nobody\""),
        (["crm", &"x".repeat(65)], "nothing was changed"),
    ] {
        let refused = radhook(&config, &["endpoints", "copy", words[0], words[1]]);
        assert!(refused.code == 1 && refused.stderr.contains(why), "{refused:?}");
    }
    assert_eq!(fs::read_to_string(&config).expect("it can be read"), after);
}

#[test]
fn an_endpoint_of_radhook_d_is_copied_in_its_own_file() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let config = Config::new(directory.path(), NAS).write();
    let main = fs::read_to_string(&config).expect("it can be read");
    let beside = directory.path().join("radhook.d");
    fs::create_dir(&beside).expect("it can be made");
    let file = beside.join("crm.toml");
    fs::write(&file, "[[endpoint]]\nname = \"crm\"\nurl = \"http://127.0.0.1:9/\"\nenabled = true\n")
        .expect("it can be");
    let done = radhook(&config, &["endpoints", "copy", "crm", "siem"]);
    assert_eq!(done.code, 0, "{done:?}");
    let text = fs::read_to_string(&file).expect("it can be read");
    let copied = "\n\n[[endpoint]]\nname = \"siem\"\nurl = \"http://127.0.0.1:9/\"\nenabled = false\n";
    assert!(text.ends_with(copied), "{text}");
    assert_eq!(fs::read_to_string(&config).expect("it can be read"), main);
    let left: Vec<String> = fs::read_dir(&beside)
        .expect("it can be read")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    assert_eq!(left, ["crm.toml"], "nothing is left beside it");
    let _: Value = radhook(&config, &["check", "--json"]).json().remove(0);
}
