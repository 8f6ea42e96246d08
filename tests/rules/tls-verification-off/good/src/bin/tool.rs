//! Run by hand against a test system.

fn main() {
    let client = http::blocking::Client::builder().danger_accept_invalid_certs(true).build().unwrap();
    println!("{:?}", client.get(std::env::args().nth(1).unwrap()).send());
}
