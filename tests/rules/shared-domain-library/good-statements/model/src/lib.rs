pub mod sql {
    /// Of `orders` alone; `billing` has one of its own that is called so, too.
    pub const STATE: &str = "SELECT state FROM orders WHERE id = $1";
    /// Of no table.
    pub const ALIVE: &str = "SELECT 1";
}
