//! Enough of Rust's grammar to find the rooms a source file names.

/// A source file: where it stands and its text.
pub struct SourceFile {
    /// Beneath the repository, as in `src/store/mod.rs`.
    pub path: String,
    text: String,
}

/// A word, a punctuation character, or `::`, and the line it stands on.
struct Token {
    line: usize,
    text: String,
}

impl SourceFile {
    pub fn new(path: &str, text: String) -> Self {
        Self { path: path.to_owned(), text }
    }

    pub fn lines(&self) -> usize {
        self.text.lines().count()
    }

    /// `src/store/mod.rs` and `src/store.rs` belong to room `store`.
    pub fn room(&self) -> &str {
        let beneath = self.path.trim_start_matches("src/");
        beneath.split('/').next().unwrap_or(beneath).trim_end_matches(".rs")
    }

    /// Where its modules for tests stand that have files of their own (`#[cfg(test)] mod name;`).
    pub fn test_only_files(&self) -> Vec<String> {
        let directory = self.path.trim_end_matches(".rs");
        let directory = directory.strip_suffix("/mod").unwrap_or(directory);
        let (_, modules) = without_test_items(tokens(&self.text));
        modules
            .iter()
            .flat_map(|name| [format!("{directory}/{name}.rs"), format!("{directory}/{name}/mod.rs")])
            .collect()
    }

    /// The first segment of every path that starts at the crate's root, with its line; those that lead there by `super`
    /// included. The binary's root names the library by `radhook::`.
    pub fn named_rooms(&self) -> Vec<(usize, String)> {
        let (tokens, _) = without_test_items(tokens(&self.text));
        let binary = self.path == "src/main.rs";
        let mut named = Vec::new();
        let mut inline = InlineModules::default();
        for (at, token) in tokens.iter().enumerate() {
            inline.step(&tokens, at);
            let after_path = at > 0 && tokens[at - 1].text == "::";
            match token.text.as_str() {
                "crate" => first_segments(&tokens, at + 1, &mut named),
                "radhook" if binary && !after_path => first_segments(&tokens, at + 1, &mut named),
                "super" if !after_path => {
                    self.segments_after_super(&tokens, at, self.depth() + inline.depth(), &mut named);
                }
                _ => {}
            }
        }
        named
    }

    /// How many modules lead to this file: 1 for `src/store/mod.rs`, 2 for `src/store/journal.rs`.
    fn depth(&self) -> usize {
        let segments = self.path.trim_start_matches("src/").split('/').count();
        if self.path.ends_with("/mod.rs") { segments - 1 } else { segments }
    }

    /// Follows `super::super::…`, groups included, and collects what stands at the root it leads to.
    fn segments_after_super(&self, tokens: &[Token], at: usize, depth: usize, named: &mut Vec<(usize, String)>) {
        if depth == 1 {
            return first_segments(tokens, at + 1, named);
        }
        for segment in segments(tokens, at + 1) {
            if tokens[segment].text == "super" {
                self.segments_after_super(tokens, segment, depth - 1, named);
            }
        }
    }
}

fn first_segments(tokens: &[Token], at: usize, named: &mut Vec<(usize, String)>) {
    named.extend(segments(tokens, at).into_iter().map(|at| (tokens[at].line, tokens[at].text.clone())));
}

/// Where the segments stand that follow a path at `at`: the one of `::a`, each of `::{a, b::c}`, none without `::`.
fn segments(tokens: &[Token], at: usize) -> Vec<usize> {
    let text = |at: usize| tokens.get(at).map_or("", |token: &Token| token.text.as_str());
    if text(at) != "::" {
        return Vec::new();
    }
    if text(at + 1) != "{" {
        return vec![at + 1];
    }
    let mut found = Vec::new();
    let mut depth = 0;
    for at in at + 1..tokens.len() {
        match text(at) {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," => {}
            _ if depth == 1 && matches!(text(at - 1), "{" | ",") => found.push(at),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// Keeps count of the `mod name { … }` around a place.
#[derive(Default)]
struct InlineModules {
    braces: usize,
    opened_at: Vec<usize>,
}

impl InlineModules {
    fn step(&mut self, tokens: &[Token], at: usize) {
        match tokens[at].text.as_str() {
            "{" => {
                if at >= 2 && tokens[at - 2].text == "mod" {
                    self.opened_at.push(self.braces);
                }
                self.braces += 1;
            }
            "}" => {
                self.braces = self.braces.saturating_sub(1);
                if self.opened_at.last() == Some(&self.braces) {
                    self.opened_at.pop();
                }
            }
            _ => {}
        }
    }

    fn depth(&self) -> usize {
        self.opened_at.len()
    }
}

/// The tokens without the items under `#[cfg(test)]`, and the names of such modules that have files of their own.
fn without_test_items(tokens: Vec<Token>) -> (Vec<Token>, Vec<String>) {
    let text = |at: usize| tokens.get(at).map_or("", |token: &Token| token.text.as_str());
    let mut skip = vec![false; tokens.len()];
    let mut modules = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let end = attribute_end(&tokens, at);
        if end == at || !is_for_tests(&tokens[at..end]) {
            at = end.max(at + 1);
            continue;
        }
        let mut item = end;
        while attribute_end(&tokens, item) > item {
            item = attribute_end(&tokens, item);
        }
        let end = item_end(&tokens, item);
        if text(item) == "mod" && text(item + 2) == ";" {
            modules.push(text(item + 1).to_owned());
        }
        skip[at..end].fill(true);
        at = end;
    }
    let kept = tokens.into_iter().zip(skip).filter(|(_, skip)| !skip).map(|(token, _)| token).collect();
    (kept, modules)
}

/// Behind the attribute that starts at `at`; `at` itself when none does.
fn attribute_end(tokens: &[Token], at: usize) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token: &Token| token.text.as_str());
    if text(at) != "#" || text(at + 1) != "[" {
        return at;
    }
    let mut depth = 0;
    for end in at + 1..tokens.len() {
        match text(end) {
            "[" => depth += 1,
            "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return end + 1;
        }
    }
    tokens.len()
}

fn is_for_tests(attribute: &[Token]) -> bool {
    let has = |word: &str| attribute.iter().any(|token| token.text == word);
    has("cfg") && has("test") && !has("not")
}

/// Behind the item that starts at `at`: its `;`, or the brace that closes its first one.
fn item_end(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0;
    for (end, token) in tokens.iter().enumerate().skip(at) {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        // `use a::{b, c};` goes on behind its brace; a body does not.
        let more = tokens.get(end + 1).is_some_and(|next| next.text == ";");
        if depth == 0 && (token.text == ";" || token.text == "}" && !more) {
            return end + 1;
        }
    }
    tokens.len()
}

/// Words and punctuation without comments, strings, characters and lifetimes.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while at < chars.len() {
        let end = match skipped(&chars, at) {
            Some(end) => end,
            None => {
                let end = token_end(&chars, at);
                if !chars[at].is_whitespace() {
                    tokens.push(Token { line, text: chars[at..end].iter().collect() });
                }
                end
            }
        };
        line += chars[at..end].iter().filter(|c| **c == '\n').count();
        at = end;
    }
    tokens
}

fn token_end(chars: &[char], at: usize) -> usize {
    let word = |c: &char| c.is_alphanumeric() || *c == '_';
    if word(&chars[at]) {
        at + chars[at..].iter().take_while(|c| word(c)).count()
    } else if chars[at..].starts_with(&[':', ':']) {
        at + 2
    } else {
        at + 1
    }
}

/// Behind the comment, string, character or lifetime that starts at `at`, if one does.
fn skipped(chars: &[char], at: usize) -> Option<usize> {
    let rest = &chars[at..];
    let starts = |with: &str| rest.iter().zip(with.chars()).filter(|(a, b)| **a == *b).count() == with.len();
    let in_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    if starts("//") {
        Some(at + rest.iter().take_while(|c| **c != '\n').count())
    } else if starts("/*") {
        Some(at + block_comment(rest))
    } else if rest[0] == '"' {
        Some(at + quoted(rest, '"'))
    } else if rest[0] == '\'' {
        let character = starts("'\\") || rest.get(2) == Some(&'\'');
        Some(if character { at + quoted(rest, '\'') } else { at + 1 })
    } else if !in_word && (starts("r") || starts("br") || starts("cr")) {
        raw_string(rest).map(|length| at + length)
    } else {
        None
    }
}

fn block_comment(rest: &[char]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(&['/', '*']) {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(&['*', '/']) {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at.min(rest.len())
}

/// Length of a string or character with its quotes; a backslash takes the next character with it.
fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// Length of `r"…"`, `r#"…"#`, `br…`; nothing for a word that only begins with r, and for `r#word`.
fn raw_string(rest: &[char]) -> Option<usize> {
    let prefix = rest.iter().take_while(|c| c.is_alphabetic()).count();
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    if rest.get(prefix + hashes) != Some(&'"') {
        return None;
    }
    let mut closing = vec!['"'];
    closing.resize(hashes + 1, '#');
    let body = prefix + hashes + 1;
    let end = rest[body..].windows(hashes + 1).position(|window| window == closing);
    Some(end.map_or(rest.len(), |end| body + end + hashes + 1))
}
