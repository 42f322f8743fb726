//! The files of a config: the main one and `radhook.d/*.toml` beside it, in the order of their names.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::problem::{Position, Remark, Text};
use super::tree::{self, Place, Table};

/// The largest config file, in bytes. Ten thousand clients take one; what is larger is not a config.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// The most files in `radhook.d`: far above one per customer, and a bound on what a wrong directory can cost.
const MAX_FILES: usize = 1024;

/// The directory beside the main file whose `*.toml` are merged into it.
const DIRECTORY: &str = "radhook.d";

/// Everything that was read, kept so that places can be told as lines and columns.
pub(super) struct Files {
    /// Where relative paths start: the main file's directory.
    directory: PathBuf,
    files: Vec<File>,
}

struct File {
    path: PathBuf,
    text: Text,
    /// Permission bits; `None` for a text that was never a file.
    mode: Option<u32>,
}

impl Files {
    /// Reads the main file and those beside it. What cannot be read is all reported at once.
    pub fn read(main: &Path) -> Result<Self, Vec<Remark>> {
        let directory = main.parent().unwrap_or(Path::new("")).to_owned();
        let mut problems = Vec::new();
        let mut files = Vec::new();
        let mut take = |path: PathBuf| match File::read(&path) {
            Ok(file) => files.push(file),
            Err(remark) => problems.push(remark),
        };
        take(main.to_owned());
        match beside(&directory.join(DIRECTORY)) {
            Ok(paths) => paths.into_iter().for_each(take),
            Err(remark) => problems.push(remark),
        }
        if problems.is_empty() { Ok(Self { directory, files }) } else { Err(problems) }
    }

    /// Each file with its text.
    pub fn into_texts(self) -> Vec<(PathBuf, String)> {
        self.files.into_iter().map(|file| (file.path, file.text.as_str().to_owned())).collect()
    }

    /// The same with another text in one of the files.
    pub fn with(mut self, path: &Path, text: &str) -> Self {
        for file in self.files.iter_mut().filter(|file| file.path == path) {
            file.text = Text::new(text.to_owned());
        }
        self
    }

    /// A config that stands in memory.
    #[cfg(test)]
    pub fn of(directory: &Path, texts: &[(&str, &str)]) -> Self {
        let file =
            |(path, text): &(&str, &str)| File { path: path.into(), text: Text::new((*text).to_owned()), mode: None };
        Self { directory: directory.to_owned(), files: texts.iter().map(file).collect() }
    }

    /// Parses every file. Syntax errors of all of them are reported, one a line of the file: what the parser says
    /// further on in a line only follows from the first.
    pub fn parse(&self) -> Result<Vec<Table>, Vec<Remark>> {
        let mut problems = Vec::new();
        let mut tables = Vec::new();
        for (number, file) in self.files.iter().enumerate() {
            let (parsed, errors) = DeTable::parse_recoverable(file.text.as_str());
            let in_file = problems.len();
            for error in errors {
                let offset = error.span().map_or(0, |span| span.start);
                let place = Place { file: number, offset };
                problems.push(self.remark(Some(place), error.message().to_owned(), None));
            }
            problems[in_file..].sort_by_key(|remark| remark.position);
            let line = |remark: &Remark| (remark.file.clone(), remark.position.map(|position| position.line));
            problems.dedup_by(|next, first| line(next) == line(first));
            tables.push(tree::table(parsed.get_ref(), number));
        }
        if problems.is_empty() { Ok(tables) } else { Err(problems) }
    }

    /// Where relative paths start.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A place as operators know it.
    pub fn locate(&self, place: Place) -> (&Path, Position) {
        let file = &self.files[place.file];
        (&file.path, file.text.position(place.offset))
    }

    /// Where the text of a string begins whose quotation marks begin at a place; `None` where it is written with escapes.
    pub fn text_of(&self, place: Place, text: &str) -> Option<usize> {
        let written = self.files[place.file].text.as_str().get(place.offset..)?;
        ["\"\"\"\n", "'''\n", "\"\"\"\r\n", "'''\r\n", "\"\"\"", "'''", "\"", "'"]
            .iter()
            .find(|mark| written.strip_prefix(**mark).is_some_and(|rest| rest.starts_with(text)))
            .map(|mark| place.offset + mark.len())
    }

    /// The permission bits of the file a place stands in.
    pub fn mode(&self, place: Place) -> Option<u32> {
        self.files[place.file].mode
    }

    /// Says something about a place, or about the config as a whole.
    pub fn remark(&self, place: Option<Place>, what: String, help: Option<String>) -> Remark {
        match place.map(|place| self.locate(place)) {
            Some((file, position)) => Remark { file: file.to_owned(), position: Some(position), what, help },
            None => Remark { file: self.files[0].path.clone(), position: None, what, help },
        }
    }
}

impl File {
    fn read(path: &Path) -> Result<Self, Remark> {
        let fault = |what: String, help: &str| {
            let help = Some(help.to_owned()).filter(|help| !help.is_empty());
            Remark { file: path.to_owned(), position: None, what, help }
        };
        let (bytes, mode) = read_bounded(path, MAX_FILE).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                fault("there is no such file".to_owned(), "write it, or name another with --config FILE")
            }
            _ => fault(format!("cannot be read: {error}"), ""),
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let before = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
            let position = Some(Text::new(before).position(valid));
            Remark { position, ..fault("this byte is not UTF-8".to_owned(), "save the file as UTF-8") }
        })?;
        // A byte order mark is no part of the first line's columns.
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        Ok(Self { path: path.to_owned(), text: Text::new(text), mode: Some(mode) })
    }
}

/// Reads a regular file of at most `limit` bytes; answers with its permission bits too.
pub(super) fn read_bounded(path: &Path, limit: u64) -> io::Result<(Vec<u8>, u32)> {
    // Looked at before it is opened: opening a named pipe would wait for its writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let file = fs::File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let what = format!("it is larger than {limit} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok((bytes, mode))
}

/// The `*.toml` of a directory in the order of their names, hidden ones left out. No directory, no files.
fn beside(directory: &Path) -> Result<Vec<PathBuf>, Remark> {
    let fault = |what: String| Remark { file: directory.to_owned(), position: None, what, help: None };
    let names = match fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => Err(error),
    };
    let mut names = names.map_err(|error| fault(format!("cannot be read: {error}")))?;
    names.retain(|name| {
        let name = name.as_encoded_bytes();
        name.ends_with(b".toml") && !name.starts_with(b".")
    });
    if names.len() > MAX_FILES {
        return Err(fault(format!("holds {} files, and at most {MAX_FILES} are read", names.len())));
    }
    names.sort_unstable();
    Ok(names.into_iter().map(|name| directory.join(name)).collect())
}
