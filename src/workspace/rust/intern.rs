//! Names and paths are kept once for the whole process: source repeats the same few thousand identifiers millions of
//! times. What is interned is never given back; a process audits a tree and ends.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::{LazyLock, Mutex, PoisonError};

use rustc_hash::{FxHashMap as HashMap, FxHasher};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An identifier as written, without `r#`. Twice referenced, so that it takes 8 bytes where it is used, not 16.
#[derive(Clone, PartialOrd, Ord)]
pub struct Name(&'static &'static str);

/// A path as written, generics left out; a leading `::` is dropped.
#[derive(Clone, PartialOrd, Ord)]
pub struct Segments(&'static &'static [Name]);

/// Enough for the threads of a big machine not to wait for each other.
const SHARDS: usize = 64;

type Shards<T> = LazyLock<Vec<Mutex<HashMap<&'static T, &'static &'static T>>>>;

static NAMES: Shards<str> = LazyLock::new(shards);
static PATHS: Shards<[Name]> = LazyLock::new(shards);

fn shards<T: ?Sized>() -> Vec<Mutex<HashMap<&'static T, &'static &'static T>>> {
    (0..SHARDS).map(|_| Mutex::default()).collect()
}

fn intern<T: ?Sized + Hash + Eq>(shards: &Shards<T>, value: &T, leak: impl FnOnce() -> &'static T) -> &'static &'static T {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    let shard = &shards[hasher.finish() as usize % SHARDS];
    let mut known = shard.lock().unwrap_or_else(PoisonError::into_inner);
    match known.get(value) {
        Some(known) => known,
        None => {
            let leaked = leak();
            let thin = Box::leak(Box::new(leaked));
            known.insert(leaked, thin);
            thin
        }
    }
}

// What is interned is equal when it is the same.
impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Name {}

/// As its text, which maps are asked by.
impl Hash for Name {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (**self.0).hash(hasher);
    }
}

impl PartialEq for Segments {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Segments {}

impl Hash for Segments {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        std::ptr::hash(self.0, hasher);
    }
}

impl Deref for Name {
    type Target = str;
    fn deref(&self) -> &str {
        self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self.0
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(intern(&NAMES, text, || Box::leak(text.into())))
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(*self.0, f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        *self.0 == other
    }
}

impl Default for Segments {
    fn default() -> Self {
        static EMPTY: LazyLock<Segments> = LazyLock::new(|| [].into());
        EMPTY.clone()
    }
}

impl Deref for Segments {
    type Target = [Name];
    fn deref(&self) -> &[Name] {
        self.0
    }
}

impl From<&[Name]> for Segments {
    fn from(names: &[Name]) -> Self {
        Self(intern(&PATHS, names, || Box::leak(names.into())))
    }
}

impl From<Vec<Name>> for Segments {
    fn from(names: Vec<Name>) -> Self {
        names.as_slice().into()
    }
}

impl<const N: usize> From<[Name; N]> for Segments {
    fn from(names: [Name; N]) -> Self {
        names.as_slice().into()
    }
}

impl FromIterator<Name> for Segments {
    fn from_iter<I: IntoIterator<Item = Name>>(names: I) -> Self {
        names.into_iter().collect::<Vec<_>>().into()
    }
}

impl<'a> IntoIterator for &'a Segments {
    type Item = &'a Name;
    type IntoIter = std::slice::Iter<'a, Name>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Debug for Segments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.join("::"))
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl Serialize for Segments {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Segments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}
