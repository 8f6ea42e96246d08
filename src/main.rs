use std::process::ExitCode;

/// Parsing is mostly allocation: a third of the time of `lint` with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Facts are small and stay: pages of 2 MiB would leave a quarter of what they take unused. Where it cannot be, no matter.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    cargo_msvc::commands::main(std::env::args_os())
}
