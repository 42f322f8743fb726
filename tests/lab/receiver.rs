//! The verifying receiver, met by a real HTTP client.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, StatusCode};
use jiff::Timestamp;
use radhook::deliver::options::SignatureOptions;
use radhook::deliver::sign::Signer;
use radhook::lab::receiver::{
    Answered, Behaviour, How, MAX_BODY, Novelty, Received, Receiver, ReceiverOptions, Verdict, When,
};
use radhook::secret::Secret;
use reqwest::{Client, Response};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Longer than any machine is busy; only a test that fails waits for it.
const LONG: Duration = Duration::from_secs(60);

fn standard(secret: &str) -> Signer {
    Signer::new(&SignatureOptions::Standard { secrets: vec![Secret::new(secret).into()] }).unwrap()
}

struct Lab {
    receiver: Receiver,
    reports: UnboundedReceiver<Received>,
    client: Client,
    signer: Signer,
}

impl Lab {
    async fn new(signer: Signer) -> Self {
        let (tell, reports) = unbounded_channel();
        let options = ReceiverOptions {
            listen: "127.0.0.1:0".parse().unwrap(),
            signer: Some(signer.clone()),
            tolerance: Some(Duration::from_secs(300)),
        };
        let report = move |received: &Received| tell.send(received.clone()).unwrap();
        let receiver = Receiver::start(options, report).await.unwrap();
        Self { receiver, reports, client: Client::new(), signer }
    }

    async fn post(&self, signer: &Signer, id: &str, body: &str, timeout: Duration) -> reqwest::Result<Response> {
        let headers = signer.sign(id, Timestamp::now(), body.as_bytes()).unwrap().into_iter().collect();
        let request = self.client.post(self.receiver.url()).headers(headers).timeout(timeout);
        request.body(body.to_owned()).send().await
    }

    /// Sends an event of session `s-1` and says the status.
    async fn send(&self, id: &str, kind: &str, duration: u64) -> StatusCode {
        self.post(&self.signer, id, &event(id, kind, duration), LONG).await.unwrap().status()
    }

    /// The next request's report.
    async fn report(&mut self) -> Received {
        tokio::time::timeout(LONG, self.reports.recv()).await.unwrap().unwrap()
    }

    /// Sends an event and gives its report.
    async fn reported(&mut self, id: &str, kind: &str, duration: u64) -> Received {
        self.send(id, kind, duration).await;
        self.report().await
    }
}

fn event(id: &str, kind: &str, duration: u64) -> String {
    json!({
        "id": id,
        "type": kind,
        "data": {
            "user": { "name": "alice@example.org" },
            "client": { "mac": "02-1A-00-00-00-01" },
            "session": { "id": "s-1", "duration": duration },
        },
    })
    .to_string()
}

const UNAVAILABLE: Answered = Answered::Status(StatusCode::SERVICE_UNAVAILABLE);
const TAKEN: Answered = Answered::Status(StatusCode::NO_CONTENT);

#[tokio::test]
async fn a_rightly_signed_event_is_taken_and_reported_with_what_it_says() {
    let mut lab = Lab::new(standard("key")).await;
    assert_eq!(lab.send("e-1", "session.start", 0).await, 204);
    let received = lab.report().await;
    assert_eq!((&received.verdict, received.novelty, received.answered), (&Verdict::Verified, Novelty::New, TAKEN));
    let facts =
        [&received.facts.id, &received.facts.kind, &received.facts.user, &received.facts.mac, &received.facts.session];
    assert_eq!(
        facts.map(Option::as_deref),
        [Some("e-1"), Some("session.start"), Some("alice@example.org"), Some("02-1A-00-00-00-01"), Some("s-1")]
    );
    assert_eq!(received.body, event("e-1", "session.start", 0));
    assert_eq!(received.headers["webhook-id"], "e-1");
    assert_eq!(lab.receiver.records().len(), 1);
}

#[tokio::test]
async fn a_request_that_is_not_believed_gets_401_and_its_reason() {
    let mut lab = Lab::new(standard("key")).await;
    let answer = lab.post(&standard("another"), "e-1", &event("e-1", "session.start", 0), LONG).await.unwrap();
    assert_eq!(answer.status(), 401);
    assert!(matches!(lab.report().await.verdict, Verdict::Refused(reason) if reason.contains("no signature matches")));
    let unsigned = lab.client.post(lab.receiver.url()).body("{}").send().await.unwrap();
    assert_eq!(unsigned.status(), 401);
    assert!(matches!(lab.report().await.verdict, Verdict::Refused(reason) if reason.contains("webhook-id is missing")));
    // The refused one was not taken for the event it claimed to be.
    assert_eq!(lab.reported("e-1", "session.start", 0).await.novelty, Novelty::New);
    let summary = lab.receiver.summary();
    assert_eq!((summary.requests, summary.refused, summary.taken), (3, 2, 1));
}

#[tokio::test]
async fn a_signature_of_the_body_alone_is_verified_too() {
    let scheme = SignatureOptions::HmacSha256 {
        secrets: vec![Secret::new("key").into()],
        header: HeaderName::from_static("x-signature"),
        prefix: "sha256=".to_owned(),
    };
    let mut lab = Lab::new(Signer::new(&scheme).unwrap()).await;
    let received = lab.reported("e-1", "session.start", 0).await;
    assert_eq!((received.verdict, received.facts.id.as_deref()), (Verdict::Verified, Some("e-1")));
    assert_eq!(lab.post(&standard("key"), "e-2", "{}", LONG).await.unwrap().status(), 401);
}

#[tokio::test]
async fn without_a_secret_everything_is_believed_unchecked() {
    let (tell, mut reports) = unbounded_channel();
    let options = ReceiverOptions { listen: "127.0.0.1:0".parse().unwrap(), signer: None, tolerance: None };
    let report = move |received: &Received| tell.send(received.clone()).unwrap();
    let receiver = Receiver::start(options, report).await.unwrap();
    let answer = Client::new().post(receiver.url()).header("idempotency-key", "e-9").body("no JSON").send().await;
    assert_eq!(answer.unwrap().status(), 204);
    let received = reports.recv().await.unwrap();
    assert_eq!((received.verdict, received.facts.id.as_deref()), (Verdict::Unchecked, Some("e-9")));
    assert_eq!(received.facts.kind, None);
}

#[tokio::test]
async fn the_first_fail_their_retry_is_taken_and_a_repeat_is_noticed() {
    let mut lab = Lab::new(standard("key")).await;
    lab.receiver.behave(Behaviour { when: When::First(2), ..Behaviour::default() });
    let mut seen = Vec::new();
    for _ in 0..4 {
        let received = lab.reported("e-1", "session.start", 0).await;
        seen.push((received.novelty, received.answered));
    }
    let expected =
        [(Novelty::New, UNAVAILABLE), (Novelty::Retry, UNAVAILABLE), (Novelty::Retry, TAKEN), (Novelty::Repeat, TAKEN)];
    assert_eq!(seen, expected);
    let summary = lab.receiver.summary();
    assert_eq!((summary.taken, summary.failed, summary.retries, summary.repeats), (1, 2, 2, 1));
    assert_eq!(summary.out_of_order, 0);
}

#[tokio::test]
async fn behaviour_changes_while_it_runs() {
    let lab = Lab::new(standard("key")).await;
    lab.receiver.behave(Behaviour::status(StatusCode::GONE));
    assert_eq!(lab.send("e-1", "session.start", 0).await, 410);
    lab.receiver.behave(Behaviour { when: When::Share(0.5), ..Behaviour::default() });
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(lab.send("e-1", "session.start", 0).await.as_u16());
    }
    assert_eq!(statuses, [204, 503, 204, 503]);
    lab.receiver.behave(Behaviour { when: When::For(LONG), ..Behaviour::default() });
    assert_eq!(lab.send("e-1", "session.start", 0).await, 503);
    lab.receiver.behave(Behaviour::default());
    assert_eq!(lab.send("e-1", "session.start", 0).await, 204);
}

#[tokio::test]
async fn a_hanging_receiver_never_answers() {
    let mut lab = Lab::new(standard("key")).await;
    lab.receiver.behave(Behaviour { when: When::Always, how: How::Hang, ..Behaviour::default() });
    let short = Duration::from_secs(1);
    let error = lab.post(&lab.signer, "e-1", &event("e-1", "session.start", 0), short).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(lab.report().await.answered, Answered::Hung);
    lab.receiver.behave(Behaviour::default());
    let received = lab.reported("e-1", "session.start", 0).await;
    assert_eq!((received.novelty, received.disorder), (Novelty::Retry, None));
}

#[tokio::test]
async fn a_closing_receiver_drops_the_connection_without_an_answer() {
    let mut lab = Lab::new(standard("key")).await;
    lab.receiver.behave(Behaviour { when: When::Always, how: How::Close, ..Behaviour::default() });
    let error = lab.post(&lab.signer, "e-1", &event("e-1", "session.start", 0), LONG).await.unwrap_err();
    assert!(!error.is_timeout(), "{error:?}");
    assert_eq!(lab.report().await.answered, Answered::Closed);
}

#[tokio::test]
async fn a_dripping_body_does_not_end() {
    let mut lab = Lab::new(standard("key")).await;
    let every = Duration::from_millis(5);
    lab.receiver.behave(Behaviour { when: When::Always, how: How::Drip { every }, ..Behaviour::default() });
    let mut answer = lab.post(&lab.signer, "e-1", &event("e-1", "session.start", 0), LONG).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.content_length()), (200, None));
    for _ in 0..5 {
        assert_eq!(answer.chunk().await.unwrap().unwrap(), ".");
    }
    assert_eq!(lab.report().await.answered, Answered::Dripped);
}

#[tokio::test]
async fn a_sender_that_leaves_a_slow_receiver_has_delivered_nothing() {
    let mut lab = Lab::new(standard("key")).await;
    lab.receiver.behave(Behaviour { delay: LONG, ..Behaviour::default() });
    let short = Duration::from_secs(1);
    let error = lab.post(&lab.signer, "e-1", &event("e-1", "session.start", 0), short).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(lab.report().await.answered, Answered::SenderLeft);
    lab.receiver.behave(Behaviour { delay: Duration::from_millis(1), ..Behaviour::default() });
    let received = lab.reported("e-1", "session.start", 0).await;
    assert_eq!((received.novelty, received.answered, received.disorder), (Novelty::Retry, TAKEN, None));
    let summary = lab.receiver.summary();
    assert_eq!((summary.left, summary.taken), (1, 1));
}

#[tokio::test]
async fn order_within_a_session_is_watched() {
    let mut lab = Lab::new(standard("key")).await;
    assert_eq!(lab.reported("e-1", "session.start", 0).await.disorder, None);
    assert_eq!(lab.reported("e-3", "session.stop", 900).await.disorder, None);
    let late = lab.reported("e-2", "session.update", 300).await;
    assert_eq!(late.disorder.as_deref(), Some("it comes after the session's stop"));
    assert_eq!(lab.receiver.summary().out_of_order, 1);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let mut lab = Lab::new(standard("key")).await;
    let longest = "x".repeat(MAX_BODY);
    assert_eq!(lab.post(&lab.signer, "e-1", &longest, LONG).await.unwrap().status(), 204);
    lab.report().await;
    // The sender may see the connection close while it still writes, instead of the answer.
    let answer = lab.post(&lab.signer, "e-2", &(longest + "x"), LONG).await;
    assert!(answer.map_or(true, |answer| answer.status() == 413));
    let received = lab.report().await;
    assert_eq!(received.answered, Answered::Status(StatusCode::PAYLOAD_TOO_LARGE));
    assert!(matches!(received.verdict, Verdict::Refused(reason) if reason.contains("longer than 4194304 bytes")));
}

#[tokio::test]
async fn records_are_kept_up_to_a_limit_oldest_dropped_first() {
    let lab = Lab::new(standard("key")).await;
    let large = "x".repeat(MAX_BODY);
    for number in 0..17 {
        lab.post(&lab.signer, &format!("e-{number}"), &large, LONG).await.unwrap();
    }
    let records: Vec<Arc<Received>> = lab.receiver.records();
    assert_eq!(records.len(), 16, "16 of 4 MiB fill 64 MiB");
    assert_eq!(records[0].facts.id.as_deref(), Some("e-1"));
    assert_eq!(lab.receiver.summary().taken, 17);
}

#[tokio::test]
async fn a_dropped_receiver_listens_no_more() {
    let lab = Lab::new(standard("key")).await;
    let (url, client) = (lab.receiver.url(), lab.client.clone());
    assert_eq!(lab.send("e-1", "session.start", 0).await, 204);
    drop(lab);
    // The kept connection ends too, not only the listening socket. Both end on the runtime, after the drop.
    let gone = async {
        while client.post(&url).body("{}").send().await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, gone).await.unwrap();
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let lab = Lab::new(standard("key")).await;
    let options = ReceiverOptions { listen: lab.receiver.address(), signer: None, tolerance: None };
    let error = Receiver::start(options, |_| {}).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("listen on {}: ", lab.receiver.address())), "{error}");
}
