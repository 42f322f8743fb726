//! Globs, in which `*` stands for any run of characters, also an empty one.

/// Whether `text` matches `pattern`. Takes time by the product of their lengths at worst: where a later part of the pattern
/// does not fit, only the last `*` before it is stretched.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut of_pattern, mut of_text) = (0, 0);
    // Behind the last star, and where in the text what it stands for ends.
    let mut star: Option<(usize, usize)> = None;
    while of_text < text.len() {
        match (pattern.get(of_pattern), star) {
            (Some(b'*'), _) => {
                of_pattern += 1;
                star = Some((of_pattern, of_text));
            }
            (Some(octet), _) if *octet == text[of_text] => {
                of_pattern += 1;
                of_text += 1;
            }
            (_, Some((behind, to))) => {
                (of_pattern, of_text) = (behind, to + 1);
                star = Some((behind, to + 1));
            }
            (_, None) => return false,
        }
    }
    pattern[of_pattern..].iter().all(|octet| *octet == b'*')
}

/// Whether a pattern matches one text only: itself.
pub fn is_plain(pattern: &str) -> bool {
    !pattern.contains('*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, text) in [
            ("lobby-*", "lobby-ap-1"),
            ("*", ""),
            ("*", "anything"),
            ("*.stop", "session.stop"),
            ("a*b*c", "a-b-b-c"),
            ("a**c", "ac"),
            ("*é*", "café"),
            ("", ""),
        ] {
            assert!(glob(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("lobby-*", "bar-1"), ("", "a"), ("a*b", "abc"), ("*.stop", "stop"), ("a", "A"), ("a*a", "a")]
        {
            assert!(!glob(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_does_not_take_for_ever() {
        let (pattern, text) = ("*a".repeat(64), "a".repeat(4_096) + "b");
        assert!(!glob(&pattern, &text));
    }
}
