//! `when = "session.duration > 60 and venue.id == 888"`.

use std::fmt;
use std::sync::{Arc, LazyLock};

use minijinja::{Environment, Expression};

use super::{Facts, MAX_SOURCE, Mistake, NAMES, Template, Unfit, guard, language, refuse_unknown, said, words};

/// Every condition is compiled in it, and lives as long as the process does.
static LANGUAGE: LazyLock<Environment<'static>> = LazyLock::new(language);

/// Make a template of a condition.
const BEGINS: &str = "{{ ";
const ENDS: &str = " }}";

/// The name under which an endpoint's `count` gives its number.
pub const COUNT: &str = "count";

/// Whether an event is wanted.
#[derive(Clone)]
pub struct Condition {
    source: Arc<str>,
    expression: Arc<Expression<'static, 'static>>,
    counts: bool,
}

impl Condition {
    /// Reads it. A name that no event has is a mistake: the operator would wait in vain.
    pub fn parse(source: &str) -> Result<Self, Mistake> {
        if source.len() > MAX_SOURCE {
            return Err(Mistake::new(format!("it is longer than {MAX_SOURCE} bytes"), None));
        }
        // As it was written, so that a mistake is found where it stands.
        let written = LANGUAGE.compile_expression_owned(source.to_owned()).map_err(|error| mistake(source, &error))?;
        let used = written.undeclared_variables(false);
        let counts = used.contains(COUNT);
        let known: Vec<&str> = NAMES.iter().copied().chain([COUNT]).collect();
        refuse_unknown(used, &known, source)?;
        words::refuse_unknown(&LANGUAGE, &format!("{BEGINS}{source}{ENDS}"), BEGINS.len())?;
        let guarded = guard::guarded(source).map_err(|error| Mistake::of(&error))?;
        let expression = LANGUAGE.compile_expression_owned(guarded).map_err(|error| Mistake::of(&error))?;
        Ok(Self { source: source.into(), expression: Arc::new(expression), counts })
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it asks how often something came.
    pub fn counts(&self) -> bool {
        self.counts
    }

    /// Whether it holds for these facts. What cannot be evaluated, such as a sum of a name and a number, does not hold, and
    /// says why.
    pub fn holds(&self, facts: &Facts) -> Result<bool, Unfit> {
        match self.expression.eval(facts.value()) {
            Ok(value) => Ok(value.is_true()),
            Err(error) => Err(Unfit::new(said(&error))),
        }
    }
}

/// What is wrong with one that cannot be read, and what those are used to write who come from another language.
fn mistake(source: &str, error: &minijinja::Error) -> Mistake {
    let mistake = Mistake::of(error);
    let (before, rest) = source.split_at_checked(mistake.at.unwrap_or(0)).unwrap_or_default();
    let begins = |with: &[&str]| with.iter().any(|with| rest.starts_with(with));
    let help = if Template::is_one(source) {
        "write a condition without {{ }}"
    } else if begins(&["&"]) {
        "write and"
    } else if begins(&["|"]) {
        "write or; behind | stands a filter"
    } else if begins(&["!"]) {
        "write not"
    } else if begins(&["="]) {
        "write == to compare"
    } else if begins(&[">"]) && before.ends_with('<') {
        "write !="
    } else {
        return mistake;
    };
    Mistake { what: format!("{}; {help}", mistake.what), at: mistake.at }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Condition {}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "when {:?}", self.source)
    }
}
