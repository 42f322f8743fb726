use serde_json::json;

use super::*;

fn options(content_type: &'static str, body: &str) -> TokenOptions {
    TokenOptions {
        url: "https://example.com/login".parse().unwrap(),
        method: Method::POST,
        headers: Vec::new(),
        body: body.to_owned(),
        content_type: HeaderValue::from_static(content_type),
        username: Some("u\"ser{{ password }}".to_owned()),
        password: Some(Secret::new("p&s=%")),
        field: "auth.token".to_owned(),
        refresh: Duration::from_secs(1800),
    }
}

#[test]
fn user_and_password_are_written_as_the_body_demands_and_cannot_break_out() {
    let body = |kind, body| String::from_utf8(options(kind, body).filled_body()).unwrap();
    assert_eq!(
        body("application/json", r#"{"u":"{{ username }}","p":"{{ password }}","x":"{{ other }}"}"#),
        r#"{"u":"u\"ser{{ password }}","p":"p&s=%","x":"{{ other }}"}"#
    );
    assert_eq!(
        body("application/x-www-form-urlencoded", "u={{ username }}&p={{ password }}"),
        "u=u%22ser%7B%7B%20password%20%7D%7D&p=p%26s%3D%25"
    );
    assert_eq!(body("text/plain", "{{ password }}"), "p&s=%");
    assert!(!options("text/plain", "fixed").asks_in_body());
}

#[test]
fn a_token_stands_under_its_dotted_field() {
    let answer = json!({ "auth": { "token": "abc", "list": [{ "t": "second" }], "no": "" } });
    let read = |field| token(&answer, field, Duration::from_secs(60)).map(|granted| granted.token);
    assert_eq!(read("auth.token").as_deref(), Ok("abc"));
    assert_eq!(read("auth.list.0.t").as_deref(), Ok("second"));
    for field in ["auth", "auth.no", "auth.none", "token", "auth.list.x"] {
        assert!(read(field).is_err(), "{field}");
    }
}

#[test]
fn an_oauth2_token_lasts_as_long_as_it_says() {
    let lives = |answer: Value| oauth2(&answer).map(|granted| granted.lives.as_secs());
    assert_eq!(lives(json!({ "access_token": "a", "token_type": "bearer", "expires_in": 300 })), Ok(300));
    assert_eq!(lives(json!({ "access_token": "a", "expires_in": "300" })), Ok(300));
    assert_eq!(lives(json!({ "access_token": "a" })), Ok(3_600));
    assert_eq!(lives(json!({ "access_token": "a", "expires_in": 1e300 })), Ok(365 * 86_400));
    assert_eq!(lives(json!({ "access_token": "a", "expires_in": -1 })), Ok(3_600));
    assert!(lives(json!({ "access_token": "a", "token_type": "mac" })).is_err());
    assert!(lives(json!({})).is_err());
}

#[test]
fn headers_carry_user_and_password_and_are_marked_as_sensitive() {
    let value = basic("Aladdin", &Secret::new("open sesame")).unwrap();
    assert_eq!(value, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert!(value.is_sensitive() && bearer(b"abc").unwrap().is_sensitive());
    assert_eq!(bearer(b"a\nb"), None);
}
