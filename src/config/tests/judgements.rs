//! What single values are judged by, word for word: addresses, URLs, headers, secrets.

use super::*;

#[test]
fn client_addresses_are_addresses_and_each_stands_once() {
    let client = |address: &str| format!("[[client]]\naddress = \"{address}\"\nsecret = \"sixteen bytes or more\"");
    says(
        &client("10.0.0.0/33"),
        &["x.toml:2:11: `address` is \"10.0.0.0/33\", which is neither an address nor a network; \
         write it like \"10.1.2.3\", \"10.0.0.0/8\" or \"2001:db8::/32\"; names are not looked up"],
    );
    says(
        &client("::ffff:10.0.0.1"),
        &["x.toml:2:11: `address` is \"::ffff:10.0.0.1\", which is IPv4 within IPv6; \
         write the IPv4 address itself; packets are looked up by it on every socket"],
    );
    says(
        &client("127.0.0.1/32"),
        &["x.toml:2:11: another client has the address 127.0.0.1; the first is at smallest.toml:4:11"],
    );
}

#[test]
fn ports_that_clash_are_found_before_they_are_bound() {
    let source = |listen: &str| format!("[[source]]\ntype = \"accounting\"\nlisten = {listen}");
    says(
        &source("\"0.0.0.0:1813\""),
        &["x.toml:3:10: 0.0.0.0:1813 is taken by 127.0.0.1:1813; the other is at smallest.toml:8:10"],
    );
    says(&source("[\"[::1]:1813\", \"127.0.0.1:0\", \"127.0.0.1:0\", \"127.0.0.2:1813\"]"), &[]);
    says(
        &source("[]"),
        &["x.toml:3:10: `listen` is an empty array, and must be an address and port, or an array of them"],
    );
    says(
        &source("[\"10.0.0.1\", \"::1\", \"localhost:1813\"]"),
        &[
            "x.toml:3:11: `listen` is \"10.0.0.1\", which has no port; write \"10.0.0.1:1813\"",
            "x.toml:3:23: `listen` is \"::1\", which has no port; write \"[::1]:1813\"",
            "x.toml:3:30: `listen` is \"localhost:1813\", which is no address and port; \
         write it like \"0.0.0.0:1813\" or \"[::]:1813\"; names are not looked up",
        ],
    );
}

#[test]
fn urls_lead_somewhere_and_hold_no_credentials() {
    for (url, complaint) in [
        (
            "http://crm.example.com/",
            "is http to another host, which sends everything unencrypted; \
          use https, or set insecure_http = true",
        ),
        (
            "https://joe:hunter2@example.com/",
            "holds a user name or password; credentials belong in an Authorization header",
        ),
        (
            "https://169.254.169.254/latest",
            "leads to 169.254.169.254: link-local, where cloud hosts serve their metadata; \
          requests never go there",
        ),
        (
            "https://[fd00:ec2::254]/",
            "leads to fd00:ec2::254: the metadata service of Amazon EC2; requests never go there",
        ),
        (
            "https://2852039166/",
            "leads to 169.254.169.254: link-local, where cloud hosts serve their metadata; \
          requests never go there",
        ),
        ("https://example.com/#top", "has a fragment, which is never sent; remove what begins with #"),
        ("ftp://example.com/", "has the scheme \"ftp\"; only https and http are spoken"),
        (
            "crm.example.com",
            "is no URL: relative URL without a base; write it like \"https://crm.example.com/hooks/wifi\"",
        ),
        ("https://", "is no URL: empty host; write it like \"https://crm.example.com/hooks/wifi\""),
    ] {
        let text = format!("[[endpoint]]\nname = \"x\"\nurl = \"{url}\"");
        says(&text, &[&format!("x.toml:3:7: `url` {complaint}")]);
    }
    says(
        "[[endpoint]]\nname = \"x\"\nurl = \"http://joe@10.0.0.1/#x\"",
        &[
            "x.toml:3:7: `url` holds a user name or password; credentials belong in an Authorization header",
            "x.toml:3:7: `url` has a fragment, which is never sent; remove what begins with #",
            "x.toml:3:7: `url` is http to another host, which sends everything unencrypted; \
             use https, or set insecure_http = true",
        ],
    );
    for url in ["http://127.0.0.1:8080/", "http://[::1]/", "http://localhost:1/", "http://crm.localhost./"] {
        says(&format!("[[endpoint]]\nname = \"x\"\nurl = \"{url}\""), &[]);
    }
}

#[test]
fn words_and_patterns_are_checked_with_a_suggestion() {
    endpoint_says(
        "method = \"post\"",
        &["x.toml:4:10: `method` is \"post\", which is none of its values; did you mean \"POST\"?"],
    );
    endpoint_says(
        "order = \"fifo\"",
        &["x.toml:4:9: `order` is \"fifo\", which is none of its values; choose from session, none"],
    );
    endpoint_says(
        "events = [\"sesion.*\", \"session.stopp\", \"nothing\"]",
        &[
            "x.toml:4:11: `events` is \"sesion.*\", which matches no event type; did you mean \"session.*\"?",
            "x.toml:4:23: `events` is \"session.stopp\", which matches no event type; did you mean \"session.stop\"?",
            "x.toml:4:40: `events` is \"nothing\", which matches no event type; \
         docs/configuration.md lists them; * stands for any characters",
        ],
    );
    endpoint_says(
        "events = []",
        &["x.toml:4:10: `events` is empty: this endpoint would receive nothing; name types, or set enabled = false"],
    );
}

#[test]
fn headers_are_well_formed_and_not_radhooks_own() {
    endpoint_says(
        "[endpoint.headers]\n\"a b\" = \"x\"\nContent-Length = \"1\"\nX-A = 1\nX-B = \"a\\nb\"\nx-b = \"c\"",
        &[
            "x.toml:5:1: \"a b\" is no header's name; use letters, digits and -",
            "x.toml:6:1: the header Content-Length is set by radhook itself; remove it",
            "x.toml:7:7: `X-A` must be a string, or a table like a secret, found the integer 1",
            "x.toml:8:7: the value of the header X-B holds a control character; remove it",
            "x.toml:9:1: the header x-b is set twice; the first is at x.toml:8:1",
        ],
    );
    let signature = "signature = { scheme = \"hmac-sha256\", secret = \"sixteen bytes or more\", header = \"X-Sig\" }";
    endpoint_says(
        &format!("{signature}\nheaders = {{ x-sig = \"1\" }}"),
        &["x.toml:4:13: the signature's header x-sig is used for something else already; choose another `header`"],
    );
}

#[test]
fn secrets_are_looked_for_and_never_shown() {
    endpoint_says(
        "signature = { scheme = \"standard\", secret = [\"whsec_hunter2!\", \"\", { env = \"NOT_SET\" }, { env = \"EMPTY\" }] }",
        &[
            "x.toml:4:46: `secret` begins with whsec_, and what follows is not base64; copy it whole, with its = at the end",
            "x.toml:4:64: `secret` is empty; a secret needs at least one byte",
            "x.toml:4:76: the environment variable `NOT_SET` of `secret` is not set; \
         set it for the daemon; systemd has EnvironmentFile=",
            "x.toml:4:89: `secret` is empty; a secret needs at least one byte",
        ],
    );
    let secret = |value: &str| format!("[[client]]\naddress = \"10.0.0.1\"\nsecret = {value}");
    let forms = "a secret: a string, { file = \"…\" }, { env = \"…\" } or { credential = \"…\" }";
    says(&secret("12345678"), &[&format!("x.toml:3:10: `secret` must be {forms}, found the integer 12345678")]);
    says(&secret("{}"), &[&format!("x.toml:3:10: `secret` must be {forms}, found a table that is none of these")]);
    says(
        &secret("{ fil = \"x\" }"),
        &["x.toml:3:12: unknown key `fil` in `secret`; choose from file, env, credential"],
    );
    says(
        &secret("{ credential = \"x\" }"),
        &["x.toml:3:25: `secret` is a systemd credential, and $CREDENTIALS_DIRECTORY is not set; \
         credentials exist only within a unit with LoadCredential="],
    );
    says(
        &secret("{ credential = \"../x\" }"),
        &["x.toml:3:25: `credential` of `secret` must be a file name, found \"../x\""],
    );
    says(
        &secret("{ file = \"none\" }"),
        &["x.toml:3:10: `secret`: /nowhere/none cannot be read: No such file or directory (os error 2)"],
    );
}

#[test]
fn the_admin_api_needs_a_token_on_tcp_also_on_loopback() {
    says(
        "[admin]\nlisten = [\"unix:/run/x.sock\", \"127.0.0.1:8463\"]",
        &["x.toml:2:31: 127.0.0.1:8463 needs a `token`: every user and web page of a host can reach it; \
         add token = { file = \"admin-token\" }"],
    );
    says(
        "[admin]\nlisten = [\"unix:/a\", \"unix:/a\", \"unix:\"]\ntoken = \"a b\"",
        &[
            "x.toml:2:22: unix:/a is named twice; the first is at x.toml:2:11",
            "x.toml:2:33: `listen` names no socket after unix:; write \"unix:/run/radhook/….sock\"",
            "x.toml:3:9: `token` holds characters that an HTTP header cannot carry; use printable ASCII without spaces",
        ],
    );
    let long = format!("/{}", "s".repeat(107));
    says(
        &format!("[admin]\nlisten = \"unix:{long}\""),
        &["x.toml:2:10: `listen` is a path of 108 bytes, and a socket's has at most 107"],
    );
}

#[test]
fn weak_but_valid_choices_are_warned_about() {
    let client = |secret: &str| format!("[[client]]\naddress = \"10.0.0.1/8\"\nsecret = \"{secret}\"");
    assert_eq!(
        warnings_of(&client("testing123")),
        [
            "x.toml:2:11: `address` is 10.0.0.1/8, which means all of 10.0.0.0/8; write 10.0.0.1 for the one address",
            "x.toml:3:10: this secret stands in every RADIUS tutorial; use 16 or more random characters, on both sides",
        ]
    );
    assert_eq!(
        warnings_of(&client("seven77"))[1],
        "x.toml:3:10: this secret has only 7 bytes; \
        use 16 or more random characters, on both sides"
    );
    assert_eq!(warnings_of(&client("eight888")).len(), 1);
    let endpoint = "[[endpoint]]\nname = \"x\"\nurl = \"http://10.0.0.1\"\ninsecure_http = true\nevents = [\"voucher.*\"]\n\
        signature = { scheme = \"standard\", secret = \"short\" }";
    assert_eq!(
        warnings_of(endpoint),
        [
            "x.toml:3:7: events to this `url` travel unencrypted",
            "x.toml:5:10: `events` names nothing that this version of radhook makes; \
         it makes auth.accept, auth.reject, auth.challenge, auth.timeout, session.start, session.update, session.stop, \
         session.resumed, session.lost, session.revoked, session.limit_exceeded, \
         nas.on, nas.off, coa.ack, coa.nak, disconnect.ack, disconnect.nak, system.userlimit_exceeded, \
         endpoint.disabled, endpoint.enabled, endpoint.recovered, delivery.exhausted",
            "x.toml:6:45: `secret` has only 5 bytes; use 24 or more random bytes, such as whsec_ and their base64",
        ]
    );
    let posts = "[[source]]\ntype = \"local\"\nlisten = \"unix:/run/local.sock\"\n\
        [[endpoint]]\nname = \"x\"\nurl = \"https://example.com\"\nevents = [\"user.*\"]";
    assert_eq!(warnings_of(posts), [""; 0], "scripts may post what radhook does not make");
    assert_eq!(
        warnings_of("[admin]\nlisten = \"10.0.0.1:1\"\ntoken = \"short\""),
        [
            "x.toml:2:10: 10.0.0.1:1 takes the token unencrypted from the network; \
         put a TLS proxy in front, or use a Unix socket",
            "x.toml:3:9: this token has only 5 bytes; use 16 or more random characters",
        ]
    );
}

#[test]
fn a_proxy_is_scheme_host_and_port_and_has_both_credentials_or_none() {
    let good = |keys: &str| endpoint_says(keys, &[]);
    good("proxy = \"http://proxy.example.com:3128\"");
    good("proxy = \"https://[2001:db8::1]:3129/\"");
    good("proxy = { url = \"http://10.0.0.1:3128\", username = \"radhook\", password = { env = \"CRM_SECRET\" } }");
    endpoint_says("proxy = 3128", &["x.toml:4:9: `proxy` must be a table, found the integer 3128"]);
    endpoint_says(
        "proxy = {}",
        &["x.toml:4:9: [endpoint.proxy] needs `url`; add url = \"http://proxy.example.com:3128\""],
    );
    endpoint_says(
        "proxy = \"socks5://10.0.0.1\"",
        &["x.toml:4:9: `proxy` has the scheme \"socks5\"; only https and http are spoken"],
    );
    endpoint_says(
        "proxy = \"http://radhook:sesame@proxy.example.com\"",
        &["x.toml:4:9: `proxy` holds a user name or password; write them apart: \
           proxy = { url = \"…\", username = \"…\", password = { file = \"…\" } }"],
    );
    endpoint_says(
        "proxy = { url = \"http://proxy.example.com/crm\" }",
        &["x.toml:4:17: `url` of a proxy has a path; write scheme, host and port: \"http://proxy.example.com:3128\""],
    );
    endpoint_says(
        "proxy = { url = \"http://proxy.example.com\", username = \"radhook\" }",
        &["x.toml:4:56: `proxy` has a username and no password; add password"],
    );
    endpoint_says(
        "proxy = { url = \"http://proxy.example.com\", password = \"open sesame, please\" }",
        &["x.toml:4:56: `proxy` has a password and no username; add username"],
    );
}

#[test]
fn what_a_body_is_compressed_by_is_said_once() {
    let headers = "headers = { Content-Encoding = \"gzip\" }";
    endpoint_says(&format!("{headers}\ncompression = \"none\""), &[]);
    endpoint_says(
        &format!("{headers}\ncompression = \"gzip\""),
        &["x.toml:5:15: `compression` and `headers` both set Content-Encoding; keep one of them"],
    );
}

#[test]
fn the_addresses_of_proxy_and_receiver_are_both_judged() {
    let why = "link-local, where cloud hosts serve their metadata; requests never go there";
    endpoint_says("proxy = \"http://169.254.1.1\"", &[&format!("x.toml:4:9: `proxy` leads to 169.254.1.1: {why}")]);
    says(
        "[[endpoint]]\nname = \"x\"\nurl = \"https://169.254.1.1/\"\nproxy = \"http://10.0.0.1:3128\"",
        &[&format!("x.toml:3:7: `url` leads to 169.254.1.1: {why}")],
    );
}

#[test]
fn what_stays_here_does_not_by_a_proxy_elsewhere() {
    let to_loopback = "[[endpoint]]\nname = \"x\"\nurl = \"http://127.0.0.1/\"\n";
    says(&format!("{to_loopback}proxy = \"http://127.0.0.1:3128\""), &[]);
    says(
        &format!("{to_loopback}proxy = \"http://proxy.example.com:3128\""),
        &[
            "x.toml:3:7: `url` is http to another host, which sends everything unencrypted; use https, or set insecure_http = true",
        ],
    );
    let auth = "auth = { type = \"token\", url = \"http://127.0.0.1/\", field = \"t\" }";
    endpoint_says(&format!("{auth}\nproxy = \"http://localhost:3128\""), &[]);
    endpoint_says(
        &format!("{auth}\nproxy = \"http://10.0.0.1:3128\""),
        &["x.toml:4:8: `auth` asks for its token by http, which the proxy would see with its password; use https"],
    );
}
