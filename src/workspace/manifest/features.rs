//! Where the features of dependencies stand.

use toml_edit::Item;

use crate::workspace::{FileId, Location, Span};

/// Where the features stand that a dependency's entry asks for.
pub fn places(file: FileId, entry: &Item) -> Vec<(String, Location)> {
    let values = entry.get("features").and_then(Item::as_array).into_iter().flatten();
    let place = |value: &toml_edit::Value| {
        let span = value.span()?;
        Some((value.as_str()?.to_owned(), Location::new(file, Span::new(span.start, span.end))))
    };
    values.filter_map(place).collect()
}
