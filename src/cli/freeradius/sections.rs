//! Where the sections of a FreeRADIUS configuration begin and end, and what is set in them: enough to put a line into
//! one, not to understand it all. `$INCLUDE` is not followed.
//!
//! Braces also stand in comments, strings, regular expressions and expansions (`%{User-Name}`, `${confdir}`), where they
//! mean nothing.

/// A section: `name … {` to `}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The words before its opening brace: `server default`, `Post-Auth-Type REJECT`.
    pub words: Vec<String>,
    /// Where its opening brace stands, in octets.
    pub open: usize,
    /// Where its closing brace stands.
    pub close: usize,
    /// What is set in it, `name = value` without quotes, in order.
    pub settings: Vec<(String, String)>,
    /// The sections in it, in order.
    pub sections: Vec<Section>,
}

/// Braces that do not match.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: this brace has no partner; `freeradius -XC` tells what is wrong")]
pub struct Unbalanced {
    /// The brace's line, counted from 1.
    pub line: usize,
}

impl Section {
    /// Whether these are its words; FreeRADIUS writes `REJECT` and `Reject` alike.
    pub fn is(&self, words: &[&str]) -> bool {
        self.words.len() == words.len()
            && self.words.iter().zip(words).all(|(own, word)| own.eq_ignore_ascii_case(word))
    }

    /// The first section in it with these words.
    pub fn section(&self, words: &[&str]) -> Option<&Section> {
        self.sections.iter().find(|section| section.is(words))
    }

    /// What is set last under a name, which is what counts.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// The line of an offset, counted from 1.
pub fn line_of(text: &[u8], offset: usize) -> usize {
    text.iter().take(offset).filter(|octet| **octet == b'\n').count() + 1
}

/// The file as a section without words.
pub fn parse(text: &[u8]) -> Result<Section, Unbalanced> {
    let whole = Section { words: Vec::new(), open: 0, close: text.len(), settings: Vec::new(), sections: Vec::new() };
    let mut open = vec![whole];
    let mut words: Vec<String> = Vec::new();
    let mut at = 0;
    let unbalanced = |at| Unbalanced { line: line_of(text, at) };
    loop {
        let octet = text.get(at).copied();
        if matches!(octet, None | Some(b'\n' | b'{' | b'}')) {
            let statement = std::mem::take(&mut words);
            let section = open.last_mut().ok_or(unbalanced(at))?;
            match octet {
                Some(b'{') => open.push(Section {
                    words: statement,
                    open: at,
                    close: at,
                    settings: Vec::new(),
                    sections: Vec::new(),
                }),
                _ => section.settings.extend(setting(statement)),
            }
        }
        match octet {
            None => break,
            Some(b'}') => {
                let mut done = open.pop().ok_or(unbalanced(at))?;
                done.close = at;
                open.last_mut().ok_or(unbalanced(at))?.sections.push(done);
                at += 1;
            }
            Some(b'#') => at = end_of_line(text, at),
            Some(b'\\') if text.get(at + 1) == Some(&b'\n') => at += 2,
            Some(b'{') => at += 1,
            Some(octet) if octet.is_ascii_whitespace() => at += 1,
            Some(quote @ (b'"' | b'\'' | b'`')) => {
                let end = closing(text, at + 1, quote);
                words.push(plain(&text[at + 1..end]));
                at = (end + 1).min(text.len());
            }
            Some(b'/') if words.last().is_some_and(|word| word.ends_with("=~") || word.ends_with("!~")) => {
                let end = closing(text, at + 1, b'/');
                words.push(plain(&text[at..end]));
                at = (end + 1).min(text.len());
            }
            Some(_) => {
                let end = end_of_word(text, at);
                words.push(plain(&text[at..end]));
                at = end;
            }
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(whole), true) => Ok(whole),
        (Some(left), false) => Err(unbalanced(left.open)),
        (None, _) => Err(unbalanced(text.len())),
    }
}

fn setting(statement: Vec<String>) -> Option<(String, String)> {
    let [name, equals, value] = <[String; 3]>::try_from(statement).ok()?;
    (equals == "=").then_some((name, value))
}

fn plain(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

fn end_of_line(text: &[u8], at: usize) -> usize {
    text[at..].iter().position(|octet| *octet == b'\n').map_or(text.len(), |found| at + found)
}

/// Where a string ends that has begun before `at`: at its delimiter, or with its line, as no string is longer.
fn closing(text: &[u8], mut at: usize, delimiter: u8) -> usize {
    while let Some(octet) = text.get(at) {
        match octet {
            b'\n' => break,
            b'\\' if text.get(at + 1).is_some_and(|next| *next != b'\n') => at += 1,
            octet if *octet == delimiter => break,
            _ => {}
        }
        at += 1;
    }
    at.min(text.len())
}

/// Where a bare word ends: at white space, a brace that is no expansion's, a quote, or behind an operator of a regular
/// expression or of a setting.
fn end_of_word(text: &[u8], begin: usize) -> usize {
    if text[begin] == b'=' && text.get(begin + 1) != Some(&b'~') && text.get(begin + 1) != Some(&b'=') {
        return begin + 1;
    }
    let mut at = begin;
    while let Some(octet) = text.get(at) {
        let next = text.get(at + 1).copied();
        match octet {
            b'%' | b'$' if next == Some(b'{') => at = end_of_expansion(text, at + 2),
            b'=' | b'!' if next == Some(b'~') => return at + 2,
            // `name=value`: the name ends here.
            b'=' if at > begin && text[begin..at].iter().all(|o| o.is_ascii_alphanumeric() || *o == b'_') => break,
            b'{' | b'}' | b'"' | b'\'' | b'`' => break,
            octet if octet.is_ascii_whitespace() => break,
            _ => at += 1,
        }
    }
    at.max(begin + 1)
}

/// Behind the brace that ends an expansion; others may stand within. No expansion is longer than its line.
fn end_of_expansion(text: &[u8], mut at: usize) -> usize {
    let mut depth = 1;
    while let Some(octet) = text.get(at) {
        match octet {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b'\n' => return at,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(section: &Section) -> String {
        let inner: Vec<String> = section.sections.iter().map(shape).collect();
        format!("{}[{}]", section.words.join(" "), inner.join(","))
    }

    fn told(text: &str) -> String {
        parse(text.as_bytes()).map_or_else(|error| error.to_string(), |whole| shape(&whole))
    }

    #[test]
    fn sections_are_found_within_sections() {
        let text =
            "server default {\n listen {\n  type = auth\n }\n post-auth {\n  Post-Auth-Type REJECT {\n  }\n }\n}\n";
        assert_eq!(told(text), "[server default[listen[],post-auth[Post-Auth-Type REJECT[]]]]");
        let whole = parse(text.as_bytes()).unwrap();
        let post_auth = whole.section(&["server", "default"]).unwrap().section(&["post-auth"]).unwrap();
        let reject = post_auth.section(&["Post-Auth-Type", "Reject"]).unwrap();
        assert_eq!((text.as_bytes()[reject.open], text.as_bytes()[reject.close]), (b'{', b'}'));
        assert_eq!(line_of(text.as_bytes(), reject.open), 6);
    }

    #[test]
    fn braces_that_mean_nothing_are_passed_over() {
        for text in [
            "a {\n # }\n}\n",
            "a {\n b = \"}\"\n c = 'it\\'s }'\n}\n",
            "a {\n filename = ${radacctdir}/%{%{A}:-%{B}}/detail\n}\n",
            "a {\n if (&User-Name =~ /^[a-z]{3}\\/}$/i) {\n  ok\n }\n}\n",
            "a {\n if (\"%{x}\" !~ /}/) {\n }\n}\n",
        ] {
            assert!(
                ["[a[]]", "[a[if (&User-Name =~ /^[a-z]{3}\\/}$ i)[]]]", "[a[if ( %{x} !~ /} )[]]]"]
                    .contains(&told(text).as_str()),
                "{text}: {}",
                told(text)
            );
        }
    }

    #[test]
    fn settings_are_read_without_their_quotes() {
        let whole =
            parse(b"client localhost {\n\tipaddr = 127.0.0.1 # here\n\tsecret=\"a b\"\n\tsecret = 'c#d'\n}").unwrap();
        let client = whole.section(&["client", "localhost"]).unwrap();
        assert_eq!(client.setting("ipaddr"), Some("127.0.0.1"));
        assert_eq!(client.setting("secret"), Some("c#d"));
        assert_eq!(client.settings[1].1, "a b");
    }

    #[test]
    fn braces_without_a_partner_are_told_with_their_line() {
        assert_eq!(parse(b"a {\n}\n}\n"), Err(Unbalanced { line: 3 }));
        assert_eq!(parse(b"\na {\n b {\n }\n"), Err(Unbalanced { line: 2 }));
    }

    #[test]
    fn no_text_is_too_odd() {
        use proptest::prelude::*;
        proptest!(|(text in "[a =~/{}\"'#%$\\\\\n!(]{0,80}")| {
            let _ = parse(text.as_bytes());
        });
    }
}
