//! Which keys of data that others hand in hold secrets, by what they are called.

/// What a key is called that holds a secret: the last word of it, or the last two. `password_changed_at` holds none.
const SECRETS: [&str; 20] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "secrets",
    "token",
    "psk",
    "pin",
    "otp",
    "credential",
    "credentials",
    "cookie",
    "authorization",
    "apikey",
    "api key",
    "private key",
    "secret key",
    "access key",
    "encryption key",
];

/// Whether a key is called as secrets are, by its last words.
pub fn names_secret(key: &str) -> bool {
    let words = words(key);
    let last = words.rsplit(' ').next().unwrap_or_default();
    let last_two = words.rmatch_indices(' ').nth(1).map_or(&*words, |(at, _)| &words[at + 1..]);
    SECRETS.contains(&last) || SECRETS.contains(&last_two)
}

/// The words of `apiKey`, `api_key`, `API-Key`, `api key`, in small letters with a space between.
fn words(key: &str) -> String {
    let mut words = String::with_capacity(key.len() + 2);
    let mut was_small = false;
    for character in key.chars() {
        let begins = !character.is_alphanumeric() || (character.is_uppercase() && was_small);
        if begins && !words.ends_with(' ') {
            words.push(' ');
        }
        if character.is_alphanumeric() {
            words.extend(character.to_lowercase());
        }
        was_small = character.is_lowercase() || character.is_numeric();
    }
    words.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_the_last_words_of_their_names() {
        for key in ["password", "wifi_password", "apiKey", "API-Key", "user.token", "Pin"] {
            assert!(names_secret(key), "{key}");
        }
        for key in ["password_changed_at", "email", "keyboard", "spinning", ""] {
            assert!(!names_secret(key), "{key}");
        }
    }
}
