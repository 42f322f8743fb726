//! The figures of a run: rows of rounds, their medians, and the file they go to.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Named figures of one round: `"per_second"`, `"p50_us"`, …
pub type Figures = BTreeMap<String, f64>;

/// What one bench measured.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Results {
    /// The command that repeats it.
    pub command: String,
    /// When it began, RFC 3339.
    pub at: String,
    /// Made by a build without optimisation: good for trying the bench, and for nothing else.
    pub debug: bool,
    /// What was measured, in the order of measuring.
    pub rows: Vec<Row>,
}

/// One thing measured in one way, round by round.
#[derive(Debug, Serialize, Deserialize)]
pub struct Row {
    /// What was measured: `"freeradius, nothing"`.
    pub name: String,
    /// How: packets under way at once, packets a second, endpoints; 0 where there is only one way.
    pub setting: u64,
    /// The rounds, in order.
    pub rounds: Vec<Figures>,
}

impl Row {
    /// The median of a figure over the rounds; `None` where it was not measured.
    pub fn median(&self, figure: &str) -> Option<f64> {
        median(self.rounds.iter().filter_map(|round| round.get(figure).copied()).collect())
    }
}

/// `ours` to `theirs`: of the medians, and the lowest and highest of the rounds, each beside its own neighbour.
#[derive(Debug, Clone, Copy)]
pub struct Ratio {
    /// Of the medians.
    pub of_medians: f64,
    /// In the rounds.
    pub lowest: f64,
    /// In the rounds.
    pub highest: f64,
}

impl Ratio {
    /// Of one figure of a row to one of another; `None` where one was not measured.
    pub fn of(ours: (&Row, &str), theirs: (&Row, &str)) -> Option<Self> {
        let of_medians = ours.0.median(ours.1)? / theirs.0.median(theirs.1)?;
        let rounds = ours.0.rounds.iter().zip(&theirs.0.rounds);
        let ratios = rounds.filter_map(|(one, other)| Some(one.get(ours.1)? / other.get(theirs.1)?));
        let (lowest, highest) = ratios.fold((f64::INFINITY, 0.0), |(low, high), at| (at.min(low), at.max(high)));
        Some(Self { of_medians, lowest, highest })
    }
}

/// The middle one, or the mean of the two in the middle.
pub fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let upper = *figures.get(figures.len() / 2)?;
    let lower = figures[(figures.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}

impl Results {
    /// Nothing measured yet, by the command that this process was started as.
    pub fn new(bench: &str) -> Self {
        let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
        let separator = if words.is_empty() { "" } else { " -- " };
        let command = format!("cargo bench --bench {bench}{separator}{}", words.join(" "));
        Self { command, at: jiff::Timestamp::now().to_string(), debug: cfg!(debug_assertions), rows: Vec::new() }
    }

    /// Adds a round, and says it at once: a run takes long, and may be cut short.
    pub fn add(&mut self, name: &str, setting: u64, figures: Figures) {
        let line: Vec<String> = figures.iter().map(|(figure, value)| format!("{figure} {}", shown(*value))).collect();
        println!("{name:<28} {setting:>6}  {}", line.join("  "));
        match self.rows.iter_mut().find(|row| row.name == name && row.setting == setting) {
            Some(row) => row.rounds.push(figures),
            None => self.rows.push(Row { name: name.to_owned(), setting, rounds: vec![figures] }),
        }
    }

    /// The rows of one name.
    pub fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(move |row| row.name == name)
    }

    /// The row of one name with the highest median of a figure.
    pub fn best<'a>(&'a self, name: &'a str, figure: &str) -> Option<&'a Row> {
        self.of(name)
            .filter(|row| row.median(figure).is_some())
            .max_by(|a, b| f64::total_cmp(&a.median(figure).unwrap_or(0.0), &b.median(figure).unwrap_or(0.0)))
    }

    /// The row of one name and setting.
    pub fn row(&self, name: &str, setting: u64) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name && row.setting == setting)
    }

    /// Writes them where the report finds them.
    pub fn write(&self, bench: &str) {
        let path = path(bench);
        fs::create_dir_all(path.parent().expect("it has one")).expect("the build directory is writable");
        fs::write(&path, serde_json::to_vec_pretty(self).expect("they are plain")).expect("and takes a file");
        println!("written to {}", path.display());
    }

    /// What a bench wrote last; none where it did not run.
    pub fn read(bench: &str) -> Option<Self> {
        let text = fs::read(path(bench)).ok()?;
        Some(serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path(bench).display())))
    }
}

fn path(bench: &str) -> PathBuf {
    directory().join(format!("{bench}.json"))
}

/// Where figures are kept, in the build directory.
pub fn directory() -> PathBuf {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    target.parent().expect("it stands in the build directory").join("bench-results")
}

/// Three figures that matter, and no exponent.
pub fn shown(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 100.0 => grouped(value),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// A whole number with a comma before each three digits.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && !shown.ends_with('-') {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}
