use super::*;

const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SIGNED_AT: i64 = 1_614_265_330;
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const RAW: &str = "a raw secret of radhook";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn secrets(secrets: &[&str]) -> Vec<KeySource> {
    secrets.iter().map(|secret| Secret::new(*secret).into()).collect()
}

fn standard(with: &[&str]) -> Signer {
    Signer::new(&SignatureOptions::Standard { secrets: secrets(with) }).unwrap()
}

fn of_body(with: &[&str], prefix: &str) -> Signer {
    let header = HeaderName::from_static("x-hub-signature-256");
    Signer::new(&SignatureOptions::HmacSha256 { secrets: secrets(with), header, prefix: prefix.into() }).unwrap()
}

fn signed(signer: &Signer, id: &str) -> HeaderMap {
    signer.sign(id, at(SIGNED_AT), BODY).unwrap().into_iter().collect()
}

fn reason(signer: &Signer, headers: &HeaderMap, body: &[u8]) -> String {
    signer.verify(headers, body, None, at(SIGNED_AT)).unwrap_err().to_string()
}

#[test]
fn the_reference_vector_of_standard_webhooks_is_met() {
    let headers = signed(&standard(&[SECRET]), ID);
    assert_eq!(headers[WEBHOOK_ID], ID);
    assert_eq!(headers[WEBHOOK_TIMESTAMP], "1614265330");
    assert_eq!(headers[WEBHOOK_SIGNATURE], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

/// Computed with the Python package standardwebhooks 1.1.0, from the base64 of the raw secret.
#[test]
fn every_active_secret_signs_encoded_or_raw() {
    let headers = signed(&standard(&[RAW, SECRET]), "3f0e4c7a-52d1-8b6e-9a53-0c5d8a1be1f2");
    let signatures = headers[WEBHOOK_SIGNATURE].to_str().unwrap();
    assert_eq!(signatures.split(' ').next(), Some("v1,5mISdkky3DIACUhfAK7WyzxC75GA8RuSAFVPgVnJ+r8="));
    for receiver in [RAW, SECRET] {
        assert_eq!(standard(&[receiver]).verify(&headers, BODY, None, at(0)), Ok(()));
    }
    assert!(reason(&standard(&["another"]), &headers, BODY).contains("in the request: 2, secrets tried: 1"));
}

/// Computed with Python's hmac and hashlib.
#[test]
fn hmac_sha256_is_lower_case_hex_of_the_body_behind_its_prefix() {
    let headers = signed(&of_body(&[RAW, "the old one"], "sha256="), ID);
    assert_eq!(headers.len(), 1);
    assert_eq!(
        headers["x-hub-signature-256"],
        "sha256=59008fe81398136a871a3b7c07d4125d1f4e43edb1b1ef52f2117b6d88b3bd58, \
         sha256=a6f9e7cd24ce5d656563c5a30d6003bf454ceae8b0b1a7a724bb02e10c3a8159"
    );
    for receiver in [RAW, "the old one"] {
        assert_eq!(of_body(&[receiver], "sha256=").verify(&headers, BODY, Some(Duration::ZERO), at(0)), Ok(()));
    }
    assert!(reason(&of_body(&["another"], "sha256="), &headers, BODY).contains("or the body was changed"));
    assert!(reason(&of_body(&[RAW], "sha1="), &headers, BODY).contains(r#"begins with "sha1=""#));
    assert!(reason(&of_body(&[RAW], ""), &HeaderMap::new(), BODY).contains("x-hub-signature-256 is missing"));
}

#[test]
fn whatever_standard_covers_cannot_be_changed() {
    let signer = standard(&[SECRET]);
    let headers = signed(&signer, ID);
    assert_eq!(signer.verify(&headers, BODY, Some(DEFAULT_TOLERANCE), at(SIGNED_AT)), Ok(()));
    assert!(reason(&signer, &headers, b"{}").contains("no signature matches"));
    for (header, value) in [(WEBHOOK_ID, "msg_other"), (WEBHOOK_TIMESTAMP, "1614265331")] {
        let mut changed = headers.clone();
        changed.insert(header, HeaderValue::from_static(value));
        assert!(reason(&signer, &changed, BODY).contains("no signature matches"), "{header}");
    }
}

#[test]
fn each_unusable_header_is_named() {
    let signer = standard(&[SECRET]);
    let headers = signed(&signer, ID);
    for header in [WEBHOOK_ID, WEBHOOK_TIMESTAMP, WEBHOOK_SIGNATURE] {
        let mut without = headers.clone();
        without.remove(header);
        assert_eq!(reason(&signer, &without, BODY), format!("the header {header} is missing"));
        let mut twice = headers.clone();
        twice.append(header, headers[header].clone());
        assert_eq!(reason(&signer, &twice, BODY), format!("the header {header} stands in the request 2 times"));
    }
    let with = |header, value| {
        let mut changed = headers.clone();
        changed.insert(header, HeaderValue::from_bytes(value).unwrap());
        reason(&signer, &changed, BODY)
    };
    assert!(with(WEBHOOK_TIMESTAMP, b"2021-02-25").contains(r#"is "2021-02-25", not a number"#));
    assert!(with(WEBHOOK_SIGNATURE, b"v1a,AAAA").contains(r#"begins with "v1,": "v1a,AAAA""#));
    assert!(with(WEBHOOK_ID, b"\xff").contains("webhook-id is not printable"));
}

#[test]
fn a_right_signature_is_refused_outside_the_tolerance() {
    let signer = standard(&[SECRET]);
    let headers = signed(&signer, ID);
    let verify = |now, tolerance| signer.verify(&headers, BODY, tolerance, at(now));
    let minute = Some(Duration::from_secs(60));
    assert_eq!(verify(SIGNED_AT + 60, minute), Ok(()));
    assert_eq!(verify(SIGNED_AT - 60, minute), Ok(()));
    assert_eq!(verify(SIGNED_AT + 61, minute), Err(VerifyError::TooOld { age: 61, tolerance: 60 }));
    assert_eq!(verify(SIGNED_AT - 61, minute), Err(VerifyError::TooNew { ahead: 61, tolerance: 60 }));
    assert_eq!(verify(0, None), Ok(()));
}

#[test]
fn unusable_options_are_refused_without_showing_the_secret() {
    let refused = |with: &[&str]| {
        let error = Signer::new(&SignatureOptions::Standard { secrets: secrets(with) }).unwrap_err().to_string();
        assert!(!error.contains("MfKQ"), "{error}");
        error
    };
    assert!(refused(&[]).contains("at least one"));
    assert_eq!(refused(&[SECRET, ""]), "secret 2 is empty");
    assert_eq!(refused(&["whsec_"]), "secret 1 is empty");
    assert!(refused(&[SECRET, "whsec_MfKQ!r8G"]).contains("secret 2 begins with whsec_"));
    assert!(refused(&["whsec_MfKQ9"]).contains("base64"));
    assert!(refused(&["whsec_MfKQ9r8"]).contains("padding"));
    let header = HeaderName::from_static(DEFAULT_HEADER);
    for prefix in ["a,b", "a\nb"] {
        let options =
            SignatureOptions::HmacSha256 { secrets: secrets(&[RAW]), header: header.clone(), prefix: prefix.into() };
        assert_eq!(Signer::new(&options).unwrap_err(), SignError::Prefix(prefix.into()));
    }
    assert!(standard(&[SECRET]).sign("a\nb", at(0), BODY).is_err());
    assert!(!format!("{:?}", standard(&[RAW])).contains(RAW));
}

/// RFC 8032 §7.1, test 1: the key pair. The signature over the reference content was computed with Python's cryptography.
const PRIVATE: &str = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const PUBLIC: &str = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

const VECTOR: &str = "v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7zgPePmPsle0zV9jSeGlHFG2NVAw==";

fn asymmetric(with: &[&str]) -> Result<Signer, SignError> {
    Signer::new(&SignatureOptions::Ed25519 { secrets: secrets(with) })
}

#[test]
fn ed25519_is_verified_by_the_public_key_alone() {
    let signer = asymmetric(&[PRIVATE]).unwrap();
    assert_eq!(signer.public_keys(), [PUBLIC]);
    let headers = signed(&signer, ID);
    assert_eq!(headers[WEBHOOK_SIGNATURE], VECTOR);
    let receiver = asymmetric(&[PUBLIC]).unwrap();
    assert_eq!(receiver.verify(&headers, BODY, Some(DEFAULT_TOLERANCE), at(SIGNED_AT)), Ok(()));
    assert!(reason(&receiver, &headers, b"{}").contains("no signature matches"));
    assert!(reason(&receiver, &signed(&standard(&[SECRET]), ID), BODY).contains(r#"begins with "v1a,""#));
    assert_eq!(receiver.sign(ID, at(0), BODY).unwrap_err(), SignError::PublicKey { number: 1 });
    // With the public key behind the private one, as other tools write it.
    let both = [&PRIVATE[5..], &PUBLIC[5..]].map(|half| STANDARD.decode(half).unwrap()).concat();
    let both = format!("whsk_{}", STANDARD.encode(both));
    assert_eq!(signed(&asymmetric(&[&both]).unwrap(), ID)[WEBHOOK_SIGNATURE], VECTOR);
    for unfit in ["whsk_", "whsk_AAAA", "whpk_AAAA", SECRET, "raw", &PRIVATE.replace("nW", "n!")] {
        assert!(asymmetric(&[PRIVATE, unfit]).is_err(), "{unfit}");
    }
}

/// A new secret, and an old one that signs until `SIGNED_AT`.
fn rotated() -> Vec<KeySource> {
    let new = Key { secret: Secret::new(RAW), until: None };
    let old = Key { secret: Secret::new(SECRET), until: Some(at(SIGNED_AT)) };
    vec![KeySource::File { path: "crm.key".into(), keys: vec![new, old] }]
}

#[test]
fn a_secret_that_has_ended_neither_signs_nor_verifies() {
    let header = HeaderName::from_static(DEFAULT_HEADER);
    let schemes = [
        (SignatureOptions::Standard { secrets: rotated() }, WEBHOOK_SIGNATURE, ' '),
        (
            SignatureOptions::HmacSha256 { secrets: rotated(), header: header.clone(), prefix: "v=".into() },
            DEFAULT_HEADER,
            ',',
        ),
    ];
    for (options, header, border) in schemes {
        let signer = Signer::new(&options).unwrap();
        let only = |secret: &str| Signer::new(&options.with_secrets(vec![Secret::new(secret).into()])).unwrap();
        let at_its_end: HeaderMap = signer.sign(ID, at(SIGNED_AT), BODY).unwrap().into_iter().collect();
        let after: HeaderMap = signer.sign(ID, at(SIGNED_AT + 1), BODY).unwrap().into_iter().collect();
        let signatures = |headers: &HeaderMap| headers[header].to_str().unwrap().split(border).count();
        assert_eq!((signatures(&at_its_end), signatures(&after)), (2, 1));
        let verifies = |secret, headers| only(secret).verify(headers, BODY, None, at(SIGNED_AT)).is_ok();
        assert!(verifies(RAW, &at_its_end) && verifies(SECRET, &at_its_end));
        assert!(verifies(RAW, &after) && !verifies(SECRET, &after));
        let old: HeaderMap = only(SECRET).sign(ID, at(SIGNED_AT), BODY).unwrap().into_iter().collect();
        assert_eq!(signer.verify(&old, BODY, None, at(SIGNED_AT)), Ok(()));
        let refused = signer.verify(&old, BODY, None, at(SIGNED_AT + 1)).unwrap_err().to_string();
        assert!(refused.contains("secrets tried: 1"), "{refused}");
    }
    let [newest, old] = [PRIVATE.to_owned(), format!("whsk_{}", STANDARD.encode([7; 32]))];
    let keys = vec![
        Key { secret: Secret::new(newest), until: None },
        Key { secret: Secret::new(old), until: Some(at(SIGNED_AT)) },
    ];
    let pairs = SignatureOptions::Ed25519 { secrets: vec![KeySource::File { path: "crm.key".into(), keys }] };
    let signer = Signer::new(&pairs).unwrap();
    let signatures = |now| signer.sign(ID, at(now), BODY).unwrap()[2].1.to_str().unwrap().split(' ').count();
    assert_eq!((signatures(SIGNED_AT), signatures(SIGNED_AT + 1)), (2, 1));
}
