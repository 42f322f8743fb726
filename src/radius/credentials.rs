//! How a user proves who they are, told by the attributes of an Access-Request: never the proof itself.
//!
//! PAP and CHAP are told by their attribute (RFC 2865 §5.2, §5.3), MS-CHAP by Microsoft's (RFC 2548 §2.1, §2.3), Digest
//! by RFC 5090's, and EAP by the type of its last message (RFC 3748 §5), which only the octets hold: decoding hides them.

use super::packet::Packet;
use super::{Code, numbers};

/// What an Access-Request, and the challenge that may answer it, carry as proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// User-Password.
    Pap,
    /// CHAP-Password.
    Chap,
    /// MS-CHAP-Response.
    MsChap,
    /// MS-CHAP2-Response.
    MsChapV2,
    /// Digest-Response (RFC 5090).
    Digest,
    /// EAP, with the type of its method once that is known: neither Identity nor Nak.
    Eap(Option<u8>),
}

/// EAP types below this one are no methods: Identity, Notification and Nak (RFC 3748 §5).
const FIRST_METHOD: u8 = 4;
/// RFC 3748 §4.1.
const EAP_REQUEST: u8 = 1;
/// RFC 3748 §4.1.
const EAP_RESPONSE: u8 = 2;
/// Code, Identifier and Length stand before the type.
const EAP_TYPE_AT: usize = 4;
/// MS-CHAP-Response (RFC 2548 §2.1.3).
const MS_CHAP_RESPONSE: u8 = 1;
/// MS-CHAP2-Response (RFC 2548 §2.3.2).
const MS_CHAP2_RESPONSE: u8 = 25;

impl Method {
    /// The method of an Access-Request, or the one that an Access-Challenge asks for. None where the packet holds no
    /// proof: MAC authentication without a password, Service-Type = Authorize-Only.
    pub fn of(packet: &Packet) -> Option<Self> {
        if let Some(message) = packet.first(octet(numbers::EAP_MESSAGE)) {
            return Some(Self::Eap(eap_type(message)));
        }
        if packet.code() != Code::ACCESS_REQUEST {
            return None;
        }
        if let Some(version) = packet.attributes().find_map(|attribute| ms_chap(attribute.number, attribute.value)) {
            return Some(version);
        }
        let holds = |id| packet.first(octet(id)).is_some();
        if holds(numbers::CHAP_PASSWORD) {
            Some(Self::Chap)
        } else if holds(numbers::USER_PASSWORD) {
            Some(Self::Pap)
        } else if holds(numbers::DIGEST_RESPONSE) {
            Some(Self::Digest)
        } else {
            None
        }
    }

    /// The method under the name by which FreeRADIUS knows it, as `EAP-Type` or `Auth-Type`: `PEAP`, `MS-CHAP`, `pap`.
    /// `EAP-` before it says that it is of EAP, where also its number may stand: `EAP-MSCHAPv2`, `EAP-254`, `EAP-0x19`.
    /// None for a name that is none.
    pub fn named(name: &str) -> Option<Self> {
        let plain = |name: &str| name.to_ascii_uppercase().replace(['-', '_', ' '], "");
        let name = plain(name);
        let eap = name.strip_prefix("EAP").unwrap_or(&name);
        let number = eap.strip_prefix("0X").map_or_else(|| eap.parse().ok(), |hex| u8::from_str_radix(hex, 16).ok());
        if let (Some(kind), true) = (number, name.starts_with("EAP")) {
            return Some(Self::Eap((kind >= FIRST_METHOD).then_some(kind)));
        }
        Some(match name.as_str() {
            "PAP" => Self::Pap,
            "CHAP" => Self::Chap,
            "MSCHAP" => Self::MsChap,
            "MSCHAPV2" => Self::MsChapV2,
            "DIGEST" => Self::Digest,
            "EAP" | "EAPIDENTITY" | "EAPNOTIFICATION" | "EAPNAK" | "EAPNONE" => Self::Eap(None),
            "EAPMICROSOFTMSCHAPV2" => Self::Eap(Some(EAP_MSCHAP_V2)),
            _ => {
                let found = EAP_METHODS.iter().find(|(_, method)| {
                    let method = plain(method);
                    method == name || method.strip_prefix("EAP").unwrap_or(&method) == eap
                });
                Self::Eap(Some(found?.0))
            }
        })
    }

    /// Its name in events: `PAP`, `MS-CHAPv2`, `PEAP`, `EAP-TLS`, and `EAP-254` for a type without a name here.
    pub fn name(self) -> std::borrow::Cow<'static, str> {
        match self {
            Self::Pap => "PAP".into(),
            Self::Chap => "CHAP".into(),
            Self::MsChap => "MS-CHAP".into(),
            Self::MsChapV2 => "MS-CHAPv2".into(),
            Self::Digest => "Digest".into(),
            Self::Eap(None) => "EAP".into(),
            Self::Eap(Some(kind)) => match EAP_METHODS.iter().find(|(number, _)| *number == kind) {
                Some((_, name)) => (*name).into(),
                None => format!("EAP-{kind}").into(),
            },
        }
    }

    /// Of two packets of one login, what both together tell: an EAP message without a method says less than one with.
    pub fn or(self, other: Option<Self>) -> Self {
        match (self, other) {
            (Self::Eap(None), Some(Self::Eap(Some(kind)))) => Self::Eap(Some(kind)),
            _ => self,
        }
    }
}

/// EAP-MSCHAPv2, which FreeRADIUS also calls by its maker.
const EAP_MSCHAP_V2: u8 = 26;

/// EAP methods by type, as IANA lists them and as they are called.
const EAP_METHODS: [(u8, &str); 17] = [
    (4, "EAP-MD5"),
    (5, "EAP-OTP"),
    (6, "EAP-GTC"),
    (13, "EAP-TLS"),
    (17, "LEAP"),
    (18, "EAP-SIM"),
    (21, "EAP-TTLS"),
    (23, "EAP-AKA"),
    (25, "PEAP"),
    (EAP_MSCHAP_V2, "EAP-MSCHAPv2"),
    (43, "EAP-FAST"),
    (46, "EAP-PAX"),
    (47, "EAP-PSK"),
    (50, "EAP-AKA'"),
    (51, "EAP-GPSK"),
    (52, "EAP-PWD"),
    (55, "TEAP"),
];

/// The method that an EAP Request asks for or a Response gives.
fn eap_type(message: &[u8]) -> Option<u8> {
    let code = *message.first()?;
    let kind = *message.get(EAP_TYPE_AT)?;
    ((code == EAP_REQUEST || code == EAP_RESPONSE) && kind >= FIRST_METHOD).then_some(kind)
}

/// MS-CHAP's version, if this attribute is one of Microsoft's that holds such a response.
fn ms_chap(number: u8, value: &[u8]) -> Option<Method> {
    let inside = (u32::from(number) == numbers::VENDOR_SPECIFIC.number)
        .then(|| value.strip_prefix(&numbers::VENDOR_MICROSOFT.to_be_bytes()))??;
    let mut rest = inside;
    while let [kind, length, ..] = *rest {
        match kind {
            MS_CHAP_RESPONSE => return Some(Method::MsChap),
            MS_CHAP2_RESPONSE => return Some(Method::MsChapV2),
            _ => rest = rest.get(usize::from(length).max(2)..)?,
        }
    }
    None
}

/// The type octet of an attribute of the RFC space that stands in packets.
const fn octet(id: super::AttributeId) -> u8 {
    assert!(id.vendor == 0 && id.number <= 255);
    id.number as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radius::sample;

    fn method(code: Code, attributes: &[(u8, &[u8])]) -> Option<Method> {
        Method::of(&Packet::parse(&sample::packet(code.0, 1, &sample::attributes(attributes))).unwrap())
    }

    #[test]
    fn each_kind_of_proof_is_told_by_its_attribute() {
        let of = |attributes: &[(u8, &[u8])]| method(Code::ACCESS_REQUEST, attributes);
        assert_eq!(of(&[(1, b"bob"), (2, &[0; 16])]), Some(Method::Pap));
        assert_eq!(of(&[(3, &[0; 17])]), Some(Method::Chap));
        assert_eq!(of(&[(1, b"bob")]), None);
        assert_eq!(of(&[(103, b"0123456789abcdef")]), Some(Method::Digest));
        // Several of Microsoft's in one attribute, the response not first.
        assert_eq!(of(&[(26, &[0, 0, 1, 55, 11, 4, 9, 9, 25, 4, 1, 1])]), Some(Method::MsChapV2));
        assert_eq!(of(&[(26, &[0, 0, 1, 55, 1, 4, 9, 9])]), Some(Method::MsChap));
        assert_eq!(of(&[(26, &[0, 0, 0, 9, 1, 4, 9, 9])]), None);
        assert_eq!(of(&[(26, &[0, 0, 1, 55, 11, 0])]), None);
    }

    #[test]
    fn eap_is_told_by_the_type_of_its_message() {
        let response = |kind: u8| method(Code::ACCESS_REQUEST, &[(79, &[2, 1, 0, 6, kind, 0])]);
        assert_eq!(response(25).unwrap().name(), "PEAP");
        assert_eq!(response(13).unwrap().name(), "EAP-TLS");
        assert_eq!(response(254).unwrap().name(), "EAP-254");
        // Identity and Nak are no methods, nor is what has no type at all.
        assert_eq!(response(1), Some(Method::Eap(None)));
        assert_eq!(response(3), Some(Method::Eap(None)));
        assert_eq!(method(Code::ACCESS_REQUEST, &[(79, &[2, 1])]), Some(Method::Eap(None)));
        let challenge = method(Code::ACCESS_CHALLENGE, &[(79, &[1, 2, 0, 6, 21, 0])]);
        assert_eq!(response(1).unwrap().or(challenge).name(), "EAP-TTLS");
        assert_eq!(response(4).unwrap().or(challenge).name(), "EAP-MD5");
        // Success carries no type.
        assert_eq!(method(Code::ACCESS_ACCEPT, &[(79, &[3, 2, 0, 4])]), Some(Method::Eap(None)));
    }

    #[test]
    fn freeradius_names_are_understood() {
        let named = |name| Method::named(name).map(|method| method.name().into_owned());
        for (name, expected) in [
            ("PEAP", "PEAP"),
            ("MD5", "EAP-MD5"),
            ("TTLS", "EAP-TTLS"),
            ("EAP-TLS", "EAP-TLS"),
            ("MSCHAPV2", "MS-CHAPv2"),
            ("MS-CHAP", "MS-CHAP"),
            ("pap", "PAP"),
            ("eap", "EAP"),
            ("PWD", "EAP-PWD"),
            ("mschap", "MS-CHAP"),
            // As the spool policy writes EAP's types.
            ("EAP-MD5", "EAP-MD5"),
            ("EAP-PEAP", "PEAP"),
            ("EAP-MSCHAPv2", "EAP-MSCHAPv2"),
            ("EAP-Microsoft-MS-CHAPv2", "EAP-MSCHAPv2"),
            ("EAP-0x19", "PEAP"),
            ("EAP-254", "EAP-254"),
            ("EAP-Identity", "EAP"),
            ("EAP-NAK", "EAP"),
            ("EAP-0x01", "EAP"),
        ] {
            assert_eq!(named(name).as_deref(), Some(expected), "{name}");
        }
        assert_eq!(named("Accept"), None);
        assert_eq!(named("254"), None);
        assert_eq!(named(""), None);
    }
}
