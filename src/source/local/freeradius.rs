//! What FreeRADIUS's rlm_rest posts: the request's attributes as JSON, and of a login what its query says.
//!
//! ```text
//! {"User-Name":{"type":"string","value":["bob"]},"Class":{"type":"octets","value":["0xab","0xcd"]}, …}
//! ?result=Access-Accept&client=10.0.0.1&authenticator=0x3f…&method=PEAP&reply:Session-Timeout=3600
//! ```
//!
//! rlm_rest sorts the attributes by number and puts those of one name together, so that no marker between them could
//! tell request from reply: hence the query, whose values rlm_rest escapes. An empty value there is an absent one, as
//! that is what an attribute that does not exist expands to.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Query;
use axum::http::Uri;
use jiff::Timestamp;
use serde_json::Value as Json;

use super::problem::Problem;
use crate::exchange::{Exchange, Login, Origin};
use crate::radius::dictionary::{DataType, Dictionary};
use crate::radius::{Attribute, AttributeId, Attributes, Code, Value, numbers};
use crate::source::client::Clients;
use crate::source::copied::split;
use crate::trace::detail::{Pair, Written, Zone, typed_attributes};

/// The most values of one post. A packet has at most 2,038 attributes; an event compares each with every other.
const MAX_VALUES: usize = 2_048;

/// What stands before the name of a reply's attribute.
const REPLY: &str = "reply:";

/// What reading needs to know.
pub struct Reader<'a> {
    /// What attributes are called.
    pub dictionary: &'a Dictionary,
    /// Who may send: names, and whose counters are swapped.
    pub clients: &'a Clients,
    /// FreeRADIUS's time zone: this host's.
    pub zone: &'a Zone,
    /// The source.
    pub source: &'a Arc<str>,
    /// When the post came.
    pub received_at: Timestamp,
}

impl Reader<'_> {
    /// An Accounting-Request. The query may say where it came from.
    pub fn accounting(&self, uri: &Uri, body: &[u8]) -> Result<Exchange, Problem> {
        let said = self.query(uri)?;
        if let Some(name) = said.only_of_logins() {
            return Err(Problem::query(name, "belongs to post-auth; accounting takes client only"));
        }
        let mut request = self.attributes(body)?;
        request.remove(numbers::PROXY_STATE);
        let (origin, swap_octets) = self.origin(said.client);
        Ok(Exchange {
            origin,
            received_at: self.received_at,
            code: Code::ACCOUNTING_REQUEST,
            request,
            reply: None,
            login: Login::default(),
            swap_octets,
        })
    }

    /// A login: request and reply.
    pub fn post_auth(&self, uri: &Uri, body: &[u8]) -> Result<Exchange, Problem> {
        let said = self.query(uri)?;
        let mut markers = Vec::new();
        let mut copy = Attributes::default();
        for attribute in self.attributes(body)? {
            match attribute.id.vendor == numbers::VENDOR_RADHOOK {
                true => markers.push(attribute),
                false => copy.push(attribute),
            }
        }
        // The query goes before what stands in the body.
        markers.retain(|marker| said.markers.iter().all(|said| said.id != marker.id));
        markers.extend(said.markers);
        let (result, others): (Vec<_>, _) =
            markers.into_iter().partition(|marker| marker.id == numbers::RADHOOK_RESULT);
        others.into_iter().for_each(|marker| copy.push(marker));
        result.into_iter().take(1).for_each(|marker| copy.push(marker));
        said.reply.into_iter().for_each(|attribute| copy.push(attribute));
        let copied = split(copy).map_err(|_| Problem {
            at: "query".to_owned(),
            what: "nothing says what the login came to: add result=%{reply:Packet-Type}".to_owned(),
        })?;
        let (origin, swap_octets) = self.origin(copied.address);
        Ok(Exchange { swap_octets, ..copied.into_exchange(origin, self.received_at) })
    }

    /// Where an exchange came from: the NAS as FreeRADIUS saw it, where it says so.
    fn origin(&self, address: Option<IpAddr>) -> (Origin, bool) {
        let address = address.unwrap_or(super::http::THIS_HOST).to_canonical();
        let client = self.clients.lookup(address);
        let name = client.map_or_else(|| address.to_string().into(), |client| Arc::clone(&client.name));
        let origin = Origin { source: Arc::clone(self.source), kind: super::http::KIND, client: name, address };
        (origin, client.is_some_and(|client| client.swap_octets))
    }

    fn attributes(&self, body: &[u8]) -> Result<Attributes, Problem> {
        Ok(typed_attributes(&pairs(body)?, self.dictionary, self.zone))
    }

    fn query(&self, uri: &Uri) -> Result<Said, Problem> {
        let Query(query) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|error| Problem { at: "query".to_owned(), what: format!("it cannot be read: {error}") })?;
        let mut said = Said::default();
        let mut reply = Vec::new();
        for (name, value) in query.into_iter().filter(|(_, value)| !value.is_empty()) {
            let mut mark = |id, marker: &str, value| {
                said.markers.push(Attribute { id, name: marker.into(), value });
            };
            let text = || Value::Text(value.as_str().into());
            match name.as_str() {
                "result" => mark(numbers::RADHOOK_RESULT, "Radhook-Result", text()),
                "method" => mark(numbers::RADHOOK_METHOD, "Radhook-Method", text()),
                "client" => {
                    let address = value.parse().map_err(|_| Problem::query("client", "is no address"))?;
                    said.client = Some(address);
                    mark(numbers::RADHOOK_CLIENT, "Radhook-Client", text());
                }
                "authenticator" => {
                    let octets = authenticator(&value)
                        .ok_or_else(|| Problem::query("authenticator", "is not 0x and 32 hexadecimal digits"))?;
                    mark(numbers::RADHOOK_AUTHENTICATOR, "Radhook-Authenticator", Value::Octets(octets.into()));
                }
                name => match name.strip_prefix(REPLY) {
                    Some(name) => reply.push(self.pair(name, value)),
                    None => {
                        let known = "is not known: result, client, authenticator, method and reply:<attribute> are";
                        return Err(Problem::query(name, known));
                    }
                },
            }
        }
        said.reply = typed_attributes(&reply, self.dictionary, self.zone);
        Ok(said)
    }

    /// An attribute as an expansion writes it: without quotes, whatever its type.
    fn pair(&self, name: &str, value: String) -> Pair {
        let plain = name.split_once(':').map_or(name, |(plain, _)| plain);
        let is_text = self.dictionary.by_name(plain).is_some_and(|definition| definition.kind == DataType::Text);
        let value = if is_text { Written::Quoted(value.into_bytes()) } else { Written::Bare(value) };
        Pair { name: name.to_owned(), value }
    }
}

/// What a query says.
#[derive(Default)]
struct Said {
    client: Option<IpAddr>,
    markers: Vec<Attribute>,
    reply: Attributes,
}

impl Said {
    /// The first thing in it that only a login has.
    fn only_of_logins(&self) -> Option<&str> {
        const OF_ACCOUNTING: AttributeId = numbers::RADHOOK_CLIENT;
        let marker = self.markers.iter().find(|marker| marker.id != OF_ACCOUNTING);
        marker.or(self.reply.iter().next()).map(|attribute| &*attribute.name)
    }
}

fn authenticator(text: &str) -> Option<[u8; 16]> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 32 && digits.is_ascii())?;
    u128::from_str_radix(digits, 16).ok().map(u128::to_be_bytes)
}

/// The attributes of a body, in its order.
fn pairs(body: &[u8]) -> Result<Vec<Pair>, Problem> {
    let json: Json = serde_json::from_slice(body).map_err(|error| Problem::syntax(&error))?;
    let Json::Object(attributes) = json else {
        return Err(Problem::body("it is no object of attributes; rlm_rest needs body = 'json' and no data"));
    };
    let by_octet = body.is_ascii();
    let mut pairs = Vec::with_capacity(attributes.len());
    for (name, attribute) in attributes {
        let Some(value) = attribute.get("value") else {
            return Err(Problem::attribute(&name, "has no value; {\"type\": …, \"value\": […]} is expected"));
        };
        let is_text = attribute.get("type").and_then(Json::as_str) == Some("string");
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for value in values {
            let value = match value {
                Json::String(text) if is_text => Written::Quoted(octets(text, by_octet)),
                Json::String(text) => Written::Bare(text.clone()),
                Json::Number(number) => Written::Bare(number.to_string()),
                _ => return Err(Problem::attribute(&name, "has a value that is neither text nor number")),
            };
            if pairs.len() == MAX_VALUES {
                return Err(Problem::body(&format!("it has more than {MAX_VALUES} values")));
            }
            pairs.push(Pair { name: name.clone(), value });
        }
    }
    Ok(pairs)
}

/// The octets of a text. FreeRADIUS escapes every octet from 0x80 on by itself, so that an `ü` in UTF-8 comes as
/// `\u00C3\u00BC`; a body that is not ASCII was written by somebody who does not.
fn octets(text: &str, by_octet: bool) -> Vec<u8> {
    let octets = by_octet.then(|| text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect());
    octets.flatten().unwrap_or_else(|| text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests;
