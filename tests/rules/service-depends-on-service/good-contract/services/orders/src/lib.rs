//! What callers need.

pub struct Order {
    pub id: u64,
}
