//! How long `lint` takes, where the time goes, and how it grows.
//!
//! ```text
//! cargo bench --bench lint                       # synthetic workspaces of 10 to 2,000 services
//! cargo bench --bench lint -- --services 200 --lines 5000 --seed 7
//! cargo bench --bench lint -- --path ../omicron  # a real tree
//! benches/lint/peers ../omicron                  # beside ripgrep, ast-grep, semgrep and syn alone
//! ```
//!
//! Each size runs in its own process, so that its peak memory is its own; the best of `--runs` counts.

mod synthetic;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::Parser;
use rayon::prelude::*;

use cargo_msvc::lint::Settings;
use cargo_msvc::workspace::rust;
use cargo_msvc::{lint, output, rules, workspace};

/// As the tool itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Args {
    /// Time this tree instead of synthetic ones
    #[arg(long)]
    path: Option<PathBuf>,
    /// Services of the synthetic workspace; 10, 50, 200, 500, 1000 and 2000 unless told
    #[arg(long)]
    services: Option<usize>,
    /// Lines of Rust in each service, about
    #[arg(long, default_value_t = 2_000)]
    lines: usize,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Runs of each size
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Only parse every Rust file of this tree with syn, and keep nothing: what any linter that parses all must pay
    #[arg(long)]
    syn: Option<PathBuf>,
    /// Measure one tree once and print the row (used by the benchmark itself)
    #[arg(long, hide = true)]
    one: Option<PathBuf>,
    /// Cargo passes this
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(root) = &args.one {
        println!("{}", measure(root));
        return ExitCode::SUCCESS;
    }
    if let Some(root) = &args.syn {
        println!("{}", parse_alone(root));
        return ExitCode::SUCCESS;
    }
    println!(
        "{:>28}  {:>7} {:>7} {:>8} {:>8} {:>8} {:>8}  phases (ms)",
        "tree", "files", "MB", "seconds", "files/s", "MB/s", "peak MB"
    );
    match &args.path {
        Some(path) => row(&path.display().to_string(), path, args.runs),
        None => {
            let sizes = args.services.map_or_else(|| vec![10, 50, 200, 500, 1_000, 2_000], |services| vec![services]);
            for services in sizes {
                let directory = tempfile::tempdir().expect("a temporary directory");
                let knobs = synthetic::Knobs { services, lines: args.lines, seed: args.seed };
                synthetic::write(directory.path(), knobs).expect("the synthetic workspace can be written");
                row(&format!("{services} services"), directory.path(), args.runs);
            }
        }
    }
    ExitCode::SUCCESS
}

/// Prints the fastest of `runs` measurements, each in a process of its own.
fn row(name: &str, root: &Path, runs: usize) {
    let program = std::env::current_exe().expect("the benchmark knows itself");
    let measured = (0..runs.max(1)).map(|_| {
        let output = Command::new(&program).arg("--one").arg(root).output().expect("the benchmark can start itself");
        assert!(output.status.success(), "measuring {} failed: {}", root.display(), String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    });
    let seconds = |line: &String| line.split_whitespace().nth(2).and_then(|text| text.parse().ok()).unwrap_or(f64::MAX);
    let best = measured.min_by(|a, b| seconds(a).total_cmp(&seconds(b))).expect("at least one run");
    println!("{name:>28}  {best}");
}

/// One run: files, MB, seconds, files/s, MB/s, peak MB, phases.
fn measure(root: &Path) -> String {
    let start = Instant::now();
    let workspace = workspace::load(root);
    let mut phases: Vec<(&str, Duration)> = workspace.timings.clone();
    let checking = Instant::now();
    let report = lint::run(&workspace, rules::ALL, &Settings::default());
    phases.push(("rules", checking.elapsed()));
    let rendering = Instant::now();
    let mut out = Vec::new();
    output::json::write(&mut out, &report, &workspace).expect("memory takes text");
    phases.push(("render", rendering.elapsed()));
    let seconds = start.elapsed().as_secs_f64();

    let files = workspace.sources.len();
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let bytes: u64 = workspace.sources.iter().map(|(_, path)| size(&root.join(path))).sum();
    let megabytes = bytes as f64 / 1e6;
    let phases: Vec<_> = phases.iter().map(|(name, took)| format!("{name} {:.0}", took.as_secs_f64() * 1e3)).collect();
    format!(
        "{files:>7} {megabytes:>7.1} {seconds:>8.3} {:>8.0} {:>8.1} {:>8}  {}",
        files as f64 / seconds,
        megabytes / seconds,
        peak_memory().map_or_else(|| "?".to_owned(), |bytes| format!("{:.0}", bytes / 1e6)),
        phases.join(", ")
    )
}

/// How many files syn parses, how many it does not.
fn parse_alone(root: &Path) -> String {
    let pool = rayon::ThreadPoolBuilder::new().stack_size(rust::STACK_SIZE).build().expect("threads can be started");
    let files = ignore::WalkBuilder::new(root).build().flatten().map(ignore::DirEntry::into_path);
    let files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect();
    let parses = |path: &PathBuf| {
        let parses = std::fs::read_to_string(path).is_ok_and(|text| syn::parse_file(&text).is_ok());
        proc_macro2::extra::invalidate_current_thread_spans();
        parses
    };
    let parsed = pool.install(|| files.par_iter().filter(|path| parses(path)).count());
    format!("{parsed} files parsed, {} refused", files.len() - parsed)
}

/// Peak resident memory in bytes, where the system tells.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kib| kib * 1024.0)
}
