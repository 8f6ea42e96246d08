//! Makes code of `proto/`, without protoc.

use std::io;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let mut all = protox::Compiler::new(["proto"])?;
    all.include_source_info(true);
    all.open_files(files_below(Path::new("proto"))?)?;
    tonic_prost_build::configure()
        .build_transport(false)
        .compile_fds(all.file_descriptor_set())?;
    //% if protocol == "grpc"

    // What this service answers, for reflection.
    let package = std::env::var("CARGO_PKG_NAME")?.replace('-', "_");
    let mut own = protox::Compiler::new(["proto"])?;
    own.include_source_info(true);
    own.open_files(files_below(&Path::new("proto").join(package))?)?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("own.bin"), own.encode_file_descriptor_set())?;
    //% endif
    Ok(())
}

fn files_below(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    // In the same order everywhere.
    files.sort();
    Ok(files)
}
