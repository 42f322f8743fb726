//! radhook.toml(5), made of docs/configuration.md: one text, two forms.
//!
//! Headings become sections, code stays as it is, and a table becomes a list: the first cell of a row is what is told of,
//! the last one what it means, and those between them stand under it with their heading.

use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

const TEXT: &str = include_str!("../../../docs/configuration.md");

/// What the page is for, as whatis(1) shows it.
const ABOUT: &str = "configuration of radhook, RADIUS in, webhooks out";

/// The page as troff with man macros.
pub fn page(name: &str, section: &str) -> String {
    let version = format!("radhook {}", env!("CARGO_PKG_VERSION"));
    let mut page = Page::default();
    page.roff.control("TH", [name, section, super::NO_DATE, version.as_str(), "radhook"]);
    page.roff.control("SH", ["NAME"]).text([roman(format!("{name} - {ABOUT}"))]);
    page.roff.control("SH", ["DESCRIPTION"]);
    for event in Parser::new_ext(TEXT, Options::ENABLE_TABLES) {
        page.take(event);
    }
    page.roff.control("SH", ["SEE ALSO"]);
    page.roff.text([bold("radhook"), roman("(1), "), bold("radhook-check"), roman("(1), /usr/share/doc/radhook")]);
    page.roff.render()
}

#[derive(Default)]
struct Page {
    roff: Roff,
    /// The words of the paragraph, the heading or the cell that is being read.
    words: Vec<Inline>,
    strong: bool,
    /// A block whose lines are kept as they are.
    in_code: bool,
    /// The headings of the table that is being read, then the cells of its row, then the first cell of the row before.
    columns: Vec<String>,
    cells: Vec<Vec<Inline>>,
    term: Vec<Inline>,
}

impl Page {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.in_code => {
                self.roff.text([roman(text.trim_end_matches('\n'))]);
            }
            Event::Text(text) if self.strong => self.words.push(bold(text.as_ref())),
            Event::Text(text) => self.words.push(roman(text.as_ref())),
            Event::Code(text) => self.words.push(bold(text.as_ref())),
            Event::SoftBreak | Event::HardBreak => self.words.push(roman(" ")),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::CodeBlock(_) => {
                self.in_code = true;
                self.roff.control("PP", []).control("RS", ["4"]).control("nf", []);
            }
            Tag::Item => {
                self.roff.control("IP", ["\\(bu", "2"]);
            }
            Tag::Strong => self.strong = true,
            Tag::Table(_) => self.term.clear(),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            // The page's own title is its name.
            TagEnd::Heading(HeadingLevel::H1) => self.words.clear(),
            TagEnd::Heading(level) => {
                let heading = plain(&std::mem::take(&mut self.words));
                let name = if level == HeadingLevel::H2 { "SH" } else { "SS" };
                self.roff.control(name, [heading.as_str()]);
            }
            TagEnd::Paragraph => {
                self.roff.control("PP", []);
                self.write();
            }
            TagEnd::Item => self.write(),
            TagEnd::CodeBlock => {
                self.in_code = false;
                self.roff.control("fi", []).control("RE", []);
            }
            TagEnd::Strong => self.strong = false,
            TagEnd::TableCell => self.cells.push(std::mem::take(&mut self.words)),
            TagEnd::TableHead => self.columns = self.cells.drain(..).map(|cell| plain(&cell)).collect(),
            TagEnd::TableRow => self.row(),
            _ => {}
        }
    }

    fn write(&mut self) {
        if !self.words.is_empty() {
            self.roff.text(std::mem::take(&mut self.words));
        }
    }

    fn row(&mut self) {
        let mut cells = std::mem::take(&mut self.cells);
        let meaning = cells.pop().unwrap_or_default();
        // An empty first cell goes on with what the row above tells of.
        if let Some(term) = cells.first().filter(|cell| !cell.is_empty()) {
            self.term.clone_from(term);
        }
        self.roff.control("TP", []).text(self.term.clone());
        let told = cells.into_iter().zip(&self.columns).skip(1).filter(|(cell, _)| !cell.is_empty());
        let mut aside: Vec<Inline> = Vec::new();
        for (cell, column) in told {
            aside.push(italic(if aside.is_empty() { format!("{column}: ") } else { format!("; {column}: ") }));
            aside.extend(cell);
        }
        if !meaning.is_empty() {
            self.roff.text(meaning);
            if !aside.is_empty() {
                self.roff.control("br", []);
            }
        }
        if !aside.is_empty() {
            self.roff.text(aside);
        }
    }
}

/// The words alone.
fn plain(words: &[Inline]) -> String {
    let text = |word: &Inline| match word {
        Inline::Roman(text) | Inline::Bold(text) | Inline::Italic(text) => text.clone(),
        _ => " ".to_owned(),
    };
    words.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_page_stands_in_the_manual_with_its_default() {
        let page = page("radhook.toml", "5");
        let keys: Vec<&str> =
            TEXT.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|cut| cut.0).collect();
        assert!(keys.len() > 50, "only {} keys were found", keys.len());
        for key in keys {
            let shown = key.replace('-', "\\-");
            assert!(page.contains(&format!("\\fB{shown}\\fR")), "{key} is missing");
        }
        assert!(page.contains(".SH [[endpoint]]") || page.contains(".SH \"[[endpoint]]\""), "{page}");
        assert!(page.contains("\\fIdefault: \\fR\\fB\"10s\"\\fR"), "{page}");
    }
}
