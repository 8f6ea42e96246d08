pub mod sql {
    pub const STATE: &str = "SELECT state FROM orders WHERE id = $1";
    pub const CUSTOMER: &str = "SELECT customer FROM orders WHERE id = $1";
}
