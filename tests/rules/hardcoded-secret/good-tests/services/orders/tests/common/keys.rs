pub const PAYMENT_API_KEY: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b";
