//! Keeps a flood of bad packets from becoming a flood of log lines.
//!
//! For each reason a few lines a minute are written as they come; the rest is counted, and the count is told once
//! the minute is over. Time is an argument.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long a reason's lines are counted together.
const WINDOW: Duration = Duration::from_secs(60);

/// Lines per reason and minute.
#[derive(Debug)]
pub struct LogLimit {
    lines: u64,
    /// Reasons are few and fixed, so that this is bounded.
    windows: HashMap<&'static str, Window>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    asked: u64,
}

impl LogLimit {
    /// Allows so many lines a minute for each reason.
    pub fn new(lines: u64) -> Self {
        Self { lines, windows: HashMap::new() }
    }

    /// Whether a line for this reason may be written now.
    pub fn allows(&mut self, reason: &'static str, now: Instant) -> bool {
        let window = self.windows.entry(reason).or_insert(Window { since: now, asked: 0 });
        window.asked += 1;
        window.asked <= self.lines
    }

    /// The reasons whose minute is over, and how many lines each has kept back in it. To be asked now and then; until
    /// then a reason stays in its minute.
    pub fn suppressed(&mut self, now: Instant) -> Vec<(&'static str, u64)> {
        let mut suppressed = Vec::new();
        self.windows.retain(|reason, window| {
            let over = now.saturating_duration_since(window.since) >= WINDOW;
            if over && window.asked > self.lines {
                suppressed.push((*reason, window.asked - self.lines));
            }
            !over
        });
        suppressed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_few_lines_a_minute_and_then_its_count() {
        let mut limit = LogLimit::new(3);
        let start = Instant::now();
        let written = (0..1000).filter(|_| limit.allows("malformed", start)).count();
        assert_eq!(written, 3);
        assert!(limit.allows("unknown_client", start), "each reason has its own lines");
        let later = start + WINDOW - Duration::from_millis(1);
        assert!(limit.suppressed(later).is_empty());
        assert!(!limit.allows("malformed", later));
        assert_eq!(limit.suppressed(start + WINDOW), [("malformed", 998)]);
        assert!(limit.allows("malformed", start + WINDOW));
        assert!(limit.suppressed(start + WINDOW).is_empty());
    }
}
