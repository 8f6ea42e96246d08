use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

fn main() {
    // The templates are embedded; a new file among them is noticed by nothing else.
    println!("cargo::rerun-if-changed=templates");

    // What an audit says may change with any line of the source, so that, not the version, tells programs apart.
    let mut hasher = DefaultHasher::new();
    for part in ["src", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={part}");
        files(Path::new(part)).iter().for_each(|file| (file, fs::read(file).ok()).hash(&mut hasher));
    }
    println!("cargo::rustc-env=CARGO_MSVC_SOURCE={:016x}", hasher.finish());
}

/// A file, or all below a directory, in path order.
fn files(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(path) else { return vec![path.to_owned()] };
    let mut entries: Vec<_> = entries.map(|entry| entry.expect("the source can be read").path()).collect();
    entries.sort();
    entries.iter().flat_map(|entry| files(entry)).collect()
}
