//! Names and paths are kept once for the whole process: source repeats the same few thousand identifiers millions of
//! times. What is interned is never given back; a process audits a tree and ends.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;
use rustc_hash::FxHasher;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An identifier as written, without `r#`. It takes 8 bytes where it is used.
#[derive(Clone, Copy)]
pub struct Name(&'static Text);

/// What is kept of a name.
struct Text {
    /// Of the text, so that maps keep their order from one run to the next, and nobody reads the text again.
    hash: u64,
    text: Box<str>,
}

/// A path as written, generics left out; a leading `::` is dropped.
#[derive(Clone, Copy, PartialOrd, Ord)]
pub struct Segments(&'static &'static [Name]);

/// Enough for the threads of a big machine not to wait for each other.
const SHARDS: usize = 64;

type Shards<T> = LazyLock<Vec<Mutex<HashTable<&'static T>>>>;

static NAMES: Shards<Text> = LazyLock::new(shards);
static PATHS: Shards<&'static [Name]> = LazyLock::new(shards);

fn shards<T>() -> Vec<Mutex<HashTable<T>>> {
    (0..SHARDS).map(|_| Mutex::default()).collect()
}

/// The part that holds what has this hash. Tables use the lowest and the highest bits.
fn shard<T>(shards: &'static Shards<T>, hash: u64) -> MutexGuard<'static, HashTable<&'static T>> {
    shards[(hash >> 48) as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
}

fn hash_of<T: ?Sized + Hash>(value: &T) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

// What is interned is equal when it is the same.
impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.0.hash);
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
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
        &self.0.text
    }
}

impl Name {
    /// The text, which is never given back.
    pub fn text(self) -> &'static str {
        &self.0.text
    }

    /// The name of this text, if anything in this process is called so.
    pub fn known(text: &str) -> Option<Self> {
        let hash = hash_of(text);
        shard(&NAMES, hash).find(hash, |known| *known.text == *text).map(|known| Self(known))
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        let hash = hash_of(text);
        let mut known = shard(&NAMES, hash);
        let entry = known.entry(hash, |known| *known.text == *text, |known| known.hash);
        Self(entry.or_insert_with(|| Box::leak(Box::new(Text { hash, text: text.into() }))).get())
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl Default for Segments {
    fn default() -> Self {
        static EMPTY: LazyLock<Segments> = LazyLock::new(|| [].into());
        *EMPTY
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
        let hash = hash_of(names);
        let mut known = shard(&PATHS, hash);
        let entry = known.entry(hash, |known| ***known == *names, |known| hash_of(**known));
        Self(entry.or_insert_with(|| Box::leak(Box::new(&*Box::leak(names.into())))).get())
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
        f.write_str(&self.iter().map(|name| &**name).collect::<Vec<_>>().join("::"))
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
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
