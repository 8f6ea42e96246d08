fn main() {
    // The templates are embedded; a new file among them is noticed by nothing else.
    println!("cargo::rerun-if-changed=templates");
}
