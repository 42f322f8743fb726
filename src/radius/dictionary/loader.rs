//! From files to a [`Dictionary`].
//!
//! What cannot be understood at all ends the loading, with file, line and column: a line that ends too early, a word
//! where a number must be, a BEGIN of something undefined, an include that is missing or goes round in a circle. What
//! can be passed over is a warning: unknown keywords and flags are skipped, an attribute of an unknown type is read as
//! octets, values of an attribute that nothing defines are left out.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::definition::{DataType, Definition, Flags, Slot, Vendor, VendorFormat};
use super::error::{DictionaryError, Position, Problem, Warning};
use super::include::{Library, Source};
use super::scope::{Block, Scope};
use super::statement::{self, Fault, Statement, Word};
use super::{Dictionary, Place, Space};
use crate::radius::{AttributeId, redaction};

/// How deep files may include one another. FreeRADIUS's own are two deep.
const MAX_INCLUDE_DEPTH: usize = 16;
/// How many files may be included in all, so that files that include others twice do not multiply without end.
/// FreeRADIUS ships 225.
const MAX_FILES: usize = 4096;
/// How many numbers may lead to an attribute: 245.26.vendor.type and a few TLVs below. FreeRADIUS's own go to five.
const MAX_PATH: usize = 8;
/// The largest number of an attribute in a packet's one octet of type (RFC 2865 §5).
const MAX_PACKET_NUMBER: u32 = 255;

/// Reads dictionary files, each on top of what came before it.
#[derive(Debug, Default)]
pub struct Loader {
    dictionary: Dictionary,
    warnings: Vec<Warning>,
    /// Values of attributes that are not defined yet: they may follow in a later file.
    waiting: Vec<(Position, Waiting)>,
    counts: Counts,
    /// Whether what is being read marks all that is secret, so that no name need tell.
    marked: bool,
}

/// What has been read so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Files, the included ones with them.
    pub files: usize,
    /// ATTRIBUTE lines.
    pub attributes: usize,
    /// VALUE lines.
    pub values: usize,
    /// VENDOR lines.
    pub vendors: usize,
}

#[derive(Debug)]
enum Waiting {
    Value { attribute: String, name: Arc<str>, number: u64 },
    Alias { attribute: String, target: String },
}

/// What happens to the name that a value has already.
#[derive(Clone, Copy)]
enum Names {
    /// The last one wins.
    Replace,
    /// Values that came before their attribute do not win over those that came in order: FreeRADIUS puts the old
    /// names of values, for old configurations, before everything else.
    Keep,
}

impl Loader {
    /// Begins with nothing.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Begins with what an existing dictionary holds.
    pub fn on(dictionary: &Dictionary) -> Self {
        Self { dictionary: dictionary.clone(), ..Self::default() }
    }

    /// Adds the built-in dictionary.
    pub fn shipped(&mut self) -> Result<(), DictionaryError> {
        self.marked = true;
        let read = self.root(Library::Shipped, "dictionary");
        self.marked = false;
        read
    }

    /// Adds a file and all that it includes.
    pub fn file(&mut self, path: &Path) -> Result<(), DictionaryError> {
        self.root(Library::Disk, &path.to_string_lossy())
    }

    /// Adds a text, which may include files relative to the current directory. `name` stands in its errors.
    pub fn text(&mut self, name: &str, text: &str) -> Result<(), DictionaryError> {
        let source = Source { path: PathBuf::from(name), text: text.to_string() };
        self.read(Library::Disk, source, &mut Vec::new())
    }

    /// How much has been read so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The dictionary, and what was passed over.
    pub fn finish(mut self) -> (Dictionary, Vec<Warning>) {
        for (position, waiting) in std::mem::take(&mut self.waiting) {
            if let Err(name) = self.add_value(waiting, Names::Keep) {
                let problem = Problem::Undefined { what: "attribute", name };
                self.warnings.push(Warning { position, problem });
            }
        }
        (self.dictionary, self.warnings)
    }

    fn root(&mut self, library: Library, name: &str) -> Result<(), DictionaryError> {
        let position = Position { file: name.into(), line: 1, column: 1 };
        let source = match library.open(None, name) {
            Ok(Some(source)) => source,
            Ok(None) => {
                let problem = Problem::Unreadable { path: name.to_string(), reason: "no such file".to_string() };
                return Err(DictionaryError { position, problem });
            }
            Err(problem) => return Err(DictionaryError { position, problem }),
        };
        self.read(library, source, &mut Vec::new())
    }

    /// Reads one file. `around` holds the files that include it, outermost first.
    fn read(&mut self, library: Library, source: Source, around: &mut Vec<PathBuf>) -> Result<(), DictionaryError> {
        self.counts.files += 1;
        let mut scope = Scope::new(source.path.to_string_lossy().into());
        around.push(source.path);
        for line in source.text.lines() {
            scope.next_line();
            let statement = match statement::read(line) {
                Ok(None) => continue,
                Ok(Some(Statement::Include { path, optional })) => {
                    self.include(library, &scope, path, optional, around)?;
                    continue;
                }
                Ok(Some(statement)) => self.understand(&mut scope, statement),
                Err(fault) => Err(fault),
            };
            statement.map_err(|(column, problem)| DictionaryError { position: scope.at(column), problem })?;
        }
        for name in scope.open() {
            self.warn(&scope, 1, Problem::NeverClosed { name });
        }
        around.pop();
        Ok(())
    }

    fn include(
        &mut self,
        library: Library,
        scope: &Scope,
        path: Word,
        optional: bool,
        around: &mut Vec<PathBuf>,
    ) -> Result<(), DictionaryError> {
        let fail = |problem| DictionaryError { position: scope.at(path.column), problem };
        if around.len() >= MAX_INCLUDE_DEPTH {
            return Err(fail(Problem::IncludeTooDeep { limit: MAX_INCLUDE_DEPTH }));
        }
        if self.counts.files >= MAX_FILES {
            return Err(fail(Problem::TooManyFiles { limit: MAX_FILES }));
        }
        let source = match library.open(around.last().map(PathBuf::as_path), path.text).map_err(fail)? {
            Some(source) => source,
            None if optional => return Ok(()),
            None => {
                let reason = "no such file".to_string();
                return Err(fail(Problem::Unreadable { path: path.text.to_string(), reason }));
            }
        };
        if around.contains(&source.path) {
            return Err(fail(Problem::IncludeCycle { path: source.path.display().to_string() }));
        }
        self.read(library, source, around)
    }

    fn understand(&mut self, scope: &mut Scope, statement: Statement) -> Result<(), Fault> {
        match statement {
            Statement::Attribute { name, number, kind, flags } => self.attribute(scope, name, number, kind, &flags),
            Statement::Value { attribute, name, number } => {
                self.counts.values += 1;
                let number = number.number("number")?;
                let waiting = Waiting::Value { attribute: attribute.text.to_string(), name: name.text.into(), number };
                self.value(scope, attribute.column, waiting);
                Ok(())
            }
            Statement::ValueAlias { attribute, target } => {
                // Taken up at the end, when the other attribute has all its values.
                let waiting = Waiting::Alias { attribute: attribute.text.to_string(), target: target.text.to_string() };
                self.waiting.push((scope.at(attribute.column), waiting));
                Ok(())
            }
            Statement::Vendor { name, number, format } => {
                self.counts.vendors += 1;
                let number = number.number("vendor number")?;
                let format = format.map_or(Ok(VendorFormat::default()), vendor_format)?;
                self.dictionary.vendor_names.insert(name.text.to_ascii_lowercase().into(), number);
                self.dictionary.vendors.insert(number, Vendor { name: name.text.into(), format });
                Ok(())
            }
            Statement::BeginVendor { name, format } => {
                let vendor = self.vendor(name)?;
                let space = match format {
                    None => Space::Vendor(vendor),
                    Some(format) => self.extended_vendor(vendor, format)?,
                };
                scope.begin(Block::Vendor, name, space);
                Ok(())
            }
            Statement::BeginTlv { name } => {
                let definition = self.dictionary.by_name(name.text).ok_or_else(|| undefined("attribute", name))?;
                let space = definition.inside();
                scope.begin(Block::Tlv, name, space);
                Ok(())
            }
            Statement::EndVendor { name } => scope.end(Block::Vendor, name),
            Statement::EndTlv { name } => scope.end(Block::Tlv, name),
            Statement::Unknown { keyword } => {
                let word = keyword.text.to_string();
                self.warn(scope, keyword.column, Problem::Unknown { word, what: "keyword" });
                Ok(())
            }
            Statement::Include { .. } => unreachable!("read() has taken includes out"),
        }
    }

    fn attribute(&mut self, scope: &Scope, name: Word, number: Word, kind: Word, flags: &[Word]) -> Result<(), Fault> {
        self.counts.attributes += 1;
        let mut space = scope.space();
        let mut found = Flags::default();
        for flag in flags {
            if let Some(vendor) = self.dictionary.vendor_names.get(flag.text.to_ascii_lowercase().as_str()) {
                space = Space::Vendor(*vendor);
            } else if !found.set(flag.text) {
                self.warn(scope, flag.column, Problem::Unknown { word: flag.text.to_string(), what: "flag" });
            }
        }
        let kind = DataType::from_keyword(kind.text).unwrap_or_else(|| {
            let word = kind.text.to_string();
            self.warn(scope, kind.column, Problem::Unknown { word, what: "type; its values are shown as octets" });
            DataType::Octets(None)
        });
        let (space, last) = self.descend(space, number)?;
        let limit = match space {
            // Numbers above 255 are how FreeRADIUS names what never stands in a packet.
            Space::Vendor(0) => u32::MAX,
            Space::Vendor(vendor) => match self.dictionary.vendor_format(vendor).type_octets {
                1 => MAX_PACKET_NUMBER,
                2 => u32::from(u16::MAX),
                _ => u32::MAX,
            },
            Space::Inside(_) | Space::ExtendedVendor(..) => MAX_PACKET_NUMBER,
        };
        if last > limit {
            self.warn(scope, number.column, Problem::NumberTooLarge { number: last, limit });
        }
        found.internal |= space == Space::Vendor(0) && last > MAX_PACKET_NUMBER;
        if self.define(space, last, name.text, kind, found) {
            self.warn(scope, name.column, Problem::Renumbered { name: name.text.to_string() });
        }
        Ok(())
    }

    /// Follows a dotted number to the space of its last part.
    fn descend(&self, mut space: Space, number: Word) -> Result<(Space, u32), Fault> {
        let path = number.path()?;
        if path.len() > MAX_PATH {
            return Err((number.column, Problem::NestedTooDeep { word: number.text.to_string(), limit: MAX_PATH }));
        }
        let mut path = path.into_iter();
        let mut last = path.next().ok_or_else(|| undefined("attribute", number))?;
        while let Some(next) = path.next() {
            let around = self.dictionary.get(space, last).ok_or_else(|| undefined("attribute around", number))?;
            let vendor_and = |path: &mut std::vec::IntoIter<u32>| {
                path.next().ok_or((number.column, Problem::Missing { keyword: "ATTRIBUTE", what: "a vendor's type" }))
            };
            (space, last) = match around.kind {
                DataType::VendorSpecific => (Space::Vendor(next), vendor_and(&mut path)?),
                DataType::ExtendedVendorSpecific => (Space::ExtendedVendor(around.place, next), vendor_and(&mut path)?),
                _ => (around.inside(), next),
            };
        }
        Ok((space, last))
    }

    /// Puts an attribute into its place. True if its name stood elsewhere before.
    fn define(&mut self, space: Space, number: u32, name: &str, kind: DataType, flags: Flags) -> bool {
        let dictionary = &mut self.dictionary;
        let next = Place(u32::try_from(dictionary.slots.len()).expect("files are bounded, and so are their lines"));
        let place = *dictionary.places.entry((space, number)).or_insert(next);
        if space == Space::Vendor(0) && number <= MAX_PACKET_NUMBER {
            dictionary.rfc.resize(MAX_PACKET_NUMBER as usize + 1, None);
            dictionary.rfc[number as usize] = Some(place);
        }
        let (id, mut path, around) = match space {
            Space::Vendor(vendor) => (AttributeId { vendor, number }, Vec::new(), None),
            Space::Inside(place) => {
                let around = &dictionary.slot(place).definition;
                (around.id, around.path.to_vec(), Some(place))
            }
            Space::ExtendedVendor(place, vendor) => {
                let around = &dictionary.slot(place).definition;
                (around.id, [&around.path, [vendor].as_slice()].concat(), Some(place))
            }
        };
        path.push(number);
        // A later file that does not know that an attribute is secret must not uncover it: FreeRADIUS's own
        // dictionaries, loaded over the shipped ones, mark very few. Of what is new its name has to tell.
        let before = dictionary.slots.get(place.0 as usize).map(|slot| &slot.definition);
        let known_secret = match before.filter(|before| before.name.eq_ignore_ascii_case(name)) {
            Some(before) => before.flags.is_sensitive(),
            None => !self.marked && kind.may_be_secret() && redaction::names_secret(name),
        };
        let flags = Flags { secret: flags.secret || known_secret, ..flags };
        if flags.is_sensitive() {
            dictionary.sensitive_vendors.insert(id.vendor);
            let further_out = |place: &Place| dictionary.slot(*place).around;
            let all_around: Vec<Place> = std::iter::successors(around, further_out).collect();
            dictionary.around_sensitive.extend(all_around);
        }
        let definition = Definition { id, name: name.into(), kind, flags, place, path: path.into() };
        match dictionary.slots.get_mut(place.0 as usize) {
            Some(slot) => slot.definition = definition,
            None => {
                let (values, value_names) = (BTreeMap::new(), HashMap::new());
                dictionary.slots.push(Slot { definition, around, values, value_names });
            }
        }
        let before = dictionary.names.insert(name.to_ascii_lowercase().into(), place);
        before.is_some_and(|before| before != place)
    }

    fn value(&mut self, scope: &Scope, column: usize, waiting: Waiting) {
        let Waiting::Value { attribute, .. } = &waiting else { return };
        if self.dictionary.by_name(attribute).is_some() {
            self.add_value(waiting, Names::Replace).expect("the attribute is there");
        } else {
            self.waiting.push((scope.at(column), waiting));
        }
    }

    /// Adds values, or says which attribute is not defined.
    fn add_value(&mut self, waiting: Waiting, names_there: Names) -> Result<(), String> {
        let place = |name: &str, names: &HashMap<Box<str>, Place>| {
            names.get(name.to_ascii_lowercase().as_str()).map(|place| place.0 as usize).ok_or_else(|| name.to_string())
        };
        let Dictionary { names, slots, .. } = &mut self.dictionary;
        match waiting {
            Waiting::Value { attribute, name, number } => {
                let slot = &mut slots[place(&attribute, names)?];
                slot.value_names.insert(name.to_ascii_lowercase().into(), number);
                match names_there {
                    Names::Replace => drop(slot.values.insert(number, name)),
                    Names::Keep => drop(slot.values.entry(number).or_insert(name)),
                }
            }
            Waiting::Alias { attribute, target } => {
                let target = &slots[place(&target, names)?];
                let (values, value_names) = (target.values.clone(), target.value_names.clone());
                let slot = &mut slots[place(&attribute, names)?];
                for (number, name) in values {
                    slot.values.entry(number).or_insert(name);
                }
                for (name, number) in value_names {
                    slot.value_names.entry(name).or_insert(number);
                }
            }
        }
        Ok(())
    }

    fn vendor(&self, name: Word) -> Result<u32, Fault> {
        let vendor = self.dictionary.vendor_names.get(name.text.to_ascii_lowercase().as_str());
        vendor.copied().ok_or_else(|| undefined("vendor", name))
    }

    /// `format=Extended-Vendor-Specific-5` and the like: the vendor's space inside that attribute.
    fn extended_vendor(&self, vendor: u32, format: Word) -> Result<Space, Fault> {
        let unknown =
            || (format.column, Problem::Unknown { word: format.text.to_string(), what: "format of a vendor's block" });
        let name = format.text.strip_prefix("format=").ok_or_else(unknown)?;
        let around =
            self.dictionary.by_name(name).ok_or_else(|| undefined("attribute", Word { text: name, ..format }))?;
        match around.kind {
            DataType::ExtendedVendorSpecific => Ok(Space::ExtendedVendor(around.place, vendor)),
            _ => Err(unknown()),
        }
    }

    fn warn(&mut self, scope: &Scope, column: usize, problem: Problem) {
        self.warnings.push(Warning { position: scope.at(column), problem });
    }
}

fn undefined(what: &'static str, name: Word) -> Fault {
    (name.column, Problem::Undefined { what, name: name.text.to_string() })
}

fn vendor_format(word: Word) -> Result<VendorFormat, Fault> {
    let unknown = || (word.column, Problem::Unknown { word: word.text.to_string(), what: "vendor format" });
    VendorFormat::from_keyword(word.text).ok_or_else(unknown)
}
