use std::fs;
use std::path::Path;

use super::*;
use crate::radius::AttributeId;

fn load(text: &str) -> (Dictionary, Vec<String>) {
    let mut loader = Loader::empty();
    loader.text("test", text).unwrap();
    let (dictionary, warnings) = loader.finish();
    (dictionary, warnings.iter().map(Warning::to_string).collect())
}

fn refused(text: &str) -> String {
    Loader::empty().text("test", text).unwrap_err().to_string()
}

fn rfc(dictionary: &Dictionary, number: u32) -> &Definition {
    dictionary.get(Space::Vendor(0), number).unwrap()
}

#[test]
fn the_shipped_dictionary_has_no_warnings_and_knows_the_rfcs() {
    let mut loader = Loader::empty();
    loader.shipped().unwrap();
    assert_eq!(loader.finish().1, []);
    let dictionary = Dictionary::shipped();
    let status = dictionary.by_name("acct-status-type").unwrap();
    assert_eq!((&*status.name, status.id), ("Acct-Status-Type", AttributeId::rfc(40)));
    assert_eq!(dictionary.value_name(status, 3).map(|name| &**name), Some("Interim-Update"));
    assert_eq!(dictionary.value_number(status, "alive"), Some(3));
    assert_eq!(rfc(&dictionary, 69).flags.encrypt, Some(Encryption::TunnelPassword));
    assert!(rfc(&dictionary, 69).flags.has_tag && rfc(&dictionary, 79).flags.concat);
}

#[test]
fn the_last_definition_of_a_number_wins_and_its_older_name_keeps_working() {
    let (dictionary, warnings) =
        load("ATTRIBUTE Old 1 integer\nVALUE Old One 1\nATTRIBUTE New 1 string\nVALUE Old Two 2\n");
    assert!(warnings.is_empty());
    let new = rfc(&dictionary, 1);
    assert_eq!((&*new.name, new.kind), ("New", DataType::Text));
    assert_eq!(dictionary.by_name("Old"), Some(new));
    assert_eq!(dictionary.value_name(new, 1).map(|name| &**name), Some("One"));
    assert_eq!(dictionary.value_name(new, 2).map(|name| &**name), Some("Two"));
}

#[test]
fn what_was_secret_once_is_not_uncovered_by_a_later_definition() {
    let (dictionary, _) = load("ATTRIBUTE Door-Code 250 string secret\nATTRIBUTE Door-Code 250 string\n");
    assert!(rfc(&dictionary, 250).flags.secret);
}

#[test]
fn a_name_that_moves_to_another_number_is_a_warning() {
    let (dictionary, warnings) = load("ATTRIBUTE A 1 integer\nATTRIBUTE A 2 integer\n");
    assert_eq!(warnings, ["test:2:11: A is defined again, with another number"]);
    assert_eq!(dictionary.by_name("A").unwrap().id, AttributeId::rfc(2));
}

#[test]
fn vendors_have_their_own_numbers_in_blocks_and_in_the_flag_column() {
    let (dictionary, warnings) = load(
        "VENDOR One 1000\nVENDOR Two 2000 format=2,1\nVENDOR Uno 1000\nBEGIN-VENDOR One\nATTRIBUTE One-A 0 string\n\
         END-VENDOR One\nATTRIBUTE Two-A 300 string Two,secret\nATTRIBUTE Plain 1 string\n",
    );
    assert!(warnings.is_empty());
    assert_eq!(&*dictionary.get(Space::Vendor(1000), 0).unwrap().name, "One-A");
    let two = dictionary.get(Space::Vendor(2000), 300).unwrap();
    assert_eq!((&*two.name, two.flags.secret), ("Two-A", true));
    assert_eq!(rfc(&dictionary, 1).id, AttributeId::rfc(1));
    assert_eq!(dictionary.vendor_name(1000).map(|name| &**name), Some("Uno"));
    assert_eq!(dictionary.vendor_format(2000).type_octets, 2);
    assert_eq!(dictionary.vendor_format(3000), VendorFormat::default());
}

#[test]
fn tlvs_nest_by_dots_and_by_blocks() {
    let (dictionary, warnings) = load(
        "ATTRIBUTE Ext 241 extended\nATTRIBUTE Ext-A 241.1 tlv\nATTRIBUTE Ext-B 241.1.2 integer\nBEGIN-TLV Ext-A\n\
         ATTRIBUTE Ext-C 3 string\nEND-TLV Ext-A\nATTRIBUTE Top 1 string\n",
    );
    assert!(warnings.is_empty());
    let inner = dictionary.by_name("Ext-A").unwrap();
    assert_eq!((inner.id, &*inner.path), (AttributeId::rfc(241), [241, 1].as_slice()));
    let leaf = dictionary.get(inner.inside(), 3).unwrap();
    assert_eq!((&*leaf.name, &*leaf.path), ("Ext-C", [241, 1, 3].as_slice()));
    assert_eq!(&*dictionary.get(inner.inside(), 2).unwrap().name, "Ext-B");
    assert_eq!(&*rfc(&dictionary, 1).name, "Top");
}

#[test]
fn extended_vendors_stand_in_their_own_space() {
    let (dictionary, warnings) = load(
        "VENDOR Example 32473\nATTRIBUTE Long 245 long-extended\nATTRIBUTE EVS-5 245.26 evs\n\
         BEGIN-VENDOR Example format=EVS-5\nATTRIBUTE Ex-A 1 string\nEND-VENDOR Example\n\
         ATTRIBUTE Ex-B 245.26.32473.2 string\n",
    );
    assert!(warnings.is_empty());
    let evs = dictionary.by_name("EVS-5").unwrap();
    for (number, name) in [(1, "Ex-A"), (2, "Ex-B")] {
        let found = dictionary.get(Space::ExtendedVendor(evs.place, 32473), number).unwrap();
        assert_eq!((&*found.name, &*found.path), (name, [245, 26, 32473, number].as_slice()));
        assert_eq!(found.id, AttributeId::rfc(245));
    }
}

#[test]
fn values_may_come_before_their_attribute_and_be_shared() {
    let (dictionary, warnings) = load(
        "VALUE A One 1\nVALUE A Deux 2\nVALUE Nowhere Two 2\nVALUE-ALIAS B A\nATTRIBUTE A 1 integer\n\
         ATTRIBUTE B 2 integer\nVALUE A Two 2\n",
    );
    assert_eq!(warnings, ["test:3:7: no attribute \"Nowhere\" is defined"]);
    assert_eq!(dictionary.value_name(rfc(&dictionary, 1), 1).map(|name| &**name), Some("One"));
    assert_eq!(dictionary.value_name(rfc(&dictionary, 2), 1).map(|name| &**name), Some("One"));
    let two = |number| dictionary.value_name(rfc(&dictionary, number), 2).map(|name| &**name);
    assert_eq!((two(1), two(2)), (Some("Two"), Some("Two")), "the name that came in order wins");
    assert_eq!(dictionary.value_number(rfc(&dictionary, 2), "deux"), Some(2));
}

#[test]
fn what_is_unknown_is_a_warning_and_the_rest_stands() {
    let (dictionary, warnings) = load(
        "STRUCT x 1\nATTRIBUTE A 1 quaternion\nATTRIBUTE B 2 string has_tag,strange\nATTRIBUTE C 300 string\n\
         VENDOR One 1000\nATTRIBUTE D 300 string One\nBEGIN-VENDOR One\n",
    );
    assert_eq!(
        warnings,
        [
            "test:1:1: \"STRUCT\" is no keyword",
            "test:2:15: \"quaternion\" is no type; its values are shown as octets",
            "test:3:30: \"strange\" is no flag",
            "test:6:13: number 300 is above 255, the most that fits here",
            "test:7:1: BEGIN-VENDOR One is never closed",
        ]
    );
    assert_eq!(rfc(&dictionary, 1).kind, DataType::Octets(None));
    assert!(rfc(&dictionary, 2).flags.has_tag);
    assert!(rfc(&dictionary, 300).flags.internal);
}

#[test]
fn what_cannot_be_understood_is_refused_with_its_place() {
    for (text, expected) in [
        ("\nATTRIBUTE A", "test:2:12: ATTRIBUTE needs a number here"),
        ("ATTRIBUTE A one string", "test:1:13: \"one\" is no attribute number"),
        ("ATTRIBUTE A 1.2 string", "test:1:13: no attribute around \"1.2\" is defined"),
        ("ATTRIBUTE A 1.1.1.1.1.1.1.1.1 string", "test:1:13: 1.1.1.1.1.1.1.1.1 is nested deeper than 8"),
        ("VALUE A One one", "test:1:13: \"one\" is no number"),
        ("VENDOR A 1 format=3,1", "test:1:12: \"format=3,1\" is no vendor format"),
        ("BEGIN-VENDOR A", "test:1:14: no vendor \"A\" is defined"),
        ("BEGIN-TLV A", "test:1:11: no attribute \"A\" is defined"),
        ("END-VENDOR A", "test:1:12: END-VENDOR A closes what is not open"),
        (
            "VENDOR A 1\nVENDOR B 2\nBEGIN-VENDOR A\nEND-VENDOR B",
            "test:4:12: END-VENDOR B closes what is not open, BEGIN-VENDOR A is",
        ),
    ] {
        assert_eq!(refused(text), expected);
    }
}

#[test]
fn files_are_included_relative_to_their_own_and_optional_ones_may_be_missing() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("vendor")).unwrap();
    fs::write(at("main"), "$INCLUDE vendor/a\n$INCLUDE- vendor/missing\n").unwrap();
    fs::write(at("vendor/a"), "$INCLUDE b\nATTRIBUTE A 1 string # caf\u{e9}\n").unwrap();
    fs::write(at("vendor/b"), b"ATTRIBUTE B 2 string # caf\xe9\n").unwrap();
    let mut loader = Loader::empty();
    loader.file(&at("main")).unwrap();
    let (dictionary, warnings) = loader.finish();
    assert_eq!((dictionary.len(), warnings), (2, vec![]));

    fs::write(at("main"), "\n  $INCLUDE vendor/missing\n").unwrap();
    let error = Loader::empty().file(&at("main")).unwrap_err().to_string();
    assert!(error.ends_with("main:2:12: cannot read vendor/missing: no such file"), "{error}");
}

#[test]
fn a_site_s_own_file_adds_to_the_shipped_ones_or_stands_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("dictionary.local");
    fs::write(&file, "VENDOR Example 32473\nBEGIN-VENDOR Example\nATTRIBUTE Ex-A 1 string\nEND-VENDOR Example\n")
        .unwrap();
    let (added, warnings) = Dictionary::load(true, std::slice::from_ref(&file)).unwrap();
    assert!(warnings.is_empty() && added.by_name("Ex-A").is_some() && added.by_name("User-Name").is_some());
    let (alone, _) = Dictionary::load(false, &[file]).unwrap();
    assert!(alone.by_name("Ex-A").is_some() && alone.by_name("User-Name").is_none());
    let error = Dictionary::load(true, &["/nowhere".into()]).unwrap_err().to_string();
    assert_eq!(error, "/nowhere:1:1: cannot read /nowhere: no such file");
}

#[test]
fn files_that_include_each_other_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("a"), "$INCLUDE b\n").unwrap();
    fs::write(at("b"), "$INCLUDE ../x/../a\n$INCLUDE a\n").unwrap();
    let error = Loader::empty().file(&at("a")).unwrap_err();
    assert!(matches!(error.problem, Problem::Unreadable { .. }), "{error}");
    fs::write(at("b"), "$INCLUDE ./a\n").unwrap();
    let error = Loader::empty().file(&at("a")).unwrap_err();
    assert!(matches!(error.problem, Problem::IncludeCycle { .. }), "{error}");
    assert_eq!((error.position.line, error.position.column), (1, 10));
}

#[test]
fn files_that_multiply_are_stopped() {
    let directory = tempfile::tempdir().unwrap();
    for depth in 0..15 {
        let next = format!("$INCLUDE {}\n", depth + 1);
        fs::write(directory.path().join(depth.to_string()), next.repeat(2)).unwrap();
    }
    fs::write(directory.path().join("15"), "").unwrap();
    let error = Loader::empty().file(&directory.path().join("0")).unwrap_err();
    assert_eq!(error.problem, Problem::TooManyFiles { limit: 4096 });
}

/// FreeRADIUS's own dictionaries load, the whole set. `tests/dictionaries.rs` compares ours.
const FREERADIUS: &str = "/usr/share/freeradius/dictionary";

#[test]
fn all_of_freeradius_s_dictionaries_load() {
    let mut loader = Loader::empty();
    loader.file(Path::new(FREERADIUS)).unwrap_or_else(|error| panic!("{error}; tests/run installs what is missing"));
    let counts = loader.counts();
    let (dictionary, warnings) = loader.finish();
    assert_eq!(warnings, []);
    // 3.2.1 has 225, 7,468, 7,987 and 186; others more or less.
    assert!(counts.files >= 200 && counts.attributes >= 7000 && counts.values >= 7000 && counts.vendors >= 180);
    assert!(dictionary.len() >= 7000 && dictionary.vendors() >= 180);
    let release = dictionary.by_name("WiMAX-Release").unwrap();
    assert_eq!((release.id, &*release.path), (AttributeId { vendor: 24757, number: 1 }, [1, 1].as_slice()));
    assert!(dictionary.vendor_format(24757).continuation);
}

#[test]
fn where_nobody_says_what_is_secret_names_tell() {
    let is_secret = |mut loader: Loader, line: &str| {
        loader.text("test", line).unwrap();
        let (dictionary, _) = loader.finish();
        dictionary.by_name(line.split_whitespace().nth(1).unwrap()).unwrap().flags.secret
    };
    for (line, secret) in [
        ("ATTRIBUTE Cleartext-Password 1100 string", true),
        ("ATTRIBUTE Site-WLAN-PSK 200 octets", true),
        ("ATTRIBUTE Site-Key 202 tlv", true),
        ("ATTRIBUTE Site-Password-Mode 203 string", false),
        ("ATTRIBUTE Allow-Password 204 integer", false),
        ("ATTRIBUTE Room 205 string", false),
        ("ATTRIBUTE Room 205 string secret", true),
    ] {
        assert_eq!(is_secret(Loader::empty(), line), secret, "{line}");
    }
    // The built-in dictionary has looked at each: what it shows may be shown.
    assert!(!is_secret(Loader::on(&Dictionary::shipped()), "ATTRIBUTE Load-Balance-Key 1025 string"));
}
