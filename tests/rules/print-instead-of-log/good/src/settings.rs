//! Looked at before there is a log.

pub fn check(port: &str) {
    if port.is_empty() {
        eprintln!("the port is empty");
    }
}
