//! A template for a body, a header or a URL.

use std::fmt;
use std::sync::Arc;

use minijinja::{Environment, OutputSpanKind, Value};

use super::place::{Piece, Place};
use super::{Facts, MAX_SOURCE, Mistake, NAMES, Unfit, language, refuse_unknown, said, words};

/// The only template of an environment.
const NAME: &str = "it";

/// Stands beside an event's facts in a body.
const EVENTS: &str = "events";

/// Statements that hold back what is written in them and hand it on as one value: what stood in it could no longer be told
/// from what a packet brought.
const HOLDING_BACK: [&str; 3] = ["endset", "endfilter", "autoescape"];

/// A template, compiled, and where its text will stand.
#[derive(Clone)]
pub struct Template {
    environment: Arc<Environment<'static>>,
    source: Arc<str>,
    place: Place,
    takes_several: bool,
}

impl Template {
    /// Whether a text holds anything to be filled in. What does not is sent as it stands.
    pub fn is_one(text: &str) -> bool {
        ["{{", "{%", "{#"].iter().any(|begin| text.contains(begin))
    }

    /// Reads a template over the facts of events.
    pub fn parse(source: &str, place: Place) -> Result<Self, Mistake> {
        let known: Vec<&str> = NAMES.iter().copied().chain([EVENTS]).collect();
        Self::over(source, place, &known)
    }

    /// Reads a template over facts of these names.
    pub fn over(source: &str, place: Place, known: &[&str]) -> Result<Self, Mistake> {
        if source.len() > MAX_SOURCE {
            return Err(Mistake::new(format!("it is longer than {MAX_SOURCE} bytes"), None));
        }
        if let Some((word, at)) = HOLDING_BACK.iter().find_map(|word| Some((word, statement(source, word)?))) {
            let what = format!("{{% {word} %}} is not known here: values are written for the place they stand in");
            return Err(Mistake::new(what, Some(at)));
        }
        place.judge(source)?;
        let mut environment = language();
        environment.set_formatter(formatted);
        environment.add_template_owned(NAME, source.to_owned()).map_err(|error| Mistake::of(&error))?;
        let used = environment.get_template(NAME).map_err(|error| Mistake::of(&error))?.undeclared_variables(false);
        let takes_several = used.contains(EVENTS);
        refuse_unknown(used, known, source)?;
        words::refuse_unknown(&environment, source, 0)?;
        Ok(Self { environment: Arc::new(environment), source: source.into(), place, takes_several })
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Where its text will stand.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether it asks for the list of events that share a request.
    pub fn takes_several(&self) -> bool {
        self.takes_several
    }

    /// Fills it in.
    pub fn render(&self, facts: &Facts) -> Result<String, Unfit> {
        let unfit = |error: minijinja::Error| {
            let line = error.line().map(|line| format!(", line {line}")).unwrap_or_default();
            Unfit::new(format!("{}{line}", said(&error)))
        };
        let template = self.environment.get_template(NAME).map_err(unfit)?;
        let (output, spans) = template.render_with_spans(facts.value()).map_err(unfit)?;
        let pieces = spans.iter().map(|span| {
            let text = &output[span.output_range()];
            match span.kind() {
                OutputSpanKind::Raw => Piece::Text(text),
                _ => Piece::Value { json: text, source: self.source.get(span.source_range()).unwrap_or_default() },
            }
        });
        self.place.write(pieces)
    }
}

/// Every value leaves the template as JSON; the place it stands in makes of it what fits there.
fn formatted(
    output: &mut minijinja::Output<'_>,
    _: &mut minijinja::State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    let json = match value.is_undefined() {
        true => "null".to_owned(),
        false => serde_json::to_string(value)
            .map_err(|error| minijinja::Error::new(minijinja::ErrorKind::BadSerialization, error.to_string()))?,
    };
    output.write_str(&json).map_err(minijinja::Error::from)
}

/// Where a statement of this name begins.
fn statement(source: &str, name: &str) -> Option<usize> {
    source.match_indices("{%").map(|(at, _)| at).find(|at| {
        let rest = source[at + 2..].trim_start_matches(['-', '+']).trim_start();
        rest.strip_prefix(name).is_some_and(|behind| !behind.starts_with(|next: char| next.is_alphanumeric()))
    })
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.place, self.source)
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        (&self.source, self.place) == (&other.source, other.place)
    }
}

impl Eq for Template {}
