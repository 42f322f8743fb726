//! What an authentication server answers, read into a token and how long it lasts.

use std::time::Duration;

use serde_json::Value;

/// RFC 6749 §5.1 leaves out `expires_in` where it is known otherwise; nobody here knows, so that it is fetched hourly.
const UNKNOWN_LIFE: Duration = Duration::from_secs(3_600);

/// A year. Longer lives are as good as for ever, and cannot overflow a clock.
const LONGEST_LIFE: Duration = Duration::from_secs(365 * 86_400);

/// A token, and how long it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Granted {
    pub token: String,
    pub lives: Duration,
}

/// The token under a dotted path such as `auth.token`; a number in it counts an array's elements from 0.
pub(super) fn token(answer: &Value, field: &str, lives: Duration) -> Result<Granted, String> {
    let found = field.split('.').try_fold(answer, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => value.get(step),
    });
    match found {
        Some(Value::String(token)) if !token.is_empty() => Ok(Granted { token: token.clone(), lives }),
        Some(Value::Number(token)) => Ok(Granted { token: token.to_string(), lives }),
        Some(_) => Err(format!("`{field}` in the authentication server's answer is no token")),
        None => Err(format!("there is no `{field}` in the authentication server's answer")),
    }
}

/// RFC 6749 §5.1.
pub(super) fn oauth2(answer: &Value) -> Result<Granted, String> {
    if let Some(kind) = answer.get("token_type").and_then(Value::as_str)
        && !kind.eq_ignore_ascii_case("bearer")
    {
        return Err(format!("the token's type is {kind:.40}, and only Bearer is known"));
    }
    // Some servers write the number as text.
    let seconds = answer.get("expires_in").and_then(|life| match life {
        Value::String(text) => text.parse().ok(),
        life => life.as_f64(),
    });
    let lives = match seconds {
        Some(seconds) if seconds > 0.0 => {
            Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_LIFE).min(LONGEST_LIFE)
        }
        _ => UNKNOWN_LIFE,
    };
    token(answer, "access_token", lives)
}
