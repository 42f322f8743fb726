//! The plot: horizontal bars, each peer's best window, events by the second. Colours follow the reader's light or dark.

use std::fmt::Write as _;

use crate::harness::results::{Results, shown};

/// Two questions, and who answers them: row and caption.
const GROUPS: [(&str, &[(&str, &str)]); 2] = [
    (
        "Acknowledged a second",
        &[
            ("FreeRADIUS, nothing", "FreeRADIUS, nothing kept"),
            ("FreeRADIUS, detail", "FreeRADIUS + detail file"),
            ("FreeRADIUS, rlm_rest", "FreeRADIUS + rlm_rest"),
            ("radhook, receiver dead", "radhook, receiver dead"),
        ],
    ),
    (
        "Taken in and delivered a second",
        &[
            ("FreeRADIUS, rlm_rest", "FreeRADIUS + rlm_rest"),
            ("radhook, single POSTs", "radhook, a POST an event"),
            ("radhook, batches of 100", "radhook, batches of 100"),
        ],
    ),
];

/// Widths in pixels: of everything, of the captions, of what the longest bar may take.
const WIDTH: u32 = 720;
const CAPTION: u32 = 220;
const BAR: f64 = 400.0;

/// Heights in pixels: of a line, and of its bar.
const LINE: u32 = 28;
const THICK: u32 = 18;

const STYLE: &str = "text{font:14px system-ui,sans-serif;fill:#1f2328}.head{font-weight:600}.peer{fill:#8c959f}.radhook{fill:#0969da}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.peer{fill:#6e7681}.radhook{fill:#4493f8}}";

/// The plot of what was measured; rows that were not are left out.
pub fn svg(peers: &Results) -> String {
    let rate = |name| peers.best(name, "per_second").and_then(|row| row.median("per_second"));
    let names = GROUPS.iter().flat_map(|(_, bars)| bars.iter().map(|(name, _)| *name));
    let longest = names.filter_map(rate).fold(1.0, f64::max);
    let (mut drawn, mut y) = (String::new(), 8);
    for (head, bars) in GROUPS {
        y += LINE;
        let _ = writeln!(drawn, "<text class=\"head\" x=\"8\" y=\"{}\">{head}</text>", y - 9);
        for (name, caption) in bars {
            let Some(rate) = rate(name) else { continue };
            let width = (rate / longest * BAR).max(1.0);
            let class = if name.starts_with("radhook") { "radhook" } else { "peer" };
            let _ =
                writeln!(drawn, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{caption}</text>", CAPTION - 10, y + 14);
            let _ = writeln!(
                drawn,
                "<rect class=\"{class}\" x=\"{CAPTION}\" y=\"{y}\" width=\"{width:.0}\" height=\"{THICK}\" rx=\"2\"/>"
            );
            let end = f64::from(CAPTION) + width + 8.0;
            let _ = writeln!(drawn, "<text x=\"{end:.0}\" y=\"{}\">{}</text>", y + 14, shown(rate));
            y += LINE;
        }
        y += 8;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{y}\" viewBox=\"0 0 {WIDTH} {y}\" role=\"img\">\n\
         <title>radhook beside FreeRADIUS: accounting packets by the second</title>\n<style>{STYLE}</style>\n{drawn}</svg>\n"
    )
}
