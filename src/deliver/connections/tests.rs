use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::post;
use http::StatusCode;
use reqwest::dns::{Addrs, Name, Resolving};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;

use super::*;
use crate::deliver::options::{BatchOptions, Compression, Format, Order, RetryOptions, Verify};

/// A name with addresses of the test's choice, ports included; counts how often it is asked.
struct Stub {
    addresses: Mutex<Vec<SocketAddr>>,
    asked: AtomicUsize,
}

impl Stub {
    fn of(addresses: &[SocketAddr]) -> Arc<Self> {
        Arc::new(Self { addresses: Mutex::new(addresses.to_vec()), asked: AtomicUsize::new(0) })
    }

    fn leads_to(&self, address: SocketAddr) {
        *self.addresses.lock().unwrap() = vec![address];
    }
}

impl Resolve for Stub {
    fn resolve(&self, _: Name) -> Resolving {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let addresses = self.addresses.lock().unwrap().clone();
        Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) })
    }
}

fn options(url: &str, timeout: Duration) -> EndpointOptions {
    EndpointOptions {
        name: "crm".into(),
        description: None,
        url: url.parse().unwrap(),
        method: http::Method::POST,
        timeout,
        order: Order::Session,
        concurrency: 4,
        rate: None,
        disable_after: None,
        enabled: true,
        headers: Vec::new(),
        auth: AuthOptions::None,
        signature: None,
        retry: RetryOptions { schedule: Vec::new(), jitter: 0.0, max_age: None, endless: false },
        templates: Arc::default(),
        format: Format::Native,
        batch: BatchOptions::default(),
        verify: Verify::None,
        log_bodies: false,
        ca: None,
        tls13_only: false,
        egress: Arc::default(),
        proxy: None,
        compression: Compression::None,
    }
}

/// Answers 204, to `/slow` only once it is let.
async fn receiver(slow: &Arc<Notify>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let slow = Arc::clone(slow);
    let wait = move || async move {
        slow.notified().await;
        StatusCode::NO_CONTENT
    };
    let routes = Router::new().route("/", post(|| async { StatusCode::NO_CONTENT })).route("/slow", post(wait));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

/// Where nothing listens.
async fn refusing(ip: std::net::IpAddr) -> SocketAddr {
    TcpListener::bind((ip, 0)).await.unwrap().local_addr().unwrap()
}

/// An address that answers nothing, as behind a firewall that drops: its queue of connections is full. What is returned
/// keeps it so.
async fn silent(ip: std::net::IpAddr) -> (SocketAddr, (tokio::net::TcpListener, Vec<TcpStream>)) {
    let socket = if ip.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }.unwrap();
    socket.bind((ip, 0).into()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        queued.push(stream);
    }
    (address, (listener, queued))
}

async fn post_by(http: &Http, url: &str) -> Result<u16, String> {
    http.client.post(url).send().await.map(|answer| answer.status().as_u16()).map_err(|error| http.describe(&error))
}

const URL: &str = "http://crm.example.com/";

#[tokio::test]
async fn a_name_is_looked_up_again_after_minutes_and_what_is_under_way_finishes_where_it_began() {
    let slow = Arc::new(Notify::new());
    let (old, new) = (receiver(&slow).await, receiver(&slow).await);
    let stub = Stub::of(&[old]);
    let start = Instant::now();
    let connections =
        Connections::resolved_by(&options(URL, Duration::from_secs(60)), stub.clone() as Arc<dyn Resolve>, start)
            .unwrap();
    let http = connections.at(start);
    assert_eq!(post_by(&http, URL).await, Ok(204));
    let under_way = tokio::spawn({
        let http = http.clone();
        async move { post_by(&http, "http://crm.example.com/slow").await }
    });
    stub.leads_to(new);

    let before = connections.at(start + RENEWED - Duration::from_millis(1));
    assert_eq!(post_by(&before, URL).await, Ok(204));
    let asked = stub.asked.load(Ordering::SeqCst);
    let after = connections.at(start + RENEWED);
    assert_eq!(post_by(&after, URL).await, Ok(204));
    assert_eq!(stub.asked.load(Ordering::SeqCst), asked + 1, "a new connection, and a new look at the name");
    // And not once more until the time is over again.
    assert_eq!(post_by(&connections.at(start + RENEWED + RENEWED / 2), URL).await, Ok(204));
    assert_eq!(stub.asked.load(Ordering::SeqCst), asked + 1);
    slow.notify_one();
    assert_eq!(under_way.await.unwrap(), Ok(204));
}

#[tokio::test]
async fn connections_to_an_address_are_kept_unless_a_proxys_name_stands_before_it() {
    let by_name = has_name;
    let timeout = Duration::from_secs(1);
    assert!(by_name(&options("https://crm.example.com/", timeout)));
    assert!(!by_name(&options("https://192.0.2.1/", timeout)) && !by_name(&options("https://[2001:db8::1]/", timeout)));
    let through = |receiver: &str, proxy: &str| {
        let proxy = ProxyOptions { url: proxy.parse().unwrap(), credentials: None };
        EndpointOptions { proxy: Some(proxy), ..options(receiver, timeout) }
    };
    assert!(by_name(&through("https://192.0.2.1/", "http://proxy.example.com:3128")));
    assert!(!by_name(&through("https://crm.example.com/", "http://192.0.2.1:3128")));
}

#[tokio::test]
async fn of_two_addresses_the_one_that_works_is_used_whichever_family_the_dead_one_has() {
    let good = receiver(&Arc::default()).await;
    let timeout = Duration::from_secs(6);
    let (v4, v6) = (Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
    let (silent4, _full4) = silent(v4).await;
    let (silent6, _full6) = silent(v6).await;
    let refusing6 = refusing(v6).await;
    for (what, dead) in [
        ("refused, IPv6", refusing6),
        ("silent, IPv6", silent6),
        ("refused, IPv4", refusing(v4).await),
        ("silent, IPv4", silent4),
    ] {
        for addresses in [[dead, good], [good, dead]] {
            let stub = Stub::of(&addresses) as Arc<dyn Resolve>;
            let connections = Connections::resolved_by(&options(URL, timeout), stub, Instant::now()).unwrap();
            let begun = Instant::now();
            assert_eq!(post_by(&connections.current(), URL).await, Ok(204), "{what}: {addresses:?}");
            assert!(begun.elapsed() < timeout, "{what}: after {:?}", begun.elapsed());
        }
    }
}

#[tokio::test]
async fn what_cannot_be_connected_to_in_time_is_said_to_be_so() {
    let (silent, _full) = silent(Ipv4Addr::LOCALHOST.into()).await;
    let options = options(URL, Duration::from_millis(400));
    let connections =
        Connections::resolved_by(&options, Stub::of(&[silent]) as Arc<dyn Resolve>, Instant::now()).unwrap();
    let error = post_by(&connections.current(), URL).await.unwrap_err();
    assert_eq!(error, "cannot connect: nobody answered in time");
}
