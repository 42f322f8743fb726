//! The attributes that radhook itself asks for, and those whose values must never leave it: their places in the name
//! space, in one place.

use super::AttributeId;

macro_rules! rfc {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        $($(#[$doc])* pub const $name: AttributeId = AttributeId::rfc($number);)*
    };
}

rfc! {
    /// RFC 2865 §5.1.
    USER_NAME = 1;
    /// RFC 2865 §5.2.
    USER_PASSWORD = 2;
    /// RFC 2865 §5.3.
    CHAP_PASSWORD = 3;
    /// RFC 2865 §5.4.
    NAS_IP_ADDRESS = 4;
    /// RFC 2865 §5.5.
    NAS_PORT = 5;
    /// RFC 2865 §5.6.
    SERVICE_TYPE = 6;
    /// RFC 2865 §5.8.
    FRAMED_IP_ADDRESS = 8;
    /// RFC 2865 §5.18.
    REPLY_MESSAGE = 18;
    /// RFC 2865 §5.24.
    STATE = 24;
    /// RFC 2865 §5.25.
    CLASS = 25;
    /// RFC 2865 §5.26.
    VENDOR_SPECIFIC = 26;
    /// RFC 2865 §5.27.
    SESSION_TIMEOUT = 27;
    /// RFC 2865 §5.30.
    CALLED_STATION_ID = 30;
    /// RFC 2865 §5.31.
    CALLING_STATION_ID = 31;
    /// RFC 2865 §5.32.
    NAS_IDENTIFIER = 32;
    /// RFC 2865 §5.33.
    PROXY_STATE = 33;
    /// RFC 2866 §5.1.
    ACCT_STATUS_TYPE = 40;
    /// RFC 2866 §5.2, in seconds.
    ACCT_DELAY_TIME = 41;
    /// RFC 2866 §5.3, modulo 2^32.
    ACCT_INPUT_OCTETS = 42;
    /// RFC 2866 §5.4, modulo 2^32.
    ACCT_OUTPUT_OCTETS = 43;
    /// RFC 2866 §5.5.
    ACCT_SESSION_ID = 44;
    /// RFC 2866 §5.6.
    ACCT_AUTHENTIC = 45;
    /// RFC 2866 §5.7, in seconds.
    ACCT_SESSION_TIME = 46;
    /// RFC 2866 §5.8.
    ACCT_INPUT_PACKETS = 47;
    /// RFC 2866 §5.9.
    ACCT_OUTPUT_PACKETS = 48;
    /// RFC 2866 §5.10.
    ACCT_TERMINATE_CAUSE = 49;
    /// RFC 2866 §5.11.
    ACCT_MULTI_SESSION_ID = 50;
    /// RFC 2866 §5.12.
    ACCT_LINK_COUNT = 51;
    /// RFC 2869 §5.1: how often Acct-Input-Octets has wrapped.
    ACCT_INPUT_GIGAWORDS = 52;
    /// RFC 2869 §5.2: how often Acct-Output-Octets has wrapped.
    ACCT_OUTPUT_GIGAWORDS = 53;
    /// RFC 2869 §5.3.
    EVENT_TIMESTAMP = 55;
    /// RFC 2865 §5.40.
    CHAP_CHALLENGE = 60;
    /// RFC 2865 §5.41.
    NAS_PORT_TYPE = 61;
    /// RFC 2868 §3.5.
    TUNNEL_PASSWORD = 69;
    /// RFC 2869 §5.4.
    ARAP_PASSWORD = 70;
    /// RFC 2869 §5.7.
    ARAP_SECURITY_DATA = 74;
    /// RFC 2869 §5.13.
    EAP_MESSAGE = 79;
    /// RFC 2869 §5.14, RFC 3579 §3.2.
    MESSAGE_AUTHENTICATOR = 80;
    /// RFC 2868 §3.6.
    TUNNEL_PRIVATE_GROUP_ID = 81;
    /// RFC 2869 §5.15.
    ARAP_CHALLENGE_RESPONSE = 84;
    /// RFC 2869 §5.17.
    NAS_PORT_ID = 87;
    /// RFC 4372 §2.2.
    CHARGEABLE_USER_IDENTITY = 89;
    /// RFC 4849 §2.
    NAS_FILTER_RULE = 92;
    /// RFC 3162 §2.1.
    NAS_IPV6_ADDRESS = 95;
    /// RFC 3162 §2.2.
    FRAMED_INTERFACE_ID = 96;
    /// RFC 3162 §2.3.
    FRAMED_IPV6_PREFIX = 97;
    /// RFC 5090 §3.1.
    DIGEST_RESPONSE = 103;
    /// RFC 5090 §3.4: the server's answer, made of the password as the client's is.
    DIGEST_RESPONSE_AUTH = 106;
    /// RFC 5090 §3.19.
    DIGEST_HA1 = 121;
    /// RFC 4818 §3.
    DELEGATED_IPV6_PREFIX = 123;
    /// RFC 5904 §3.7.
    PKM_AUTH_KEY = 143;
    /// RFC 6911 §3.1.
    FRAMED_IPV6_ADDRESS = 168;
}

/// The vendor of the attributes with which FreeRADIUS marks copies for radhook: near the top of what a Vendor-Specific can
/// carry, which IANA, giving out numbers in order, does not reach. They never leave the host, or the pair of hosts, that were
/// set up for it.
pub const VENDOR_RADHOOK: u32 = 16_777_214;

/// The address that a copied request came from.
pub const RADHOOK_CLIENT: AttributeId = AttributeId { vendor: VENDOR_RADHOOK, number: 1 };
/// The name of the reply's packet code. What stands before it belongs to the request, what stands behind it to the reply.
pub const RADHOOK_RESULT: AttributeId = AttributeId { vendor: VENDOR_RADHOOK, number: 2 };
/// The Request Authenticator of a copied request.
pub const RADHOOK_AUTHENTICATOR: AttributeId = AttributeId { vendor: VENDOR_RADHOOK, number: 3 };
/// How the user of a copied request proved who they are, as FreeRADIUS names it.
pub const RADHOOK_METHOD: AttributeId = AttributeId { vendor: VENDOR_RADHOOK, number: 4 };

/// The first of the Extended types, which hold attributes of their own, vendors' among them (RFC 6929 §2).
pub const FIRST_EXTENDED: u32 = 241;

/// Microsoft's private enterprise number (RFC 2548).
pub const VENDOR_MICROSOFT: u32 = 311;

/// Values of the RFC space that are passwords, keys, answers from which a password can be guessed, or EAP material.
/// Listed by number, so that a dictionary without the `encrypt` or `secret` flag cannot uncover them.
const SENSITIVE: [AttributeId; 13] = [
    USER_PASSWORD,
    CHAP_PASSWORD,
    CHAP_CHALLENGE,
    TUNNEL_PASSWORD,
    ARAP_PASSWORD,
    ARAP_SECURITY_DATA,
    ARAP_CHALLENGE_RESPONSE,
    EAP_MESSAGE,
    MESSAGE_AUTHENTICATOR,
    DIGEST_RESPONSE,
    DIGEST_RESPONSE_AUTH,
    DIGEST_HA1,
    PKM_AUTH_KEY,
];

/// The same of Microsoft's space (RFC 2548 §2.1 to §2.4): challenges and responses, changed passwords, MPPE keys.
const SENSITIVE_MICROSOFT: [u32; 14] = [1, 3, 4, 5, 6, 11, 12, 16, 17, 19, 20, 25, 26, 27];

/// Whether the value under this id is never shown, whatever a dictionary says about it.
pub fn is_sensitive(id: AttributeId) -> bool {
    match id.vendor {
        0 => SENSITIVE.contains(&id),
        VENDOR_MICROSOFT => SENSITIVE_MICROSOFT.contains(&id.number),
        _ => false,
    }
}

/// Whether undecodable octets of this vendor may hold such a value.
pub fn vendor_has_sensitive(vendor: u32) -> bool {
    vendor == VENDOR_MICROSOFT
}
