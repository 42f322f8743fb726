//! Templates: `url`, `headers`, `body`, `content_type`; and what is wrong with one, told where it stands.

use std::path::Path;

use http::HeaderValue;
use reqwest::Url;

use super::url;
use crate::config::files::read_bounded;
use crate::config::reader::{Reader, Scope};
use crate::config::tree::{Node, Value};
use crate::deliver::options::{Format, RenderError, Templates};
use crate::event::EventType;
use crate::event::sample::Sample;
use crate::template::{MAX_SOURCE, Mistake, Place, Template};

/// Notes a mistake in the text of a key.
pub(super) fn refuse(scope: &Scope<'_>, node: &Node, text: &str, mistake: &Mistake) {
    let place = mistake.at.map_or(node.place, |at| scope.inside(node.place, text, at));
    scope.problem(place, format!("`{}`: {}", node.key, mistake.what), None);
}

/// The same in a file of its own.
pub(super) fn refuse_in(scope: &Scope<'_>, node: &Node, file: &Path, text: &str, mistake: &Mistake) {
    let before = &text[..mistake.at.unwrap_or(0).min(text.len())];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let at = format!("{}:{line}:{column}", file.display());
    scope.problem(node.place, format!("`{}`: {at}: {}", node.key, mistake.what), None);
}

/// Reads a template of an endpoint that writes events in this format.
pub(super) fn read(scope: &Scope<'_>, node: &Node, text: &str, place: Place, format: Format) -> Option<Template> {
    parse(text, place, format).map_err(|mistake| refuse(scope, node, text, &mistake)).ok()
}

fn parse(text: &str, place: Place, format: Format) -> Result<Template, Mistake> {
    match format.names() {
        Some(names) => Template::over(text, place, names),
        None => Template::parse(text, place),
    }
}

/// `url`: where requests go. Of one that is a template, what stands in it as it is, up to the last `/` or `?` before anything is
/// filled in.
pub(super) fn address(table: &mut Reader<'_>, format: Format) -> Option<(Url, Option<Template>)> {
    let node = table.node("url");
    let Some(Value::Text(text)) = node.map(|node| &node.value) else {
        return table.required("url", EXAMPLE, url::url).map(|url| (url, None));
    };
    if !Template::is_one(text) {
        return table.required("url", EXAMPLE, url::url).map(|url| (url, None));
    }
    let (scope, node) = (table.scope(), node?);
    let template = read(scope, node, text, Place::Url, format)?;
    let filled = ["{{", "{%", "{#"].iter().filter_map(|begin| text.find(begin)).min().unwrap_or(text.len());
    let fixed = &text[..filled];
    let fixed = match (fixed.find('?'), fixed.rfind('/')) {
        (Some(query), _) => &fixed[..query],
        (None, Some(slash)) => &fixed[..=slash],
        (None, None) => fixed,
    };
    let whole = Node { value: Value::Text(fixed.to_owned()), ..node.clone() };
    Some((url::url(scope, &whole)?, Some(template)))
}

const EXAMPLE: &str = "\"https://crm.example.com/hooks\"";

/// `content_type`.
pub(super) fn content_type(table: &mut Reader<'_>) -> Option<HeaderValue> {
    let valid = |text: &str| {
        let fits = text
            .split(';')
            .next()
            .is_some_and(|essence| essence.split('/').filter(|part| !part.trim().is_empty()).count() == 2);
        let help = "write it like \"application/json\"";
        match HeaderValue::from_str(text) {
            Ok(value) if fits => Ok(value),
            _ => Err(crate::config::units::Complaint::new("which is no media type", help)),
        }
    };
    table.optional("content_type", crate::config::value::parsed("a media type in quotes", valid))
}

/// `body`: in the config itself, or in a file of its own.
pub(super) fn body(table: &mut Reader<'_>, format: Format, content_type: Option<&HeaderValue>) -> Option<Template> {
    let place = content_type.and_then(|kind| kind.to_str().ok()).map_or(Place::Json, Place::of_content_type);
    let node = table.node("body");
    let scope = table.scope();
    let Some(node) = node else {
        if format == Format::Template {
            let help = "add body = \'{ \"user\": \"{{ user.name }}\" }\', or body = { file = \"crm.json\" }".to_owned();
            scope.problem(table.place_of("format"), "format = \"template\" needs a `body`", help);
        }
        return None;
    };
    // Of a format that was refused nobody knows what it was to be.
    let is_format = |node: &Node| matches!(&node.value, Value::Text(text) if text == format.name());
    if table.node("format").is_some_and(|node| !is_format(node)) {
        return None;
    }
    if !format.takes_body() {
        let what = format!("`body` has no meaning with format = \"{format}\", which writes its own");
        scope.problem(node.key_place, what, "set format = \"template\", or remove it".to_owned());
        return None;
    }
    match &node.value {
        Value::Text(text) => read(scope, node, text, place, format),
        Value::Table(_) => {
            let file =
                table.table("body", |body| body.required("file", "\"crm.json\"", crate::config::value::path))??;
            let text = match read_bounded(&file, MAX_SOURCE as u64 + 1) {
                Ok((bytes, _)) => String::from_utf8(bytes).map_err(|_| "is no UTF-8".to_owned()),
                Err(error) => Err(format!("cannot be read: {error}")),
            };
            match text {
                Ok(text) => {
                    parse(&text, place, format).map_err(|mistake| refuse_in(scope, node, &file, &text, &mistake)).ok()
                }
                Err(what) => {
                    scope.problem(node.place, format!("`body`: {} {what}", file.display()), None);
                    None
                }
            }
        }
        _ => {
            scope.wrong_type(node, "a template in quotes, or a table with `file`");
            None
        }
    }
}

/// Tries the templates on a sample of every type that the endpoint wants: what can never be sent is a problem now.
pub(super) fn rehearse(table: &Reader<'_>, templates: &Templates, format: Format, kinds: &[EventType], batched: bool) {
    let fixed = templates.url.is_none() && templates.headers.is_empty();
    if templates.body.is_none() && fixed {
        return;
    }
    let scope = table.scope();
    let body = templates.body.as_ref();
    // What is wrong with it was said where it was read.
    if format == Format::Template && body.is_none() {
        return;
    }
    if batched && !fixed {
        let place = table.place_of(if templates.url.is_some() { "url" } else { "headers" });
        let what = "a request with several events has one URL and one set of headers, and a template is of one event";
        scope.problem(place, what, "remove `batch`, or write them without templates".to_owned());
        return;
    }
    if batched && body.is_some_and(|body| !body.takes_several()) {
        let what = "`body` is of one event, and `batch` puts several in a request";
        let help = "write {% for event in events %} … {% endfor %} in it, or remove `batch`".to_owned();
        scope.problem(table.place_of("body"), what, help);
        return;
    }
    let now = jiff::Timestamp::UNIX_EPOCH;
    let sample = Sample { now, node: "radhook", endpoint: "sample" };
    let failures: Vec<_> = kinds
        .iter()
        .filter(|kind| format.has_word_for(&sample.of(**kind)))
        .map(|kind| {
            let json = sample.of(*kind).to_string().into_bytes();
            match batched {
                true => templates.many(format, &[&json, &json]),
                false => templates.one(format, json),
            }
            .err()
            .map(|error| (kind, error))
        })
        .collect();
    // Of one type a template may want what another has not, and of an event what a sample has not.
    let is_absence = |error: &RenderError| matches!(error, RenderError::Unfit(unfit) if unfit.is_absence());
    if let Some(Some((kind, error))) = failures.first()
        && failures.iter().all(|failure| failure.as_ref().is_some_and(|(_, error)| !is_absence(error)))
    {
        let key = if body.is_some() {
            "body"
        } else if templates.url.is_some() {
            "url"
        } else {
            "headers"
        };
        let what = format!("nothing can be made of the templates for a sample of {kind}: {error}");
        scope.problem(table.place_of(key), what, None);
    } else {
        for (kind, error) in failures.into_iter().flatten() {
            let what = format!("nothing can be made of the templates for a sample of {kind}: {error}");
            let help =
                "such events would be given up at once: leave the type out of `events`, or them by `when`".to_owned();
            scope.warn(table.place_of("events"), what, help);
        }
    }
}
