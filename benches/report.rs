//! Makes the page of what `peers` and `end_to_end` measured last: the table of goals and all rows in `docs/performance.md`, between
//! its two marks, and the plot beside it.
//!
//! `cargo bench --bench report [-- --draft]`
//!
//! Figures of a build without optimisation are refused. With `--draft` the page is made of them all the same, and goes to the
//! build directory.

#[path = "report/goals.rs"]
mod goals;
mod harness;
#[path = "report/machine.rs"]
mod machine;
#[path = "report/plot.rs"]
mod plot;
#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use goals::{Goal, goals};
use harness::results::{Results, directory, shown};

/// What stands between these two lines of the page is ours.
const MARKS: [&str; 2] = ["<!-- measured -->\n", "<!-- /measured -->"];

/// Figures of a row that are shown, with the column's head.
const COLUMNS: [(&str, &str); 8] = [
    ("per_second", "a second"),
    ("p50_us", "p50 µs"),
    ("p99_us", "p99 µs"),
    ("cpu_us", "CPU µs"),
    ("cores", "cores"),
    ("rss_mib", "MiB"),
    ("sent_again", "sent again"),
    ("ms", "ms"),
];

#[derive(Debug, Parser)]
struct Options {
    /// Take figures of a build without optimisation, and leave the docs alone
    #[arg(long)]
    draft: bool,
    /// What cargo bench adds by itself
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let [peers, end_to_end] = ["peers", "end_to_end"].map(|bench| Results::read(bench).unwrap_or_default());
    let measured = [&peers, &end_to_end].map(|results| !results.rows.is_empty());
    if measured == [false, false] {
        eprintln!("nothing is measured yet: cargo bench --bench peers, cargo bench --bench end_to_end");
        return ExitCode::FAILURE;
    }
    if (peers.debug || end_to_end.debug) && !options.draft {
        eprintln!("some figures are of a build without optimisation: measure again, or try the page with --draft");
        return ExitCode::FAILURE;
    }
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let to = if options.draft { directory() } else { docs.clone() };
    let page = fs::read_to_string(docs.join("performance.md")).expect("the page is there");
    let [before, after] = MARKS.map(|mark| page.find(mark).unwrap_or_else(|| panic!("the page has the mark {mark}")));
    let goals = goals(&peers, &end_to_end);
    let text = measured_text(&peers, &end_to_end, &goals);
    let page = format!("{}{text}{}", &page[..before + MARKS[0].len()], &page[after..]);
    fs::write(to.join("performance.md"), page).expect("the page can be written");
    fs::write(to.join("performance.svg"), plot::svg(&peers)).expect("the plot can be written");
    for goal in &goals {
        println!("{}", goal.line());
    }
    println!("written to {}", to.display());
    ExitCode::SUCCESS
}

fn measured_text(peers: &Results, end_to_end: &Results, goals: &[Goal]) -> String {
    let mut text = format!("\n{}\n\n", machine::sentence());
    for results in [peers, end_to_end].into_iter().filter(|results| !results.rows.is_empty()) {
        let rounds = || results.rows.iter().map(|row| row.rounds.len());
        let (fewest, most) = (rounds().min().unwrap_or(0), rounds().max().unwrap_or(0));
        let rounds = if fewest == most { most.to_string() } else { format!("{fewest} to {most}") };
        let _ = writeln!(text, "- `{}`: rounds of each row: {rounds}; begun {}", results.command, &results.at[..16]);
    }
    text.push_str("\n| | goal | radhook | beside | ratio, rounds | wanted | |\n|---|---|---|---|---|---|---|\n");
    for goal in goals {
        let _ = writeln!(text, "{}", goal.row());
    }
    for (head, results) in [("Peers", peers), ("The whole program", end_to_end)] {
        if !results.rows.is_empty() {
            let _ = write!(text, "\n### {head}\n\n{}", table(results));
        }
    }
    text.push('\n');
    text
}

/// Every row's medians; columns that no row has are left out.
fn table(results: &Results) -> String {
    let columns: Vec<_> =
        COLUMNS.iter().filter(|(figure, _)| results.rows.iter().any(|row| row.median(figure).is_some())).collect();
    let heads: Vec<&str> = columns.iter().map(|(_, head)| *head).collect();
    let mut text = format!("| | setting | {} |\n|---|--:|{}\n", heads.join(" | "), "--:|".repeat(columns.len()));
    for row in &results.rows {
        let setting = if row.setting == 0 { String::new() } else { row.setting.to_string() };
        let cells: Vec<String> =
            columns.iter().map(|(figure, _)| row.median(figure).map_or(String::new(), shown)).collect();
        let _ = writeln!(text, "| {} | {setting} | {} |", row.name, cells.join(" | "));
    }
    text
}
