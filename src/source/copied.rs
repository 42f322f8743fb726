//! Copies of logins that FreeRADIUS makes: one list of attributes in which a marker parts the request from the reply.
//!
//! They come in as Accounting-Requests without Acct-Status-Type, as records of a detail file, or posted by rlm_rest
//! (`docs/freeradius.md` has the policy that makes them):
//!
//! ```text
//! User-Name … Event-Timestamp Radhook-Client Radhook-Authenticator Radhook-Method Radhook-Result │ Reply-Message …
//! └──────────────────────────── of the request ────────────────────────────────────────────────┘ └─ of the reply ─┘
//! ```

use std::net::IpAddr;

use jiff::Timestamp;

use crate::exchange::{Exchange, Login, Origin, Reply};
use crate::radius::{Attributes, Code, Method, Value, numbers};

/// A login out of its copy.
#[derive(Debug, Clone)]
pub struct Copied {
    /// The address that the request came from at FreeRADIUS.
    pub address: Option<IpAddr>,
    /// The Access-Request's attributes.
    pub request: Attributes,
    /// The reply; its code is 0 where the result is the name of none.
    pub reply: Reply,
    /// What else the markers tell.
    pub login: Login,
}

impl Copied {
    /// As the exchange it was copied from: its address is the one the request came from at FreeRADIUS.
    pub fn into_exchange(self, origin: Origin, received_at: Timestamp) -> Exchange {
        let address = self.address.unwrap_or(origin.address).to_canonical();
        Exchange {
            origin: Origin { address, ..origin },
            received_at,
            code: Code::ACCESS_REQUEST,
            request: self.request,
            reply: Some(self.reply),
            login: self.login,
            swap_octets: false,
        }
    }
}

/// Takes a copy apart; gives the attributes back where they are none.
pub fn split(attributes: Attributes) -> Result<Copied, Attributes> {
    let Some(result) = attributes.get(numbers::RADHOOK_RESULT).and_then(Value::text).map(str::to_owned) else {
        return Err(attributes);
    };
    let mut copied = Copied {
        address: None,
        request: Attributes::default(),
        reply: Reply {
            code: Code::named(&result).unwrap_or(Code(0)),
            attributes: Attributes::default(),
            latency: None,
        },
        login: Login::default(),
    };
    let mut is_request = true;
    for attribute in attributes {
        let value = &attribute.value;
        match attribute.id {
            numbers::RADHOOK_RESULT => is_request = false,
            numbers::RADHOOK_CLIENT => copied.address = value.text().and_then(|text| text.parse().ok()),
            numbers::RADHOOK_AUTHENTICATOR => {
                if let Value::Octets(octets) = value {
                    copied.login.authenticator = octets.as_ref().try_into().ok();
                }
            }
            numbers::RADHOOK_METHOD => copied.login.method = value.text().and_then(Method::named),
            // The detail reader and the proxy put these behind everything else.
            numbers::PROXY_STATE | numbers::ACCT_DELAY_TIME => {}
            _ if is_request => copied.request.push(attribute),
            _ => copied.reply.attributes.push(attribute),
        }
    }
    Ok(copied)
}

/// An Accounting-Request as an exchange: of a session, or of a login if it is the copy of one.
pub fn of_accounting(origin: Origin, received_at: Timestamp, request: Attributes, swap_octets: bool) -> Exchange {
    match split(request) {
        Ok(copied) => copied.into_exchange(origin, received_at),
        Err(request) => Exchange {
            origin,
            received_at,
            code: Code::ACCOUNTING_REQUEST,
            request,
            reply: None,
            login: Login::default(),
            swap_octets,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radius::{Attribute, AttributeId};

    fn text(id: AttributeId, value: &str) -> Attribute {
        Attribute { id, name: "x".into(), value: Value::Text(value.into()) }
    }

    #[test]
    fn the_marker_parts_the_request_from_the_reply() {
        let copied = split(Attributes::from_iter([
            text(numbers::USER_NAME, "bob"),
            text(numbers::RADHOOK_CLIENT, "2001:db8::7"),
            Attribute { id: numbers::RADHOOK_AUTHENTICATOR, name: "x".into(), value: Value::Octets([7; 16].into()) },
            text(numbers::RADHOOK_METHOD, "PEAP"),
            text(numbers::RADHOOK_RESULT, "Access-Accept"),
            text(numbers::REPLY_MESSAGE, "hello"),
            text(numbers::USER_NAME, "robert"),
            Attribute { id: numbers::ACCT_DELAY_TIME, name: "x".into(), value: Value::Integer(3) },
        ]))
        .unwrap();
        assert_eq!(copied.address, Some("2001:db8::7".parse().unwrap()));
        assert_eq!(copied.login.authenticator, Some([7; 16]));
        assert_eq!(copied.login.method.unwrap().name(), "PEAP");
        assert_eq!(copied.reply.code, Code::ACCESS_ACCEPT);
        let names =
            |attributes: &Attributes| attributes.iter().map(|a| a.value.text().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&copied.request), ["bob"]);
        assert_eq!(names(&copied.reply.attributes), ["hello", "robert"]);
    }

    #[test]
    fn without_a_marker_nothing_is_taken_apart_and_an_unknown_result_is_no_reply() {
        let plain = Attributes::from_iter([text(numbers::USER_NAME, "bob")]);
        assert_eq!(split(plain.clone()).unwrap_err(), plain);
        let odd = split(Attributes::from_iter([text(numbers::RADHOOK_RESULT, "Do-Not-Respond")])).unwrap();
        assert_eq!(odd.reply.code, Code(0));
    }
}
