//! The table: what each receiver does, and what its deliveries come to.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use rustls::version::TLS12;

use super::case::ComesTo::{Delivered, DeliveredAtLast, Due, Failed, Over, Refused, Unconnected};
use super::case::{Case, SCHEDULE, at, plain};
use super::receiver::{Receiver, Talk, begins, says};
use super::tls::{Authority, NO_COMMON_VERSION, hello_of_tls_1_1};

const TAKEN: &str = "HTTP/1.1 204 No Content\r\n\r\n";

const MEGABYTE: usize = 1_000_000;

/// Every row. `elsewhere` is where redirects lead: nobody may ask there.
pub fn rows(authority: &Authority, elsewhere: &str) -> Vec<Case> {
    let mut rows = connections();
    rows.extend(answers());
    rows.extend(redirects(elsewhere));
    rows.extend(informational());
    rows.extend(much());
    rows.extend(statuses());
    rows.extend(retry_after());
    rows.extend(names());
    rows.extend(tls(authority));
    rows
}

/// Receivers that get no further than their connection.
fn connections() -> Vec<Case> {
    vec![
        at("nobody listens", Receiver::absent(), Failed("refused")),
        at("never accepts", Receiver::with_a_full_queue(), Unconnected),
        plain("resets at once", Box::new(Talk::reset), Failed("connect")),
        plain("closes at once", Box::new(|_| Ok(())), Failed("connect")),
        plain("resets after the request", begins("", Talk::reset), Failed("reset")),
        plain("closes after the request", begins("", |_| Ok(())), Failed("closed")),
        plain("never answers", begins("", Talk::until_left), Over),
    ]
}

/// Receivers whose answer is none, or not whole, or more than one.
fn answers() -> Vec<Case> {
    let ok = "HTTP/1.1 200 OK\r\n";
    let with = |rest: &str| format!("{ok}{rest}");
    let until_left = |name: &str, answer: String, comes_to| plain(name, begins(answer, Talk::until_left), comes_to);
    let and_closes = |name: &str, answer: String, comes_to| plain(name, begins(answer, |_| Ok(())), comes_to);
    vec![
        plain("head drips", begins(with("X-Drip: "), Talk::drip), Over),
        until_left("status line, then silence", with(""), Over),
        plain("status line, then closes", begins(ok, |_| Ok(())), Failed("request failed")),
        plain("body drips", begins(with("Content-Length: 100000\r\n\r\n"), Talk::drip), Over),
        until_left("body does not come", with("Content-Length: 2\r\n\r\n"), Over),
        plain("200, then resets", begins(with("Content-Length: 9\r\n\r\nhalf"), Talk::reset), Failed("reset")),
        and_closes("length too long", with("Content-Length: 9\r\n\r\nhalf"), Failed("end of file")),
        and_closes("length too short", with("Content-Length: 2\r\n\r\nthis is more"), Delivered(200)),
        until_left("length too short, stays", with("Content-Length: 2\r\n\r\nthis is more"), Delivered(200)),
        until_left("two lengths", with("Content-Length: 2\r\nContent-Length: 4\r\n\r\nokok"), Failed("request failed")),
        until_left("length below zero", with("Content-Length: -1\r\n\r\n"), Failed("request failed")),
        until_left("chunk without a size", with("Transfer-Encoding: chunked\r\n\r\nzz\r\n"), Failed("request failed")),
        and_closes("no length, closes", with("\r\nall of it"), Delivered(200)),
        until_left("no length, stays", with("\r\nall of it"), Over),
        plain("204 with a body", says("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"), Delivered(204))
            .whole(),
        // What comes unasked must not be taken for the answer to the next delivery.
        plain(
            "two answers to each",
            says(format!("{TAKEN}HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")),
            Delivered(204),
        )
        .whole(),
        until_left("garbage", "SSH-2.0-OpenSSH_9.2\r\n".to_owned(), Failed("request failed")),
        until_left("zeros", "\0".repeat(1000), Failed("request failed")),
        and_closes("HTTP/0.9", "<html>taken</html>\n".to_owned(), Failed("request failed")),
        and_closes("HTTP/3.7", "HTTP/3.7 200 OK\r\n\r\n".to_owned(), Failed("request failed")),
        and_closes("status of two digits", "HTTP/1.1 20 OK\r\n\r\n".to_owned(), Failed("request failed")),
        and_closes("status of four digits", "HTTP/1.1 2000 OK\r\n\r\n".to_owned(), Failed("request failed")),
        and_closes("header without a colon", with("no colon here\r\n\r\n"), Failed("request failed")),
        plain("sets a cookie", says("HTTP/1.1 204 No Content\r\nSet-Cookie: a=b; Path=/\r\n\r\n"), Delivered(204))
            .whole(),
        plain("keeps alive and closes", begins(TAKEN, |_| Ok(())), DeliveredAtLast).whole(),
        plain("keeps alive and resets", begins(TAKEN, Talk::reset), DeliveredAtLast).whole(),
    ]
}

/// Redirects, which are not followed: neither there nor in circles.
fn redirects(elsewhere: &str) -> Vec<Case> {
    let redirect = |status: u16| {
        let says = says(format!("HTTP/1.1 {status} There\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n"));
        plain(format!("{status} to another port"), says, Refused(status))
    };
    let to_itself = "HTTP/1.1 302 Found\r\nLocation: /hook\r\nContent-Length: 0\r\n\r\n";
    let mut rows = [301, 302, 303, 307, 308].map(redirect).into_iter().collect::<Vec<_>>();
    rows.push(plain("302 to itself", says(to_itself), Refused(302)));
    rows
}

/// Answers that are not final.
fn informational() -> Vec<Case> {
    let (go_on, processing) = ("HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 102 Processing\r\n\r\n");
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
    let flood =
        |name: &str, answer: &'static str| plain(name, begins("", |talk| talk.flood(answer.as_bytes())), Over).alone();
    vec![
        plain("100, 102, 103 and 204", says([go_on, processing, hints, TAKEN].concat()), Delivered(204)).whole(),
        plain("100 and silence", begins(go_on, Talk::until_left), Over),
        plain("100 now and then", begins("", |talk| talk.now_and_then("HTTP/1.1 100 Continue\r\n\r\n")), Over),
        flood("100 without end", go_on),
        flood("102 without end", processing),
        flood("103 without end", hints),
        plain(
            "101",
            says("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
            Refused(101),
        ),
    ]
}

/// Answers that must not be kept in memory.
fn much() -> Vec<Case> {
    let flood = |name: &str, head: &str, part: &'static [u8], comes_to| {
        plain(name, begins(format!("HTTP/1.1 {head}\r\n"), |talk| talk.flood(part)), comes_to).alone()
    };
    let whole = |name: &str, answer: Vec<u8>, comes_to| plain(name, begins(answer, Talk::until_left), comes_to).alone();
    let long = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "x".repeat(MEGABYTE));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-Line: 1\r\n".repeat(10_000));
    let body = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 100 * MEGABYTE);
    let large = begins(body, |talk| (0..100).try_for_each(|_| talk.say(vec![b'x'; MEGABYTE])));
    let zeros = gzip_of_zeros();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", zeros.len());
    let chunked = "200 OK\r\nTransfer-Encoding: chunked\r\n";
    vec![
        whole("a header of 1 MB", long.into_bytes(), Failed("too large")),
        whole("10,000 headers", many.into_bytes(), Failed("too large")),
        flood("headers without end", "200 OK", b"X-Line: 0123456789\r\n", Failed("too large")),
        plain("a body of 100 MB", large, Delivered(200)).alone(),
        flood("a body without end", "200 OK\r\n", b"x", Delivered(200)),
        flood("a 500 without end", "500 No\r\n", b"x", Refused(500)),
        flood("chunks without end", chunked, b"4\r\nwxyz\r\n", Delivered(200)),
        flood("a chunk's size without end", chunked, b"0", Over),
        whole("gzip of 1 GB of zeros", [head.into_bytes(), zeros].concat(), Delivered(200)),
    ]
}

/// A gigabyte of zeros: members of 10 MB, one after the other (RFC 1952 §2.2).
fn gzip_of_zeros() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; 10 * MEGABYTE]).expect("memory takes it");
    encoder.finish().expect("memory takes it").repeat(100)
}

/// Each class of status.
fn statuses() -> Vec<Case> {
    let status = |status: u16| {
        let comes_to = if (200..300).contains(&status) { Delivered(status) } else { Refused(status) };
        plain(format!("{status}"), says(format!("HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n")), comes_to)
    };
    let statuses = [
        200, 201, 202, 204, 205, 206, 226, 299, 300, 302, 304, 305, 400, 401, 403, 404, 405, 408, 409, 410, 411, 413,
        414, 415, 418, 421, 422, 425, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 511, 520, 599,
        600, 999,
    ];
    statuses.map(status).into()
}

/// What Retry-After asks for is done from the schedule's wait upwards, to a day.
fn retry_after() -> Vec<Case> {
    let asks = |name: &str, status: u16, value: &str, minutes: i64| {
        let answer = format!("HTTP/1.1 {status} Later\r\nRetry-After: {value}\r\nContent-Length: 0\r\n\r\n");
        plain(format!("Retry-After {name}"), says(answer), Due(status, minutes))
    };
    let date = |hours: i64| {
        let at = Timestamp::now().saturating_add(SignedDuration::from_hours(hours)).expect("a span of time");
        at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    };
    let day = 24 * 60;
    vec![
        plain("no Retry-After", says("HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n"), Due(503, SCHEDULE)),
        asks("in an hour", 503, "3600", 60),
        asks("with 429", 429, "3600", 60),
        asks("with 500", 500, "3600", 60),
        asks("with 302", 302, "3600", 60),
        asks("below the schedule", 503, "1", SCHEDULE),
        asks("at once", 503, "0", SCHEDULE),
        asks("as a date", 503, &date(2), 120),
        asks("as a date gone by", 503, &date(-2), SCHEDULE),
        asks("as a date in a year", 503, &date(365 * 24), day),
        asks("in a year", 503, "31536000", day),
        asks("beyond all numbers", 503, "99999999999999999999999999", SCHEDULE),
        asks("below zero", 503, "-60", SCHEDULE),
        asks("as a fraction", 503, "3600.5", SCHEDULE),
        asks("as a word", 503, "later", SCHEDULE),
        asks("as nothing", 503, "", SCHEDULE),
    ]
}

/// Names that lead nowhere, or where no request may go.
fn names() -> Vec<Case> {
    vec![
        Case::without("a name without an address", "https://nowhere.invalid/hook", Failed("cannot connect")),
        Case::without("a name of a refused address", "https://metadata.test/hook", Failed("refused")),
    ]
}

/// Receivers that speak TLS and should not, or the other way round, or not as they should.
fn tls(authority: &Authority) -> Vec<Case> {
    let shows = |name: &str, config, comes_to| at(name, Receiver::tls(config, says(TAKEN)), comes_to).with(TRUSTING);
    let instead =
        |name: &str, conduct, comes_to| at(name, Receiver::said_to_speak_tls(conduct), comes_to).with(TRUSTING);
    let hello_and = |name: &str, answer: Vec<u8>, comes_to| {
        let conduct = move |talk: &mut Talk| {
            talk.read_something()?;
            talk.say(&answer)?;
            talk.until_left()
        };
        instead(name, Box::new(conduct), comes_to)
    };
    let http2 = |name: &str, answer: &'static str, comes_to| {
        let conduct = move |talk: &mut Talk| {
            talk.say(answer)?;
            talk.until_left()
        };
        at(name, Receiver::tls(authority.of_http2(), Box::new(conduct)), comes_to).with(TRUSTING)
    };
    let silent = |name: &str, config, comes_to| {
        at(name, Receiver::tls(config, begins("", Talk::until_left)), comes_to).with(TRUSTING)
    };
    vec![
        shows("TLS as it should be", authority.good(), Delivered(204)).whole(),
        shows("TLS 1.2 as it should be", authority.of_version(&TLS12), Delivered(204)).whole(),
        shows(
            "certificate self-signed",
            authority.self_signed(),
            Failed("the certificate's issuer is unknown: set tls.ca"),
        ),
        shows(
            "certificate of an unknown authority",
            Authority::new("another").good(),
            Failed("the certificate's issuer is unknown: set tls.ca"),
        ),
        shows("certificate expired", authority.expired(), Failed("the certificate has expired on 2021-01-01")),
        shows("certificate not yet valid", authority.of_tomorrow(), Failed("the certificate is valid from 2999-01-01")),
        shows(
            "certificate of another name",
            authority.of_another_name(),
            Failed("the certificate is for another.test, not receiver.test"),
        ),
        shows("certificate demanded", authority.demanding(), Failed("the receiver asks for a certificate of ours")),
        shows(
            "TLS 1.2 where 1.3 is demanded",
            authority.of_version(&TLS12),
            Failed("only older TLS than tls.min_version"),
        )
        .with("tls = { ca = \"ca.pem\", min_version = \"1.3\" }"),
        hello_and("TLS 1.1", hello_of_tls_1_1(), Failed("only older TLS than tls.min_version")),
        hello_and("no common version", NO_COMMON_VERSION.to_vec(), Failed("only older TLS than tls.min_version")),
        hello_and("plain HTTP instead of TLS", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Failed("cannot connect")),
        hello_and("no handshake", Vec::new(), Unconnected),
        instead("closes in the handshake", Box::new(Talk::read_something), Failed("cannot connect")),
        instead("resets in the handshake", Box::new(|talk| talk.reset()), Failed("cannot connect")),
        at(
            "TLS instead of plain HTTP",
            Receiver::not_said_to_speak_tls(authority.good(), says(TAKEN)),
            Failed("failed"),
        ),
        silent("TLS, then silence", authority.good(), Over),
        http2("HTTP/2, then silence", "", Over),
        http2("HTTP/2, then HTTP/1.1", TAKEN, Failed("request failed")),
    ]
}

/// The keys of an endpoint that trusts the authority.
const TRUSTING: &str = "tls = { ca = \"ca.pem\" }";
