//! What a request looks like on the wire, before any library has read it.

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use support::daemon::{Config, Daemon};
use support::traffic::Traffic;
use support::verbs::wait_until_status;
use support::witness::SECRET;

const NAS: &str = "nas-to-radhook";

#[test]
fn a_small_request_comes_in_one_piece_with_its_length_and_asks_for_no_leave() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback takes a TCP listener");
    let url = format!("http://{}/hook", listener.local_addr().expect("a bound listener has an address"));
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let tell = tell.clone();
            thread::spawn(move || {
                let mut buffer = vec![0; 65_536];
                // What one read finds: nothing is waited for, so that a second piece would be a second request here.
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    // The test may have seen enough.
                    let _ = tell.send(String::from_utf8(buffer[..length].to_vec()).expect("an event is text"));
                    if stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_err() {
                        return;
                    }
                }
            });
        }
    });
    let config = Config::new(directory.path(), NAS).endpoint("crm", &url, SECRET, "concurrency = 1").write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 5, 2).play_to_the_end();
    wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").delivered == 20);
    assert!(daemon.stop().success());

    let requests: Vec<String> = told.try_iter().collect();
    assert_eq!(requests.len(), 20);
    for request in requests {
        let (head, body) = request.split_once("\r\n\r\n").expect("a head and a body in one piece");
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with("post /hook http/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
        for absent in ["expect:", "transfer-encoding:", "accept-encoding:", "content-encoding:"] {
            assert!(!head.contains(absent), "{head}");
        }
        assert!(body.starts_with('{') && body.ends_with('}'), "{body}");
    }
}
