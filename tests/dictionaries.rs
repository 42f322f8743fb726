//! The files under `dictionaries/`, against the dictionaries of FreeRADIUS 3.2.1: the same numbers have the same names,
//! types, flags and values, except where a reason is given here. They must be installed;
//! `tests/run` sees to that. `cargo test --test dictionaries -- --nocapture` prints how much of each of its files is covered.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use radhook::radius::dictionary::{Counts, Definition, Flags, Loader, Space, VendorFormat};
use radhook::radius::{Attribute, Dictionary, Packet, Value, decode, numbers};

const FREERADIUS: &str = "/usr/share/freeradius";
/// What is compared with. Other releases have other files.
const FREERADIUS_3_2_1: Counts = Counts { files: 225, attributes: 7468, values: 7987, vendors: 186 };

/// Attributes whose numbers FreeRADIUS does not name: how their names begin, and where they are from.
const ADDITIONS: &[(&str, &str)] = &[
    ("Radhook-", "how FreeRADIUS marks its copies for radhook"),
    ("Digest-", "RFC 5090, which FreeRADIUS ships without loading it"),
    ("CVPN3000-", "the VPN 3000's names of numbers that Altiga and the ASA leave free; FreeRADIUS does not load them"),
    ("Cisco-VPN3000-", "as CVPN3000-"),
    ("ChilliSpot-", "CoovaChilli's numbers from 10 to 87, from its own dictionary"),
    ("HS20-", "Hotspot 2.0 Release 3, numbers 6 to 10"),
    ("TPLink-", "newer than FreeRADIUS 3.2.1, which has no TP-Link"),
    ("MS-Azure-Policy-ID", "newer than FreeRADIUS 3.2.1"),
    ("H3C-Acct-IPv6-Input-Gigawords", "148 in H3C's lists; FreeRADIUS has it at 146"),
    ("H3C-Acct-IPv6-Output-Gigawords", "149 in H3C's lists; FreeRADIUS has it at 147"),
];

/// Attributes whose numbers have another name in FreeRADIUS, each with the reason.
const DIFFERENCES: &[(&str, &str)] = &[
    ("Digest-Domain", "RFC 5090's 119, FreeRADIUS has Ascend's old use of it"),
    ("Digest-Stale", "RFC 5090's 120, as 119"),
    ("Digest-HA1", "RFC 5090's 121, as 119"),
    ("SIP-AOR", "RFC 5090's 122, as 119"),
    ("H3C-Acct-IPv6-Input-Packets", "146; FreeRADIUS gives it to the Gigawords as well, which come later"),
    ("H3C-Acct-IPv6-Output-Packets", "147; FreeRADIUS gives it to the Gigawords as well, which come later"),
];

/// Names of values that FreeRADIUS does not print for their number, each with the reason.
const VALUE_DIFFERENCES: &[(&str, u64, &str)] = &[
    ("Service-Type", 12, "IANA's Voice; FreeRADIUS prints a university's own Sip-session, loaded later"),
    ("Altiga-Argument-Authentication-Server-Type", 0, "named by the VPN 3000's list, which FreeRADIUS does not load"),
];

/// What in a name tells that the value may be a secret.
const TELLING: &[&str] = &["passw", "secret", "psk", "pmk", "msk", "passphrase", "key", "triplet", "quintet"];

/// What is secret by its nature, whatever its name tells: passwords, answers and digests from which one can be guessed
/// without asking the server, keys, vectors of SIM cards, tokens that let in, EAP, and what ends a key's negotiation.
const SECRET: &str = "\
    User-Password CHAP-Password CHAP-Challenge Tunnel-Password Message-Authenticator EAP-Message \
    ARAP-Password ARAP-Security-Data ARAP-Challenge-Response PKM-Auth-Key \
    Digest-Response Digest-Response-RFC5090 Digest-Response-Auth Digest-HA1 Ericsson-ViG-Digest-Response \
    MS-CHAP-Response MS-CHAP-Challenge MS-CHAP-CPW-1 MS-CHAP-CPW-2 MS-CHAP-LM-Enc-PW MS-CHAP-NT-Enc-PW \
    MS-CHAP-MPPE-Keys MS-CHAP2-Response MS-CHAP2-Success MS-CHAP2-CPW MS-MPPE-Send-Key MS-MPPE-Recv-Key \
    MS-Old-ARAP-Password MS-New-ARAP-Password \
    Aruba-MPSK-Passphrase Aruba-AS-Credential-Hash Aruba-Network-SSO-Token Mikrotik-Wireless-PSK \
    Mikrotik-Wireless-Enc-Key \
    Mikrotik-Wireless-MPKey Ruckus-Dpsk Ruckus-DPSK-EAPOL-Key-Frame Ruckus-CP-Token Ruckus-Triplets \
    Extreme-PPSK-Request Extreme-PPSK-PMK TPLink-Authentication-FindKey TPLink-Authentication-FoundKey \
    FreeRADIUS-802.1X-EAPoL-Key-Msg Mimosa-ManagementPassword-Parameter Mimosa-SNMPCommunityString-Parameter \
    Extreme-Libsip-Patron-Info Cisco-Subscriber-Password Huawei-User-Password Nokia-Service-Password \
    Ascend-Send-Secret Ascend-Receive-Secret Ascend-Send-Passwd Ascend-Ara-PW Lucent-Send-Secret Lucent-Ara-PW \
    USR-Send-Password USR-VTS-Session-Key USR-PW_Tunnel_Authentication CW-LRQ-Token CW-ARQ-Token \
    SN-PPP-Outbound-Password SN-Tunnel-Password SN-Tunnel-ISAKMP-Secret Alc-BGP-Auth-Key Alc-APN-Password \
    ERX-PPP-Password ERX-Tunnel-Password 3GPP2-Pre-Shared-Secret 3GPP2-MN-HA-Shared-Key 3GPP2-S-Key \
    ALU-AAA-GSM-Triplet ALU-AAA-AKA-Quintet WiMAX-MSK WiMAX-HA-RK-Key WiMAX-DHCP-RK WiMAX-E-UTRAN-Vector-XRES \
    WiMAX-E-UTRAN-Vector-KASME FreeRADIUS-EAP-FAST-EAP-Payload FreeRADIUS-EAP-FAST-Crypto-Binding \
    FreeRADIUS-EAP-FAST-PAC-Key \
    Cleartext-Password Crypt-Password NT-Password LM-Password MD5-Password SMD5-Password SHA-Password SSHA-Password \
    SHA2-Password SSHA2-256-Password SSHA3-256-Password PBKDF2-Password Password-With-Header MS-CHAP-Password \
    MS-CHAP-New-Cleartext-Password MS-CHAP-New-NT-Password MS-CHAP-Peer-Challenge NS-MTA-MD5-Password EAP-MD5-Password \
    EAP-IKEv2-Secret EAP-MSK EAP-EMSK EAP-Pwd-Password-Hash EAP-Sim-Ki EAP-Sim-KC1 EAP-Sim-SRES1 EAP-Sim-HMAC \
    EAP-Type-MD5-Challenge FreeRADIUS-Client-Secret Originating-Realm-Key TOTP-Secret TOTP-Key TOTP-Password \
    TLS-Session-Data";

/// What stands beside secrets, lets nobody in, and is needed to follow a session: shown.
const NOT_SECRET: &str = "\
    State Class Proxy-State EAP-Key-Name EAP-Session-Id EAP-Peer-Id Digest-Nonce Digest-CNonce Configuration-Token \
    MS-CHAP-Error MS-CHAP-Domain Packet-Authentication-Vector OTP-Challenge EAP-Sim-IMSI TLS-PSK-Identity \
    Fortinet-FAC-Token-ID Cisco-AVPair";

/// Attributes that sound secret and are not: names and numbers of keys, public halves, switches, limits and times.
const HARMLESS: &str = "\
    Password-Retry EAP-Key-Name 3GPP2-Ike-Preshared-Secret-Request 3GPP2-KeyID \
    ALU-AAA-GSM-Triplets-Needed ALU-AAA-AKA-Quintets-Needed ALU-AAA-Femto-Public-Key-Hash Alc-BGP-Auth-Keychain \
    Altiga-Min-Password-Length-G Altiga-Allow-Alpha-Only-Passwords-G ASA-IPsec-Allow-Passwd-Store \
    ASA-IPsec-Auth-On-Rekey Ascend-X25-Nui-Password-Prompt Brocade-Passwd-ExpiryDate Brocade-Passwd-WarnPeriod \
    ASA-WebVPN-SVC-Rekey-Time ASA-WebVPN-SVC-Rekey-Method ASA-Extended-Authentication-On-Rekey \
    Lucent-X25-Nui-Password-Prompt Ruckus-DPSK-Params Ruckus-DPSK-AKM-Suite Ruckus-DPSK-Cipher Ruckus-DPSK-Anonce \
    USR-Keypress-Timeout WiMAX-DHCP-RK-Key-Id WiMAX-HA-RK-Key-Requested WiMAX-vDHCP-RK-Key-ID \
    WiMAX-hDHCP-DHCP-RK-Key-Id WiMAX-vDHCP-DHCP-RK-Key-Id Load-Balance-Key EAP-Pwd-Password-Prep \
    TLS-Client-Cert-X509v3-Extended-Key-Usage TLS-Client-Cert-X509v3-Subject-Key-Identifier \
    TLS-Client-Cert-X509v3-Authority-Key-Identifier TLS-PSK-Identity TLS-Client-Cert-X509v3-Extended-Key-Usage-OID \
    TLS-Session-Cert-Private-Key-File";

/// Attributes of FreeRADIUS's files that ours leave out, each with the reason.
const LEFT_OUT: &[(&str, &str)] = &[("Digest-Response", "103 is Digest-Response-RFC5090 here: the name is 206's")];

/// What has to be covered: FreeRADIUS's files of these names, whole.
const COVERED: &str = "\
    rfc2865 rfc2866 rfc2867 rfc2868 rfc2869 rfc3162 rfc3576 rfc3580 rfc4072 rfc4372 rfc4603 rfc4675 rfc4679 rfc4818 \
    rfc4849 rfc5090 rfc5176 rfc5447 rfc5580 rfc5607 rfc5904 rfc6519 rfc6572 rfc6677 rfc6911 rfc6929 rfc6930 rfc7055 \
    rfc7155 rfc7268 rfc7499 rfc7930 rfc8045 rfc8559 iana compat 3gpp 3gpp2 aerohive airespace alcatel \
    alcatel-lucent.aaa alcatel.esam alcatel.sr altiga aruba ascend ascend.illegal cambium chillispot cisco cisco.asa \
    cisco.bbsm cisco.vpn3000 citrix colubris dlink ericsson ericsson.ab erx extreme fortinet freeradius \
    freeradius.evs5 freeradius.internal h3c hp huawei juniper lucent meraki microsoft mikrotik motorola nokia nomadix \
    paloalto ruckus starent usr usr.illegal wifialliance wimax wispr zte zyxel";

fn ours() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dictionaries")
}

/// The lines of a dictionary file, as words.
fn lines(path: &Path) -> Vec<Vec<String>> {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let words = |line: &str| line.split('#').next().unwrap_or("").split_whitespace().map(str::to_string).collect();
    text.lines().map(words).filter(|words: &Vec<String>| !words.is_empty()).collect()
}

/// The names of the files in a directory that are dictionaries of their own.
fn files(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    entries.map(name).filter_map(|name| name.strip_prefix("dictionary.").map(str::to_string)).collect()
}

fn number(word: &str) -> u64 {
    word.strip_prefix("0x").map_or_else(|| word.parse(), |hex| u64::from_str_radix(hex, 16)).unwrap()
}

/// FreeRADIUS's own set, of the version that the differences listed here were found against.
fn theirs() -> Dictionary {
    let path = Path::new(FREERADIUS).join("dictionary");
    let mut loader = Loader::empty();
    loader.file(&path).unwrap_or_else(|error| panic!("{error}; tests/run installs what is missing"));
    assert_eq!(loader.counts(), FREERADIUS_3_2_1, "{} is not that of FreeRADIUS 3.2.1", path.display());
    loader.finish().0
}

fn is_addition(name: &str) -> bool {
    ADDITIONS.iter().any(|(beginning, _)| name.starts_with(beginning))
}

fn is_difference(name: &str) -> bool {
    DIFFERENCES.iter().any(|(other, _)| name == *other)
}

fn is_value_difference(name: &str, number: u64) -> bool {
    VALUE_DIFFERENCES.iter().any(|(other, value, _)| name == *other && number == *value)
}

/// What has to agree between two definitions: all but `secret`, which ours set on more attributes.
fn facts(definition: &Definition) -> impl PartialEq + std::fmt::Debug {
    let flags = Flags { secret: false, ..definition.flags };
    (definition.name.clone(), definition.id, definition.path.clone(), definition.kind, flags)
}

#[test]
fn every_file_is_included_once_and_embedded() {
    let included: Vec<String> = lines(&ours().join("dictionary"))
        .into_iter()
        .map(|words| words[1].strip_prefix("dictionary.").unwrap().to_string())
        .collect();
    assert_eq!(included.iter().cloned().collect::<BTreeSet<_>>(), files(&ours()));
    assert_eq!(included.len(), files(&ours()).len());

    let mut embedded = Loader::empty();
    embedded.shipped().unwrap();
    let mut installed = Loader::empty();
    installed.file(&ours().join("dictionary")).unwrap();
    assert_eq!(embedded.counts(), installed.counts());
    let counts = embedded.counts();
    let (dictionary, warnings) = embedded.finish();
    assert_eq!(warnings, []);
    println!("{counts:?}, {} attributes by number, {} vendors", dictionary.len(), dictionary.vendors());
}

#[test]
fn files_say_whose_they_are_and_fit_the_page() {
    for name in files(&ours()) {
        let text = fs::read_to_string(ours().join(format!("dictionary.{name}"))).unwrap();
        assert!(text.starts_with("# "), "{name} begins without saying where it is from");
        for (at, line) in text.lines().enumerate() {
            assert!(line.chars().count() <= 120 && line == line.trim_end(), "dictionary.{name}:{}", at + 1);
        }
    }
}

#[test]
fn the_readme_s_example_is_understood() {
    let readme = fs::read_to_string(ours().join("README.md")).unwrap();
    let example = readme.split("```\n").find(|block| block.starts_with("VENDOR ")).unwrap();
    let mut loader = Loader::on(&Dictionary::shipped());
    loader.text("README.md", example).unwrap();
    let (dictionary, warnings) = loader.finish();
    assert_eq!(warnings, []);
    assert!(dictionary.by_name("Example-Pin").unwrap().flags.secret);
    assert_eq!(dictionary.value_number(dictionary.by_name("Example-Tariff").unwrap(), "Paid"), Some(1));
}

#[test]
fn every_attribute_is_what_freeradius_says_or_has_a_reason() {
    let theirs = theirs();
    let ours = Dictionary::shipped();
    let mut wrong = Vec::new();
    let mut names = BTreeSet::new();
    for our in ours.iter() {
        if theirs.by_name(&our.name).is_some_and(|their| facts(their) == facts(our)) {
            continue;
        }
        let unnamed = our.path.len() == 1 && theirs.get(Space::Vendor(our.id.vendor), our.id.number).is_none();
        if is_difference(&our.name) || (is_addition(&our.name) && unnamed) {
            names.insert(&our.name);
        } else {
            wrong.push(format!("{:?} is not {:?}", facts(our), theirs.by_name(&our.name).map(facts)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (beginning, _) in ADDITIONS.iter().chain(DIFFERENCES) {
        assert!(names.iter().any(|name| name.starts_with(beginning)), "{beginning} needs no reason");
    }
}

#[test]
fn nothing_that_holds_a_password_or_a_key_is_shown() {
    let shown: Vec<_> = Dictionary::shipped()
        .iter()
        .filter(|our| TELLING.iter().any(|word| our.name.to_ascii_lowercase().contains(word)))
        .filter(|our| !our.flags.is_sensitive() && (our.path.len() > 1 || !numbers::is_sensitive(our.id)))
        .filter(|our| !HARMLESS.split_whitespace().any(|name| name == &*our.name))
        .map(|our| our.name.to_string())
        .collect();
    assert!(shown.is_empty(), "marked neither as secret nor as harmless: {shown:?}");
}

#[test]
fn secrets_by_nature_are_hidden_and_what_sessions_are_followed_by_is_not() {
    let shipped = Dictionary::shipped();
    let is_hidden = |name: &str| {
        let our = shipped.by_name(name).unwrap_or_else(|| panic!("{name} is not known"));
        our.flags.is_sensitive() || (our.path.len() == 1 && numbers::is_sensitive(our.id))
    };
    let shown: Vec<_> = SECRET.split_whitespace().filter(|name| !is_hidden(name)).collect();
    let hidden: Vec<_> = NOT_SECRET.split_whitespace().filter(|name| is_hidden(name)).collect();
    assert!(shown.is_empty() && hidden.is_empty(), "shown: {shown:?}; hidden: {hidden:?}");
}

#[test]
fn every_value_is_what_freeradius_says_or_has_a_reason() {
    let theirs = theirs();
    let shipped = Dictionary::shipped();
    let mut wrong = Vec::new();
    for name in files(&ours()) {
        for words in lines(&ours().join(format!("dictionary.{name}"))) {
            let [keyword, attribute, value, digits] = words.as_slice() else { continue };
            if keyword != "VALUE" {
                continue;
            }
            let (our, number) = (shipped.by_name(attribute).unwrap(), number(digits));
            let Some(their) = theirs.by_name(attribute) else {
                // The older names of a number stand in their own file only.
                if !is_addition(attribute) {
                    wrong.push(format!("{name}: {attribute} is not known"));
                }
                continue;
            };
            let (our_name, their_name) = (shipped.value_name(our, number), theirs.value_name(their, number));
            let same = our_name == their_name || is_value_difference(&our.name, number);
            if theirs.value_number(their, value) != Some(number) || !same {
                wrong.push(format!("{name}: {attribute} {value} {number}, shown as {our_name:?}, not {their_name:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_vendor_has_freeradius_s_name_and_format() {
    let theirs = theirs();
    let shipped = Dictionary::shipped();
    for number in vendors() {
        assert_eq!(shipped.vendor_format(number), theirs.vendor_format(number), "{number}");
        if shipped.vendor_name(number).is_none_or(|name| &**name != "TPLink") {
            assert_eq!(shipped.vendor_name(number), theirs.vendor_name(number));
        }
    }
}

/// The numbers of our vendors, but for radhook's own, which FreeRADIUS does not know.
fn vendors() -> BTreeSet<u32> {
    let read = |name: String| lines(&ours().join(format!("dictionary.{name}")));
    let vendor = |words: Vec<String>| (words[0] == "VENDOR").then(|| u32::try_from(number(&words[2])).unwrap());
    let all = files(&ours()).into_iter().flat_map(read).filter_map(vendor);
    all.filter(|number| *number != numbers::VENDOR_RADHOOK).collect()
}

#[test]
fn all_of_freeradius_s_files_that_matter_are_covered() {
    theirs();
    let shipped = Dictionary::shipped();
    let names: BTreeSet<String> = files(&ours());
    let mut missing = Vec::new();
    for name in COVERED.split_whitespace().map(str::to_string).chain(names).collect::<BTreeSet<_>>() {
        let path = Path::new(FREERADIUS).join(format!("dictionary.{name}"));
        if !path.exists() {
            continue;
        }
        let mut counts = BTreeMap::from([("ATTRIBUTE", (0, 0)), ("VALUE", (0, 0))]);
        for words in lines(&path) {
            let Some((all, named)) = counts.get_mut(words[0].as_str()) else { continue };
            let has = match words.as_slice() {
                [keyword, attribute, value, digits, ..] if keyword == "VALUE" => shipped
                    .by_name(attribute)
                    .is_some_and(|our| shipped.value_number(our, value) == Some(number(digits))),
                [_, attribute, ..] => shipped.by_name(attribute).is_some(),
                _ => false,
            };
            *all += 1;
            *named += usize::from(has);
            if !has && !LEFT_OUT.iter().any(|(name, _)| *name == words[1]) {
                missing.push(format!("{name}: {}", words.join(" ")));
            }
        }
        let ((attributes, named), (values, value_names)) = (counts["ATTRIBUTE"], counts["VALUE"]);
        println!("{name:32} attributes {named:4} of {attributes:4}   values {value_names:4} of {values:4}");
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// A packet with one attribute.
fn packet(attribute: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + attribute.len()).unwrap().to_be_bytes();
    [&[4, 1, length[0], length[1]], [0; 16].as_slice(), attribute].concat()
}

/// A vendor's attribute in the vendor's format, with a value of four octets.
fn vendor_specific(format: VendorFormat, vendor: u32, number: u32, value: u8) -> Vec<u8> {
    let digits = number.to_be_bytes();
    let header = format.type_octets + format.length_octets + u8::from(format.continuation);
    let mut inner = digits[4 - usize::from(format.type_octets)..].to_vec();
    let length = u32::from(header + 4).to_be_bytes();
    inner.extend(&length[4 - usize::from(format.length_octets)..]);
    inner.extend(vec![0; usize::from(format.continuation)]);
    inner.extend([0, 0, 0, value]);
    let length = u8::try_from(6 + inner.len()).unwrap();
    [&[26, length], vendor.to_be_bytes().as_slice(), &inner].concat()
}

#[test]
fn every_packet_is_named_as_by_freeradius_s_dictionaries() {
    let theirs = theirs();
    let ours = Dictionary::shipped();
    let plain = (1..=255_u8).filter(|number| *number != 26).flat_map(|number| {
        let short = (0..=40).map(move |value| vec![number, 6, 0, 0, 0, value]);
        // Inside Extended, which needs more.
        let long = (1..=40).map(move |value| vec![number, 7, value, 0, 0, 0, 1]);
        short.chain(long).collect::<Vec<_>>()
    });
    let vendors = vendors().into_iter().flat_map(|vendor| {
        let format = theirs.vendor_format(vendor);
        let limit = if format.type_octets == 1 { 255 } else { 0xffff };
        let known = |number: &u32| *number < 256 || theirs.get(Space::Vendor(vendor), *number).is_some();
        let numbers = (0..=limit).filter(known).collect::<Vec<_>>();
        let values = move |number| [0, 1, 2, 3, 7].map(|value| vendor_specific(format, vendor, number, value));
        numbers.into_iter().flat_map(values).collect::<Vec<_>>()
    });
    let mut compared = 0;
    let mut wrong = Vec::new();
    for attribute in plain.chain(vendors) {
        let bytes = packet(&attribute);
        let packet = Packet::parse(&bytes).unwrap();
        let (our, their) = (decode(&packet, &ours), decode(&packet, &theirs));
        for pair in our.iter().zip(their.iter()) {
            compared += 1;
            if pair.0 != pair.1 && !has_reason(pair.0, pair.1) {
                wrong.push(format!("{:?} instead of {:?}", pair.0, pair.1));
            }
        }
        assert_eq!(our.len(), their.len(), "{attribute:?}");
    }
    println!("{compared} attributes compared");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether it is known why we name an attribute or its value otherwise.
fn has_reason(our: &Attribute, their: &Attribute) -> bool {
    // What is hidden has no tag either.
    let hidden = our.value == Value::Redacted && their.name.starts_with(&*our.name);
    // Where nobody says what is secret, names tell, and some of them tell too much: we have looked at each.
    let told = their.value == Value::Redacted
        && (our.value == Value::Redacted || HARMLESS.split_whitespace().any(|name| name == &*our.name));
    let number = our.value.number().filter(|_| our.name == their.name);
    hidden
        || told
        || number.is_some_and(|number| is_value_difference(&our.name, number))
        || is_difference(&our.name)
        || (is_addition(&our.name) && their.name.starts_with("Attr-"))
}

#[test]
fn freeradius_s_own_set_loads_on_top_of_ours() {
    theirs();
    let mut loader = Loader::on(&Dictionary::shipped());
    loader.file(&Path::new(FREERADIUS).join("dictionary")).unwrap();
    for warning in loader.finish().1 {
        let text = warning.to_string();
        assert!(text.contains(": Digest-") || text.contains(": H3C-Acct-IPv6-"), "{text}");
        assert!(text.ends_with(" is defined again, with another number"), "{text}");
    }
}
