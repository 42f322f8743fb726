//! What radhook is to reach, and what was measured of it.

use crate::harness::results::{Ratio, Results, Row, shown};

/// The most that a delivery may cost with many endpoints, to what it costs with one: flat, give or take what rounds differ by.
const FLAT: f64 = 1.1;

/// What is wanted of a figure.
#[derive(Debug, Clone, Copy)]
pub enum Wanted {
    AtLeast(f64),
    AtMost(f64),
}

/// One line of the table.
pub struct Goal {
    number: u8,
    what: String,
    /// Medians as shown, radhook's and what stands beside it.
    ours: String,
    theirs: String,
    /// What is judged; `None` where it was not measured.
    value: Option<f64>,
    /// Lowest and highest of the rounds.
    spread: Option<(f64, f64)>,
    wanted: Wanted,
}

/// A figure of a row, with its unit.
type Of<'a> = (Option<&'a Row>, &'a str, &'a str);

/// All of them, by number.
pub fn goals(peers: &Results, end_to_end: &Results) -> Vec<Goal> {
    use Wanted::{AtLeast, AtMost};
    const RATE: &str = "per_second";
    let best = |name| (peers.best(name, RATE), RATE, "/s");
    let cpu = |name| (peers.best(name, RATE), "cpu_us", " µs");
    let at = |name, setting, figure, unit| (end_to_end.row(name, setting), figure, unit);
    let (nothing, rest) = (best("FreeRADIUS, nothing"), best("FreeRADIUS, rlm_rest"));
    let (dead, single) = (best("radhook, receiver dead"), best("radhook, single POSTs"));
    let batches = best("radhook, batches of 100");
    let sync = |before: &'static str| at(before, 1000, "p50_us", " µs");
    let mut goals = vec![
        ratio(1, "acknowledged, receiver dead, beside FreeRADIUS doing nothing", dead, nothing, AtLeast(1.4)),
        ratio(1, "acknowledged, receiver dead, beside FreeRADIUS with rlm_rest", dead, rest, AtLeast(4.0)),
        ratio(2, "in and out, a POST an event, beside rlm_rest", single, rest, AtLeast(2.0)),
        ratio(
            2,
            "CPU an event, beside rlm_rest's",
            cpu("radhook, single POSTs"),
            cpu("FreeRADIUS, rlm_rest"),
            AtMost(0.4),
        ),
        ratio(3, "in and out, batches of 100, beside FreeRADIUS doing nothing", batches, nothing, AtLeast(1.2)),
    ];
    let acks = "bare, fdatasync (acks)";
    for (what, figure, most) in [("p50", "p50_us", 1.4), ("p99", "p99_us", 4.0)] {
        let what = format!("acknowledgement at 1,000/s, {what}, beside one fdatasync (p50)");
        goals.push(ratio(4, &what, at("acks by rate", 1000, figure, " µs"), sync(acks), AtMost(most)));
    }
    let transit = at("packet to POST", 1000, "p50_us", " µs");
    let what = "packet to POST at 1,000/s, p50, beside one fdatasync (p50)";
    goals.push(ratio(5, what, transit, sync("bare, fdatasync (POST)"), AtMost(2.0)));
    let bare = at("bare, POST of the same", 64, RATE, "/s");
    goals.push(ratio(6, "draining, beside a bare loop of POSTs", at("drain", 64, RATE, "/s"), bare, AtLeast(0.8)));
    for conduct in ["dead", "hanging", "503"] {
        let name = format!("acks, receiver {conduct}");
        let ours = (end_to_end.row(&name, 64), RATE, "/s");
        let alive = at("acks, receiver alive", 64, RATE, "/s");
        goals.push(ratio(7, &format!("acknowledged, receiver {conduct}, beside alive"), ours, alive, AtLeast(0.9)));
    }
    goals.push(lost(end_to_end));
    goals.push(plain(8, "memory when idle", at("idle", 0, "rss_mib", " MiB"), AtMost(30.0)));
    goals.push(plain(8, "CPU when idle", at("idle", 0, "cores", " of a core"), AtMost(0.001)));
    goals.push(plain(8, "start until ready", at("start", 0, "ms", " ms"), AtMost(50.0)));
    for count in [10, 100] {
        let [many, one] = [count, 1].map(|count| at("endpoints", count, "cpu_us", " µs"));
        goals.push(ratio(9, &format!("CPU a delivery, {count} endpoints beside one"), many, one, AtMost(FLAT)));
    }
    goals
}

fn ratio(number: u8, what: &str, ours: Of<'_>, theirs: Of<'_>, wanted: Wanted) -> Goal {
    let ratio = ours.0.zip(theirs.0).and_then(|(one, other)| Ratio::of((one, ours.1), (other, theirs.1)));
    Goal {
        number,
        what: what.to_owned(),
        ours: told(ours),
        theirs: told(theirs),
        value: ratio.map(|ratio| ratio.of_medians),
        spread: ratio.map(|ratio| (ratio.lowest, ratio.highest)),
        wanted,
    }
}

fn plain(number: u8, what: &str, ours: Of<'_>, wanted: Wanted) -> Goal {
    let value = ours.0.and_then(|row| row.median(ours.1));
    Goal { number, what: what.to_owned(), ours: told(ours), theirs: String::new(), value, spread: None, wanted }
}

/// Of all rounds with all receivers, not the median: one is too many.
fn lost(end_to_end: &Results) -> Goal {
    let rounds = || {
        let rows = end_to_end.rows.iter().filter(|row| row.name.starts_with("acks, receiver"));
        rows.flat_map(|row| &row.rounds).filter_map(|round| Some(round.get("missing")? + round.get("lost")?))
    };
    let value = (rounds().count() > 0).then(|| rounds().sum());
    let (number, what) = (7, "lost, whatever the receiver does".to_owned());
    let ours = value.map_or_else(String::new, shown);
    Goal { number, what, ours, theirs: String::new(), value, spread: None, wanted: Wanted::AtMost(0.0) }
}

/// The median with its unit, and the setting where the row was chosen from several.
fn told((row, figure, unit): Of<'_>) -> String {
    let Some((row, value)) = row.and_then(|row| Some((row, row.median(figure)?))) else { return String::new() };
    let window = matches!(figure, "per_second" | "cpu_us") && row.name.contains("radhook,")
        || row.name.starts_with("FreeRADIUS,");
    if window { format!("{}{unit} (window {})", shown(value), row.setting) } else { format!("{}{unit}", shown(value)) }
}

impl Goal {
    fn verdict(&self) -> &'static str {
        match (self.value, self.wanted) {
            (None, _) => "not measured",
            (Some(value), Wanted::AtLeast(bound)) if value >= bound => "held",
            (Some(value), Wanted::AtMost(bound)) if value <= bound => "held",
            _ => "**missed**",
        }
    }

    fn wanted(&self) -> String {
        match self.wanted {
            Wanted::AtLeast(bound) => format!("≥ {bound}"),
            Wanted::AtMost(bound) => format!("≤ {bound}"),
        }
    }

    fn judged(&self) -> String {
        let value = self.value.map_or_else(String::new, |value| format!("{value:.2}"));
        match (self.spread, self.theirs.is_empty()) {
            (Some((lowest, highest)), _) => format!("{value}, {lowest:.2} to {highest:.2}"),
            (None, true) => String::new(),
            (None, false) => value,
        }
    }

    /// As a row of the page's table.
    pub fn row(&self) -> String {
        let Self { number, what, ours, theirs, .. } = self;
        format!(
            "| {number} | {what} | {ours} | {theirs} | {} | {} | {} |",
            self.judged(),
            self.wanted(),
            self.verdict()
        )
    }

    /// As a line of a terminal.
    pub fn line(&self) -> String {
        let Self { number, what, ours, theirs, .. } = self;
        let beside = if theirs.is_empty() { String::new() } else { format!(" : {theirs} = {}", self.judged()) };
        let verdict = self.verdict().trim_matches('*');
        format!("{number}  {verdict:<12}  {what}: {ours}{beside}, wanted {}", self.wanted())
    }
}
