pub mod store;

/// Of no table.
pub fn vat(cents: u64) -> u64 {
    cents / 5
}
