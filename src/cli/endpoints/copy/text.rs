//! A config file as a text in which tables are found: to copy one as it stands, comments included, and to hide secrets.

use std::borrow::Cow;
use std::ops::Range;

use anyhow::{Context as _, bail};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The tables that are copied.
const ENDPOINT: &str = "endpoint";

/// Keys whose texts are secrets. A table in their place says where the secret is, and is none.
const SECRETS: [&str; 5] = ["secret", "token", "password", "client_secret", "body"];

/// A table of which every text may be a secret.
const HEADERS: &str = "headers";

/// Stands for a secret.
const MASK: &str = "\"[secret]\"";

/// A text that is TOML.
pub struct Document<'t> {
    text: &'t str,
    table: Spanned<DeTable<'t>>,
}

/// A line that begins a table.
struct Header {
    /// Where the line begins.
    at: usize,
    /// Its keys.
    path: Vec<String>,
}

impl<'t> Document<'t> {
    /// Reads it.
    pub fn parse(text: &'t str) -> anyhow::Result<Self> {
        Ok(Self { text, table: DeTable::parse(text)? })
    }

    /// Whether it has an endpoint of this name.
    pub fn has_endpoint(&self, name: &str) -> bool {
        self.endpoint(name).is_some()
    }

    /// The text, with a mask over every secret that stands in it.
    pub fn without_secrets(&self) -> String {
        let mut spans = Vec::new();
        for (key, value) in self.table.get_ref().iter() {
            secrets(key.get_ref(), value, &mut spans);
        }
        spans.sort_by_key(|span| span.start);
        let mut shown = String::new();
        let mut end = 0;
        for span in spans {
            shown.push_str(&self.text[end..span.start]);
            shown.push_str(MASK);
            end = span.end;
        }
        shown + &self.text[end..]
    }

    fn endpoint(&self, name: &str) -> Option<&DeTable<'t>> {
        let DeValue::Array(endpoints) = get(self.table.get_ref(), ENDPOINT)?.get_ref() else { return None };
        endpoints.iter().find_map(|endpoint| {
            let DeValue::Table(endpoint) = endpoint.get_ref() else { return None };
            let is_it = matches!(get(endpoint, "name")?.get_ref(), DeValue::String(own) if *own == name);
            is_it.then_some(endpoint)
        })
    }

    /// The lines that begin tables, in order. What stands in a text over several lines is none.
    fn headers(&self) -> Vec<Header> {
        let mut texts = Vec::new();
        for (_, value) in self.table.get_ref().iter() {
            strings(value, &mut texts);
        }
        let mut headers = Vec::new();
        let mut at = 0;
        for line in self.text.split_inclusive('\n') {
            let trimmed = line.trim_start();
            if trimmed.starts_with('[') && !texts.iter().any(|span: &Range<usize>| span.contains(&at)) {
                let keys = trimmed.trim_start_matches('[').split(']').next().unwrap_or_default();
                let key = |key: &str| key.trim().trim_matches(['"', '\'']).to_owned();
                headers.push(Header { at, path: keys.split('.').map(key).collect() });
            }
            at += line.len();
        }
        headers
    }

    /// Where a line's comment begins that stands right above it, else the line itself.
    fn lead(&self, at: usize) -> usize {
        let mut start = at;
        for line in self.text[..at].split_inclusive('\n').rev() {
            if !line.trim_start().starts_with('#') {
                break;
            }
            start -= line.len();
        }
        start
    }
}

/// The text with a copy of an endpoint behind the original, under another name and disabled.
pub fn copied(text: &str, name: &str, new_name: &str) -> anyhow::Result<String> {
    let document = Document::parse(text)?;
    let endpoint = document.endpoint(name).with_context(|| format!("it has no endpoint {name:?}"))?;
    let span = |key: &str| get(endpoint, key).map(Spanned::span);
    let named = span("name").context("the endpoint has no name")?;
    let (headers, lead) = (document.headers(), |header: &Header| document.lead(header.at));
    let own = headers.iter().rposition(|header| header.at < named.start);
    let own = own.filter(|own| headers[*own].path == [ENDPOINT]);
    let Some(own) = own else { bail!("{name} is not written as a table of its own; write it as [[endpoint]]") };
    // Its own tables belong to it: [endpoint.retry].
    let is_beneath = |header: &&Header| header.path.len() > 1 && header.path[0] == ENDPOINT;
    let next = headers[own + 1..].iter().find(|header| !is_beneath(header));
    let start = lead(&headers[own]);
    let end = start + text[start..next.map_or(text.len(), lead)].trim_end().len();

    let mut changes = vec![(named.clone(), toml::Value::from(new_name).to_string())];
    match span("enabled") {
        Some(enabled) => changes.push((enabled, "false".to_owned())),
        None => {
            let line = text[..named.start].rfind('\n').map_or(0, |at| at + 1);
            let indent: String = text[line..].chars().take_while(|character| matches!(character, ' ' | '\t')).collect();
            let behind =
                named.end + text[named.end..].find('\n').unwrap_or(text.len() - named.end).min(end - named.end);
            changes.push((behind..behind, format!("\n{indent}enabled = false")));
        }
    }
    changes.sort_by_key(|(span, _)| span.start);
    let mut copy = String::new();
    let mut from = start;
    for (span, new) in changes {
        copy.push_str(&text[from..span.start]);
        copy.push_str(&new);
        from = span.end;
    }
    copy.push_str(&text[from..end]);
    let rest = &text[end..];
    let gap = if rest.is_empty() { "\n" } else { "" };
    let after = format!("{}\n\n{copy}{rest}{gap}", &text[..end]);
    judge(text, &after, name, new_name)?;
    Ok(after)
}

/// That the text says what it said and one endpoint more, whatever its form.
fn judge(before: &str, after: &str, name: &str, new_name: &str) -> anyhow::Result<()> {
    let mut expected: toml::Table = before.parse()?;
    let endpoints = expected.get_mut(ENDPOINT).and_then(toml::Value::as_array_mut);
    let endpoints = endpoints.context("it has no endpoints")?;
    let is_it = |endpoint: &toml::Value| endpoint.get("name").and_then(toml::Value::as_str) == Some(name);
    let at = endpoints.iter().position(is_it).context("the endpoint is not there")?;
    let mut copy = endpoints[at].clone();
    let table = copy.as_table_mut().context("the endpoint is no table")?;
    table.insert("name".to_owned(), new_name.into());
    table.insert("enabled".to_owned(), false.into());
    endpoints.insert(at + 1, copy);
    if after.parse::<toml::Table>().ok() != Some(expected) {
        bail!("the copy would not say the same as the original; copy it by hand");
    }
    Ok(())
}

fn get<'a, 't>(table: &'a DeTable<'t>, wanted: &str) -> Option<&'a Spanned<DeValue<'t>>> {
    let key = |key: &Spanned<Cow<'_, str>>| **key.get_ref() == *wanted;
    table.iter().find_map(|(name, value)| key(name).then_some(value))
}

/// The places of all texts.
fn strings(value: &Spanned<DeValue<'_>>, into: &mut Vec<Range<usize>>) {
    match value.get_ref() {
        DeValue::String(_) => into.push(value.span()),
        DeValue::Array(items) => items.iter().for_each(|item| strings(item, into)),
        DeValue::Table(table) => table.iter().for_each(|(_, value)| strings(value, into)),
        _ => {}
    }
}

/// The places of the secrets in what is set under `key`.
fn secrets(key: &str, value: &Spanned<DeValue<'_>>, into: &mut Vec<Range<usize>>) {
    match value.get_ref() {
        DeValue::String(_) if SECRETS.contains(&key) => into.push(value.span()),
        DeValue::Array(items) => items.iter().for_each(|item| secrets(key, item, into)),
        DeValue::Table(table) => {
            for (own, value) in table.iter() {
                let own: &str = own.get_ref();
                match value.get_ref() {
                    DeValue::String(_) if key == HEADERS => into.push(value.span()),
                    _ => secrets(own, value, into),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"# top
[[endpoint]]
name = "first"
url = "https://one.example/"

# The CRM of the hotel.
# Ask Bob.
[[endpoint]]
  name = "crm" # never change
  url = "https://crm.example/"
  signature = { scheme = "standard", secret = [{ env = "CRM" }, "whsec_b3BlbnNlc2FtZW9wZW5zZXNhbWU="] }
  note = """
[[endpoint]]
name = "no"
"""
[endpoint.headers] # behind it
"X-Key" = "hush"
[endpoint.retry]
schedule = ["1m", "2m"]

# Where packets come in.
[[source]]
type = "accounting"
listen = "127.0.0.1:0"
"#;

    #[test]
    fn the_copy_stands_behind_the_original_with_its_comments_and_tables() {
        let after = copied(CONFIG, "crm", "crm-2").unwrap();
        let added = "# The CRM of the hotel.\n# Ask Bob.\n[[endpoint]]\n  name = \"crm-2\" # never change\n  enabled = false\n  \
                     url = ";
        let (before, behind) = after.split_once(added).expect(&after);
        assert!(before.ends_with("schedule = [\"1m\", \"2m\"]\n\n"), "{before}");
        assert!(behind.ends_with("schedule = [\"1m\", \"2m\"]\n\n# Where packets come in.\n[[source]]\ntype = \"accounting\"\nlisten = \"127.0.0.1:0\"\n"), "{behind}");
        // Whatever was there stands there as it was.
        assert_eq!(
            after.replacen(
                &after[before.len()
                    ..after.len()
                        - "# Where packets come in.\n[[source]]\ntype = \"accounting\"\nlisten = \"127.0.0.1:0\"\n"
                            .len()],
                "",
                1
            ),
            CONFIG
        );
        let twice = copied(&after, "crm-2", "crm-3").unwrap();
        assert_eq!(twice.matches("enabled = false").count(), 2);
    }

    #[test]
    fn the_last_endpoint_of_a_file_without_its_last_line_s_end_is_copied_too() {
        let text = "[[endpoint]]\nenabled = true\nname = 'a'";
        let after = copied(text, "a", "b").unwrap();
        assert_eq!(after, "[[endpoint]]\nenabled = true\nname = 'a'\n\n[[endpoint]]\nenabled = false\nname = \"b\"\n");
        let text = "[[endpoint]]\nname = 'a'";
        let after = copied(text, "a", "b").unwrap();
        assert_eq!(after, "[[endpoint]]\nname = 'a'\n\n[[endpoint]]\nname = \"b\"\nenabled = false\n");
    }

    #[test]
    fn what_is_no_table_of_its_own_is_refused() {
        let refused = copied("endpoint = [{ name = \"a\" }]\n", "a", "b").unwrap_err().to_string();
        assert!(refused.contains("write it as [[endpoint]]"), "{refused}");
    }

    #[test]
    fn secrets_are_hidden_and_what_leads_to_them_is_not() {
        let shown = Document::parse(CONFIG).unwrap().without_secrets();
        assert!(!shown.contains("whsec_") && !shown.contains("hush"), "{shown}");
        assert!(
            shown.contains("{ env = \"CRM\" }, \"[secret]\"]") && shown.contains("\"X-Key\" = \"[secret]\""),
            "{shown}"
        );
    }
}
