/// What `orders` answers.
pub struct Order {
    pub id: u64,
}
