use std::process::ExitCode;

/// Parsing is mostly allocation: a third of the time of `lint` with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cargo_msvc::commands::main(std::env::args_os())
}
