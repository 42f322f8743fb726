//! The query of `[users]`: what stands in it for a user becomes a parameter of the database's own, which is bound and never
//! pasted. What lies in quotes or comments is nobody's business here.

use super::Database;

/// What can be asked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Parameter {
    /// `:name`, the User-Name.
    Name,
    /// `:mac`, the device.
    Mac,
    /// `:realm`, the realm of the User-Name.
    Realm,
}

impl Parameter {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Name, Self::Mac, Self::Realm];

    /// As it is written behind the colon.
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Mac => "mac",
            Self::Realm => "realm",
        }
    }
}

/// A query that can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// As the database takes it.
    pub sql: String,
    /// What is bound, in order: one for each place.
    pub places: Vec<Parameter>,
}

/// What is wrong with a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementError {
    /// Where, in bytes from its beginning.
    pub at: usize,
    /// What.
    pub what: String,
    /// What to do.
    pub help: &'static str,
}

/// What a query may begin with: it is to look, not to change.
const FIRST_WORDS: [&str; 3] = ["select", "with", "call"];

impl Statement {
    /// Reads a query as this kind of database reads it.
    pub fn parse(text: &str, database: Database) -> Result<Self, StatementError> {
        let mut statement = Self { sql: String::with_capacity(text.len()), places: Vec::new() };
        let (mut at, mut began, mut ended) = (0, false, false);
        while let Some(next) = text[at..].chars().next() {
            let piece = Piece::of(text, at, database)?;
            let code = match piece {
                Piece::Comment(_) => false,
                Piece::Other(_) => !next.is_whitespace(),
                _ => true,
            };
            if code && !std::mem::replace(&mut began, true) {
                first_word(text, at)?;
            }
            if code && ended && next != ';' {
                return wrong(at, "a second statement", "ask one thing: what stands behind `;` is never asked");
            }
            ended |= matches!(piece, Piece::Other(_)) && next == ';';
            let length = match piece {
                Piece::Parameter(parameter, length) => {
                    statement.places.push(parameter);
                    match database {
                        Database::Postgres => statement.sql.push_str(&format!("${}", statement.places.len())),
                        Database::MySql | Database::Sqlite => statement.sql.push('?'),
                    }
                    at += length;
                    continue;
                }
                Piece::Comment(length) | Piece::Quoted(length) | Piece::Word(length) | Piece::Other(length) => length,
            };
            statement.sql.push_str(&text[at..at + length]);
            at += length;
        }
        if !began {
            first_word(text, 0)?;
        }
        if statement.places.is_empty() {
            let help = "ask for somebody: select … from guests where login = :name";
            return wrong(0, "no :name, :mac or :realm, so that it tells the same of everybody", help);
        }
        Ok(statement)
    }

    /// Whether a parameter stands in it.
    pub fn asks_by(&self, parameter: Parameter) -> bool {
        self.places.contains(&parameter)
    }
}

fn wrong<T>(at: usize, what: impl Into<String>, help: &'static str) -> Result<T, StatementError> {
    Err(StatementError { at, what: what.into(), help })
}

fn first_word(text: &str, at: usize) -> Result<(), StatementError> {
    let word = &text[at..at + word(&text[at..])];
    match FIRST_WORDS.iter().any(|first| word.eq_ignore_ascii_case(first)) {
        true => Ok(()),
        false => wrong(at, "another beginning than select, with or call", "it looks users up, and changes nothing"),
    }
}

/// A piece of a query, with its length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// A place for a parameter.
    Parameter(Parameter, usize),
    /// A comment, to its end.
    Comment(usize),
    /// A string or a quoted name.
    Quoted(usize),
    /// A word or number.
    Word(usize),
    /// One sign, or several that belong together.
    Other(usize),
}

impl Piece {
    /// The piece that begins here, which is not the end.
    fn of(text: &str, at: usize, database: Database) -> Result<Self, StatementError> {
        use Database::{MySql, Postgres, Sqlite};
        let rest = &text[at..];
        let mut signs = rest.chars();
        let (sign, next) = (signs.next().unwrap_or_default(), signs.next());
        let open = |what: &str| wrong(at, format!("{what} that does not end"), "close it");
        let quoted = |length: Option<usize>| length.map_or_else(|| open("a quote"), |length| Ok(Self::Quoted(length)));
        match (sign, next) {
            // MySQL wants a space behind it, so that 5--3 is 8.
            ('-', Some('-')) if database != MySql || rest[2..].starts_with(blank) || rest.len() == 2 => {
                Ok(Self::Comment(line(rest)))
            }
            ('#', _) if database == MySql => Ok(Self::Comment(line(rest))),
            ('/', Some('*')) => match comment(rest, database == Postgres) {
                Some(length) => Ok(Self::Comment(length)),
                // SQLite takes it for a comment to the end.
                None => open("a comment"),
            },
            ('\'', _) => quoted(quote(rest, '\'', database == MySql)),
            ('"', _) => quoted(quote(rest, '"', database == MySql)),
            ('`', _) if database != Postgres => quoted(quote(rest, '`', false)),
            ('[', _) if database == Sqlite => quoted(rest.find(']').map(|end| end + 1)),
            ('e' | 'E', Some('\'')) if database == Postgres => quoted(quote(&rest[1..], '\'', true).map(|end| end + 1)),
            ('$', Some(next)) if database == Postgres && !next.is_ascii_digit() => match tag(rest) {
                Some(tag) => quoted(rest[tag..].find(&rest[..tag]).map(|end| tag + end + tag)),
                None => Ok(Self::Other(1)),
            },
            ('?', _) if database != Postgres => unnamed(at),
            ('$', Some(_)) if database != MySql => unnamed(at),
            ('@', Some(next)) if database == Sqlite && in_word(next) => unnamed(at),
            (':', Some(':' | '=')) => Ok(Self::Other(2)),
            (':', Some(next)) if begins_word(next) => {
                let name = &rest[1..1 + word(&rest[1..])];
                match Parameter::ALL.into_iter().find(|parameter| parameter.word() == name) {
                    Some(parameter) => Ok(Self::Parameter(parameter, 1 + name.len())),
                    None => {
                        let what = format!("`:{}`, which is no parameter", name.chars().take(40).collect::<String>());
                        wrong(at, what, "choose from :name, :mac, :realm; a colon of SQL's own has a space behind it")
                    }
                }
            }
            (sign, _) if in_word(sign) => Ok(Self::Word(word(rest))),
            (sign, _) => Ok(Self::Other(sign.len_utf8())),
        }
    }
}

fn unnamed<T>(at: usize) -> Result<T, StatementError> {
    wrong(at, "a parameter without a name of ours", "write :name, :mac or :realm")
}

fn blank(sign: char) -> bool {
    sign.is_whitespace() || sign.is_control()
}

fn begins_word(sign: char) -> bool {
    sign == '_' || sign.is_alphabetic()
}

fn in_word(sign: char) -> bool {
    begins_word(sign) || sign.is_numeric()
}

/// The length of the word at the beginning; `$` may be in one, but does not begin it.
fn word(text: &str) -> usize {
    text.find(|sign| !in_word(sign) && sign != '$').unwrap_or(text.len())
}

/// The length of the rest of a line, without its end.
fn line(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

/// The length of a comment; in PostgreSQL one may hold others.
fn comment(text: &str, nests: bool) -> Option<usize> {
    let (mut depth, mut at) = (1, 2);
    while depth > 0 {
        let rest = text.get(at..)?;
        let end = rest.find("*/")?;
        match rest.find("/*").filter(|begin| nests && *begin < end) {
            Some(begin) => (depth, at) = (depth + 1, at + begin + 2),
            None => (depth, at) = (depth - 1, at + end + 2),
        }
    }
    Some(at)
}

/// The length of what stands in quotes, with them: twice the sign is the sign, and behind a backslash it may be, too.
fn quote(text: &str, sign: char, escapes: bool) -> Option<usize> {
    let mut signs = text.char_indices().skip(1).peekable();
    while let Some((at, next)) = signs.next() {
        if escapes && next == '\\' {
            signs.next();
        } else if next == sign && signs.next_if(|(_, next)| *next == sign).is_none() {
            return Some(at + sign.len_utf8());
        }
    }
    None
}

/// The length of `$tag$`, with which PostgreSQL quotes.
fn tag(text: &str) -> Option<usize> {
    let name = text[1..].find(|sign| !in_word(sign))?;
    text[1 + name..].starts_with('$').then_some(name + 2)
}

#[cfg(test)]
mod tests;
