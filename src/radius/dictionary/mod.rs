//! What numbers are called and what their values mean, read at run time from FreeRADIUS's dictionary format.
//!
//! A dictionary is a tree of name spaces: the RFC space, one per vendor, and one inside each attribute that holds
//! others (TLVs and the Extended attributes of RFC 6929). In each, numbers lead to definitions. As in FreeRADIUS, the
//! last definition of a number wins, an older name of it keeps working, and names are compared without case.

mod definition;
mod error;
mod include;
mod loader;
mod scope;
mod statement;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

pub use definition::{DataType, Definition, Encryption, Flags, VendorFormat};
pub use error::{DictionaryError, Position, Problem, Warning};
pub use loader::{Counts, Loader};

use definition::{Slot, Vendor};

/// Where numbers are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Space {
    /// The attributes of a vendor, or with 0 those of the RFCs.
    Vendor(u32),
    /// Inside an attribute of type `tlv`, `extended` or `long-extended`.
    Inside(Place),
    /// A vendor's attributes inside an attribute of type `evs` (RFC 6929 §2.4).
    ExtendedVendor(Place, u32),
}

/// An attribute's place in the tree. It stays the same when its number is given a new name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place(u32);

/// Names, types and values of attributes.
#[derive(Debug, Clone, Default)]
pub struct Dictionary {
    slots: Vec<Slot>,
    places: HashMap<(Space, u32), Place>,
    /// The places of the RFC space's numbers that stand in packets, by number: most look-ups are for these.
    rfc: Vec<Option<Place>>,
    /// By name in lower case; older names of a number included.
    names: HashMap<Box<str>, Place>,
    vendors: HashMap<u32, Vendor>,
    /// By name in lower case; older names of a vendor included.
    vendor_names: HashMap<Box<str>, u32>,
    /// Vendors with an attribute whose value is not to be shown.
    sensitive_vendors: HashSet<u32>,
    /// Attributes around one whose value is not to be shown.
    around_sensitive: HashSet<Place>,
}

impl Dictionary {
    /// What is built in: the RFCs' attributes, from the files under `dictionaries/`.
    pub fn shipped() -> Arc<Self> {
        static SHIPPED: LazyLock<Arc<Dictionary>> = LazyLock::new(|| {
            let mut loader = Loader::empty();
            loader.shipped().expect("the built-in dictionary has no errors, its test sees to that");
            Arc::new(loader.finish().0)
        });
        SHIPPED.clone()
    }

    /// Files, each with what it includes, on top of the built-in ones or instead of them: `[dictionary]`. What was
    /// passed over comes along.
    pub fn load(shipped: bool, files: &[PathBuf]) -> Result<(Self, Vec<Warning>), DictionaryError> {
        let mut loader = if shipped { Loader::on(&Self::shipped()) } else { Loader::empty() };
        for file in files {
            loader.file(file)?;
        }
        Ok(loader.finish())
    }

    /// The attribute of this number in this space.
    pub fn get(&self, space: Space, number: u32) -> Option<&Definition> {
        let place = match (space, self.rfc.get(number as usize)) {
            (Space::Vendor(0), Some(place)) => (*place)?,
            _ => *self.places.get(&(space, number))?,
        };
        Some(&self.slot(place).definition)
    }

    /// The attribute of this name, compared without case. For an older name of a number: what it is called now.
    pub fn by_name(&self, name: &str) -> Option<&Definition> {
        let place = self.names.get(name.to_ascii_lowercase().as_str())?;
        Some(&self.slot(*place).definition)
    }

    /// The name of one of an attribute's values.
    pub fn value_name(&self, attribute: &Definition, number: u64) -> Option<&Arc<str>> {
        self.slot(attribute.place).values.get(&number)
    }

    /// The number that one of an attribute's values stands for, by its name, compared without case.
    pub fn value_number(&self, attribute: &Definition, name: &str) -> Option<u64> {
        self.slot(attribute.place).value_names.get(name.to_ascii_lowercase().as_str()).copied()
    }

    /// The name of a vendor.
    pub fn vendor_name(&self, vendor: u32) -> Option<&Arc<str>> {
        self.vendors.get(&vendor).map(|vendor| &vendor.name)
    }

    /// How a vendor writes its attributes; the RFC's recommendation for a vendor that is not known.
    pub fn vendor_format(&self, vendor: u32) -> VendorFormat {
        self.vendors.get(&vendor).map(|vendor| vendor.format).unwrap_or_default()
    }

    /// Whether any attribute of this vendor holds what is not to be shown.
    pub fn vendor_has_sensitive(&self, vendor: u32) -> bool {
        self.sensitive_vendors.contains(&vendor)
    }

    /// Whether an attribute holds others of which one, however deep, is not to be shown.
    pub fn has_sensitive_inside(&self, attribute: &Definition) -> bool {
        self.around_sensitive.contains(&attribute.place)
    }

    /// All attributes, in the order in which their numbers were first defined.
    pub fn iter(&self) -> impl Iterator<Item = &Definition> {
        self.slots.iter().map(|slot| &slot.definition)
    }

    /// How many attributes it names, each number once.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether it names nothing.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// How many vendors it names, each number once.
    pub fn vendors(&self) -> usize {
        self.vendors.len()
    }

    fn slot(&self, place: Place) -> &Slot {
        &self.slots[place.0 as usize]
    }
}

#[cfg(test)]
mod tests;
