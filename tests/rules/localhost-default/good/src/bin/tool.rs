fn main() {
    let service = std::env::var("ORDERS_ENDPOINT").unwrap_or_else(|_| "http://localhost:8080".to_owned());
    println!("{service}");
}
