//! What a signature costs, by scheme: 1,600 octets, about an event, signed with one secret and with two.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http::HeaderName;
use jiff::Timestamp;
use radhook::deliver::options::SignatureOptions;
use radhook::deliver::sign::{DEFAULT_HEADER, KeySource, Signer};
use radhook::secret::Secret;

/// An event's id.
const ID: &str = "95576cb8-6784-8544-b813-41be26c27386";

/// `whsk_` and the base64 of a private key.
const PRIVATE: &str = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";

const SHARED: [&str; 2] = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_cmFkaG9vay1wZWVycy1iZW5jaC1zZWNyZXQ="];

fn secrets(secrets: &[&str]) -> Vec<KeySource> {
    secrets.iter().map(|secret| Secret::new(*secret).into()).collect()
}

fn sign(criterion: &mut Criterion) {
    let body = [b'x'; 1_600];
    let now = Timestamp::UNIX_EPOCH;
    let header = HeaderName::from_static(DEFAULT_HEADER);
    let mut group = criterion.benchmark_group("sign");
    group.throughput(Throughput::Bytes(body.len() as u64));
    for (name, options) in [
        ("standard", SignatureOptions::Standard { secrets: secrets(&SHARED[..1]) }),
        ("standard, two secrets", SignatureOptions::Standard { secrets: secrets(&SHARED) }),
        ("hmac-sha256", SignatureOptions::HmacSha256 { secrets: secrets(&SHARED[..1]), header, prefix: String::new() }),
        ("ed25519", SignatureOptions::Ed25519 { secrets: secrets(&[PRIVATE]) }),
    ] {
        let signer = Signer::new(&options).expect("the secrets are good");
        group.bench_function(name, |bencher| bencher.iter(|| signer.sign(ID, now, black_box(&body)).unwrap()));
    }
    group.finish();
}

criterion_group!(benches, sign);
criterion_main!(benches);
