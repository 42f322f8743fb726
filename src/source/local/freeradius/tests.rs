use jiff::tz::TimeZone;

use super::*;
use crate::radius::Method;
use crate::secret::Secret;
use crate::source::client::{Client, Requirement};

/// As FreeRADIUS 3.2.1 writes it: sorted, repeats together, octets from 0x80 on escaped one by one.
const BODY: &str = r#"{"User-Name":{"type":"string","value":["h\u00C3\u00BC\"\\\u00FF"]},"User-Password":{"type":"string","value":["hunter2"]},"NAS-IP-Address":{"type":"ipaddr","value":["10.1.1.1"]},"NAS-Port":{"type":"integer","value":[7]},"Service-Type":{"type":"integer","value":["Framed-User"]},"Class":{"type":"octets","value":["0xab","0xcd"]},"Proxy-State":{"type":"octets","value":["0x01"]},"Event-Timestamp":{"type":"date","value":["Nov 22 2026 10:15:30 CET"]},"Framed-IPv6-Prefix":{"type":"ipv6prefix","value":["2001:db8::/64"]},"Attr-26.32473.250":{"type":"octets","value":["0x61"]}}"#;

fn with_reader<T>(use_it: impl FnOnce(&Reader<'_>) -> T) -> T {
    let client = Client {
        name: "campus".into(),
        network: "10.0.0.0/8".parse().unwrap(),
        secret: Secret::new("s"),
        message_authenticator: Requirement::Auto,
        swap_octets: true,
        nas_type: None,
    };
    let (dictionary, clients) = (Dictionary::shipped(), Clients::new(vec![client]));
    let zone = Zone::Of(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap());
    use_it(&Reader {
        dictionary: &dictionary,
        clients: &clients,
        zone: &zone,
        source: &"local".into(),
        received_at: "2026-11-22T09:15:31Z".parse().unwrap(),
    })
}

fn accounting(query: &str, body: &str) -> Result<Exchange, Problem> {
    let uri = format!("/freeradius/accounting{query}").parse().unwrap();
    with_reader(|reader| reader.accounting(&uri, body.as_bytes()))
}

fn post_auth(query: &str, body: &str) -> Result<Exchange, Problem> {
    let uri = format!("/freeradius/post-auth{query}").parse().unwrap();
    with_reader(|reader| reader.post_auth(&uri, body.as_bytes()))
}

fn json(attributes: &Attributes) -> Json {
    serde_json::to_value(attributes).unwrap()
}

#[test]
fn attributes_have_the_types_of_the_dictionary_and_secrets_are_gone() {
    let exchange = accounting("?client=10.0.0.1", BODY).unwrap();
    assert_eq!(
        json(&exchange.request),
        serde_json::json!({
            "User-Name": "hü\"\\\\\\xff", "NAS-IP-Address": "10.1.1.1", "NAS-Port": 7, "Service-Type": "Framed-User",
            "Class": ["0xab", "0xcd"], "Event-Timestamp": "2026-11-22T09:15:30.000Z",
            "Framed-IPv6-Prefix": "2001:db8::/64", "Attr-26.32473.250": "0x61",
        })
    );
    assert_eq!(exchange.request.get(numbers::USER_PASSWORD), Some(&Value::Redacted));
    assert_eq!(exchange.code, Code::ACCOUNTING_REQUEST);
    assert!(exchange.swap_octets, "as [[client]] says");
    assert_eq!((&*exchange.origin.client, exchange.origin.address.to_string()), ("campus", "10.0.0.1".to_owned()));
}

#[test]
fn where_nobody_says_it_came_from_it_came_from_this_host() {
    let exchange = accounting("", "{}").unwrap();
    assert_eq!((&*exchange.origin.client, exchange.origin.kind), ("127.0.0.1", "local"));
    assert_eq!(accounting("?client=2001:db8::1", "{}").unwrap().origin.address.to_string(), "2001:db8::1");
    // An attribute that does not exist expands to nothing.
    assert!(accounting("?client=", "{}").is_ok());
}

#[test]
fn a_login_is_told_by_the_query() {
    let exchange = post_auth(
        "?result=Access-Accept&client=10.0.0.1&authenticator=0x3f0e4c7a52d18b6e9a530c5d8a1be1f2&method=PEAP\
         &reply:Reply-Message=hello%20%22you%22%2C%20%C3%BC&reply:Session-Timeout=3600&reply:Class=0xab01\
         &reply:Tunnel-Private-Group-Id:1=20&reply:Filter-Id=&reply:MS-MPPE-Send-Key=0x61",
        BODY,
    )
    .unwrap();
    let reply = exchange.reply.unwrap();
    assert_eq!(reply.code, Code::ACCESS_ACCEPT);
    assert_eq!(
        json(&reply.attributes),
        serde_json::json!({ "Reply-Message": "hello \"you\", ü", "Session-Timeout": 3600, "Class": "0xab01",
            "Tunnel-Private-Group-Id:1": "20" })
    );
    assert_eq!(exchange.code, Code::ACCESS_REQUEST);
    assert_eq!(exchange.login.authenticator.unwrap()[..2], [0x3f, 0x0e]);
    assert_eq!(exchange.login.method, Method::named("PEAP"));
    assert_eq!((&*exchange.origin.client, exchange.swap_octets), ("campus", true));
}

#[test]
fn a_login_may_be_told_by_marker_attributes_but_the_query_goes_first() {
    let body = r#"{"User-Name":{"type":"string","value":["bob"]},"Radhook-Client":{"type":"string","value":["10.0.0.1"]},
        "Radhook-Result":{"type":"string","value":["Access-Reject"]},"Calling-Station-Id":{"type":"string","value":["x"]}}"#;
    let exchange = post_auth("", body).unwrap();
    assert_eq!(exchange.reply.unwrap().code, Code::ACCESS_REJECT);
    assert_eq!(exchange.origin.address.to_string(), "10.0.0.1");
    assert_eq!(json(&exchange.request), serde_json::json!({ "User-Name": "bob", "Calling-Station-Id": "x" }));

    let exchange = post_auth("?result=Access-Accept&client=10.0.0.2", body).unwrap();
    let reply = exchange.reply.unwrap();
    assert_eq!((reply.code, reply.attributes.len()), (Code::ACCESS_ACCEPT, 0));
    assert_eq!(exchange.origin.address.to_string(), "10.0.0.2");
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    let told = |result: Result<Exchange, Problem>| result.unwrap_err().to_string();
    assert_eq!(
        told(post_auth("", "{}")),
        "query: nothing says what the login came to: add result=%{reply:Packet-Type}"
    );
    assert_eq!(told(post_auth("?client=x", "{}")), "query: client is no address");
    assert_eq!(
        told(post_auth("?authenticator=0x+f0e4c7a52d18b6e9a530c5d8a1be1f", "{}")),
        "query: authenticator is not 0x and 32 hexadecimal digits"
    );
    assert_eq!(
        told(accounting("?resutl=x", "{}")),
        "query: resutl is not known: result, client, authenticator, method and reply:<attribute> are"
    );
    assert_eq!(
        told(accounting("?result=Access-Accept", "{}")),
        "query: Radhook-Result belongs to post-auth; accounting takes client only"
    );
    assert!(told(accounting("", "[]")).starts_with("body: it is no object of attributes"));
    assert!(told(accounting("", "{\n\"a\":")).starts_with("line 2, column 4: it is no JSON"));
    assert_eq!(told(accounting("", r#"{"A":"b"}"#)), "A: it has no value; {\"type\": …, \"value\": […]} is expected");
    assert_eq!(told(accounting("", r#"{"A":{"value":[{}]}}"#)), "A: it has a value that is neither text nor number");
    let many = format!(r#"{{"A":{{"value":[{}1]}}}}"#, "1,".repeat(MAX_VALUES));
    assert_eq!(told(accounting("", &many)), "body: it has more than 2048 values");
}

#[test]
fn a_body_that_is_not_ascii_has_its_letters_whole() {
    let name = |body: &str| accounting("", body).unwrap().request.get(numbers::USER_NAME).cloned();
    let text = |text: &str| Some(Value::Text(text.into()));
    assert_eq!(name(r#"{"User-Name":{"type":"string","value":"hü"}}"#), text("hü"));
    assert_eq!(name(r#"{"User-Name":{"type":"string","value":"h\u00C3\u00BC"}}"#), text("hü"));
    assert_eq!(name(r#"{"User-Name":{"type":"string","value":"\u20ac"}}"#), text("€"));
}
