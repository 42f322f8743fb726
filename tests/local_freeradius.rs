//! A real FreeRADIUS with rlm_rest, set up as docs/local.md says, posting to radhook: the recipe is taken out of that page.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use support::daemon::{Config, Daemon};
use support::debugged::{DICTIONARIES, Debugged};
use support::verbs::wait_until_status;
use support::witness::{SECRET, Witness};

const PAGE: &str = include_str!("../docs/local.md");

/// Where the recipe has radhook.
const RECIPE_ADDRESS: &str = "127.0.0.1:8464";

/// The code block of the page that begins with these words.
fn block(begin: &str) -> &'static str {
    let blocks = PAGE.split("```\n").skip(1);
    blocks.into_iter().find(|block| block.starts_with(begin)).unwrap_or_else(|| panic!("the page has no {begin}"))
}

/// FreeRADIUS with the page's module and policy, which posts to `radhook`.
struct Server {
    freeradius: Debugged,
    accounting: u16,
}

impl Server {
    fn start(radhook: SocketAddr) -> Self {
        let accounting = support::free_udp_port();
        let module = block("rest rest_radhook {").replace(RECIPE_ADDRESS, &radhook.to_string());
        let policy = block("radhook_login {");
        let users = "bob Cleartext-Password := \"hunter2\"\n\tReply-Message = \"hello \\\"you\\\" & ü\",\n\
             \tSession-Timeout = 3600,\n\tClass = 0xab01,\n\tTunnel-Private-Group-Id:1 = \"20\",\n\
             \tMS-MPPE-Send-Key = 0x73656372657473656372657473656372\n";
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let file = directory.path().join("users");
        fs::write(&file, users).expect("a file can be written");
        let freeradius = Debugged::start(|port| {
            format!(
                "security {{\n reject_delay = 0\n allow_vulnerable_openssl = yes\n}}\n\
                 modules {{\n pap {{\n }}\n chap {{\n }}\n always ok {{\n rcode = ok\n }}\n\
                 files {{\n usersfile = {users}\n }}\n{module}}}\npolicy {{\n{policy}}}\n\
                 server default {{\n\
                 listen {{\n type = auth\n ipaddr = 127.0.0.1\n port = {port}\n }}\n\
                 listen {{\n type = acct\n ipaddr = 127.0.0.1\n port = {accounting}\n }}\n\
                 authorize {{\n files\n chap\n pap\n }}\n\
                 authenticate {{\n Auth-Type PAP {{\n pap\n }}\n Auth-Type CHAP {{\n chap\n }}\n }}\n\
                 accounting {{\n rest_radhook\n }}\n\
                 post-auth {{\n radhook_login\n Post-Auth-Type REJECT {{\n radhook_login\n }}\n }}\n}}\n",
                users = file.display(),
            )
        });
        Self { freeradius, accounting }
    }

    /// Logs in with these attributes; the name of the answer, or nothing where none came.
    fn login(&self, attributes: &str) -> String {
        let output = radclient(self.freeradius.port(), "auth", attributes);
        let received = output.lines().find_map(|line| line.strip_prefix("Received "));
        received.and_then(|line| line.split(' ').next()).unwrap_or_default().to_owned()
    }

    /// Sends an accounting packet, `tries` times at most; whether it was answered.
    fn account(&self, attributes: &str) -> bool {
        radclient(self.accounting, "acct", attributes).contains("Received Accounting-Response")
    }
}

/// Sends one packet once, and waits longer than FreeRADIUS waits for radhook.
fn radclient(port: u16, command: &str, attributes: &str) -> String {
    let mut radclient = Command::new("radclient")
        .args(["-x", "-D", DICTIONARIES, "-r", "1", "-t", "8", &format!("127.0.0.1:{port}"), command, "s3cret"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("radclient starts");
    radclient.stdin.take().expect("it is piped").write_all(attributes.as_bytes()).expect("it reads");
    let output = radclient.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const LOGIN: &str = "User-Name = bob, User-Password = hunter2, NAS-IP-Address = 192.0.2.1, NAS-Port = 7, \
     Calling-Station-Id = \"AA-BB-CC-DD-EE-FF\", Acct-Session-Id = \"L-1\"";

fn record(status: &str, session: &str) -> String {
    format!(
        "Acct-Status-Type = {status}, User-Name = \"b\\303\\274b\", Acct-Session-Id = \"{session}\", NAS-IP-Address = 192.0.2.1, \
         Calling-Station-Id = \"AA-BB-CC-DD-EE-FF\", Event-Timestamp = 1700000000, Class = 0xab01, Proxy-State = 0x01, \
         Acct-Session-Time = 60, Tunnel-Password:1 = \"tunnelsecret\", Cisco-AVPair = \"a=\\\"b\\\"\", Cisco-AVPair = \"c=d\""
    )
}

/// Whether any file beneath holds these octets.
fn holds(directory: &Path, octets: &[u8]) -> bool {
    fs::read_dir(directory).expect("it can be read").any(|entry| {
        let path = entry.expect("it can be read").path();
        match path.is_dir() {
            true => holds(&path, octets),
            false => fs::read(&path).is_ok_and(|content| content.windows(octets.len()).any(|window| window == octets)),
        }
    })
}

#[test]
fn sessions_and_logins_become_events_and_no_secret_gets_anywhere() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let witness = Witness::start();
    let config = Config::bare(directory.path())
        .table("[[source]]\ntype = \"local\"\nname = \"rest\"\nlisten = \"127.0.0.1:0\"")
        .client("campus", "127.0.0.1", "nas-to-freeradius")
        .endpoint("crm", &witness.url(), SECRET, "events = [\"*\"]")
        .write();
    let daemon = Daemon::start(&config);
    let ready = daemon.wait_until_log("ready ");
    let place = ready.split_whitespace().find_map(|word| word.strip_prefix("local=")).expect("the ready line names it");
    let server = Server::start(place.parse().expect("it is an address and port"));

    assert_eq!(server.login(LOGIN), "Access-Accept");
    assert_eq!(server.login(&LOGIN.replace("User-Password", "CHAP-Password")), "Access-Accept");
    assert_eq!(server.login(&LOGIN.replace("hunter2", "hunter3")), "Access-Reject");
    assert!(server.account(&record("Start", "L-1")));
    assert!(server.account(&record("Stop", "L-1")));
    // The NAS did not hear the answer.
    assert!(server.account(&record("Stop", "L-1")));

    wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").delivered == 5);
    let events: Vec<Value> = witness.taken().into_iter().map(|taken| taken.body).collect();
    let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).collect::<Vec<_>>();
    let [pap, chap] = of("auth.accept")[..] else { panic!("{events:#?}") };
    assert_eq!(pap["source"]["client"], "campus");
    assert_eq!(
        [&pap["source"]["name"], &pap["source"]["type"], &pap["source"]["address"]],
        ["rest", "local", "127.0.0.1"]
    );
    assert_eq!([&pap["data"]["auth"]["method"], &chap["data"]["auth"]["method"]], ["PAP", "CHAP"]);
    assert_eq!(pap["data"]["auth"]["reply_message"][0], "hello \"you\" & ü");
    assert_eq!(
        [&pap["data"]["auth"]["session_timeout"], &pap["data"]["reply_attributes"]["Session-Timeout"]],
        [3600, 3600]
    );
    assert_eq!([&pap["data"]["auth"]["vlan"], &pap["data"]["reply_attributes"]["Class"]], ["20", "0xab01"]);
    assert_eq!([&pap["data"]["user"]["name"], &pap["data"]["client"]["mac"]], ["bob", "AA-BB-CC-DD-EE-FF"]);
    let [reject] = of("auth.reject")[..] else { panic!("{events:#?}") };
    assert_eq!(reject["data"]["auth"]["method"], "PAP");
    let [start] = of("session.start")[..] else { panic!("{events:#?}") };
    assert_eq!(start["data"]["user"]["name"], "büb");
    assert_eq!(start["timestamp"], "2023-11-14T22:13:20.000Z");
    assert_eq!(start["data"]["attributes"]["Cisco-AVPair"], serde_json::json!(["a=\"b\"", "c=d"]));
    assert!(start["data"]["attributes"].get("Proxy-State").is_none(), "{start}");
    assert_eq!(start["data"]["session"]["auth_id"], chap["id"], "the session is the login's");
    assert_eq!(of("session.stop").len(), 1);

    let log = daemon.stderr().join("\n");
    assert!(daemon.stop().success());
    for secret in ["hunter2", "hunter3", "secretsecretsecr", "736563726574736563726574", "tunnelsecret"] {
        assert!(!holds(&directory.path().join("data"), secret.as_bytes()), "the store holds {secret}");
        assert!(!log.contains(secret) && !format!("{events:?}").contains(secret), "{secret}");
    }
}

/// Answers everything with this status line and body, or never.
fn stand_in(answer: Option<&'static str>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback takes a TCP listener");
    let address = listener.local_addr().expect("a bound listener has an address");
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection is accepted");
            let Some(answer) = answer else {
                held.push(stream);
                continue;
            };
            std::thread::spawn(move || {
                let mut request = [0; 16 * 1024];
                while let Ok(1..) = stream.read(&mut request) {
                    // Its posts are short enough to come in one piece.
                    if stream.write_all(answer.as_bytes()).is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

#[test]
fn an_accept_stays_an_accept_whatever_becomes_of_its_post() {
    let nobody = {
        let listener = TcpListener::bind((support::own_loopback(), 0)).expect("loopback takes a TCP listener");
        listener.local_addr().expect("a bound listener has an address")
    };
    let status = |line| stand_in(Some(line));
    for (what, radhook) in [
        ("nobody listens", nobody),
        ("nobody answers", stand_in(None)),
        ("503", status("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")),
        ("401", status("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")),
        ("403", status("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")),
        ("404", status("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")),
        ("no HTTP", status("220 mail.example ESMTP\r\n")),
        (
            "a body it cannot read",
            status("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n[1]"),
        ),
    ] {
        let server = Server::start(radhook);
        assert_eq!(server.login(LOGIN), "Access-Accept", "{what}");
        assert_eq!(server.login(&LOGIN.replace("hunter2", "hunter3")), "Access-Reject", "{what}");
        if what == "nobody listens" || what == "503" {
            assert!(!server.account(&record("Start", "D-1")), "{what}: the NAS must send it again");
        }
    }
}
