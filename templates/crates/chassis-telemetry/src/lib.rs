//! Central logging and traces: one JSON line per event on standard output, for the platform to collect.
//!
//! - [`json_lines`]: what a line says; [`log_writer`]: how it gets out.
//! - [`request`] and [`message`]: what is being answered or handled, which every line of it says.
//! - [`trace_context`]: what ties lines of several services together.
//! - [`export`]: what `chassis-otlp` sends to a central store.

pub mod export;
pub mod json_lines;
pub mod log_writer;
pub mod message;
pub mod request;
pub mod trace_context;

use std::fmt;
use std::io::Write;
use std::process::ExitCode;
use std::sync::OnceLock;

use chassis::config::{ConfigError, Log, invalid};
use chassis::{Error, Identity};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use json_lines::JsonLines;
use log_writer::LogWriter;

static WRITER: OnceLock<LogWriter> = OnceLock::new();

/// Starts logging for the whole process, panics included.
pub fn init(service: &Identity, log: &Log) -> Result<(), ConfigError> {
    let levels: Targets = log.level.parse().map_err(|error| {
        invalid(
            "log.level",
            format!("({:?}) is no level or list of levels: {error}", log.level),
        )
    })?;
    let refused = |error: &dyn fmt::Display| invalid("log", format!("cannot be set up: {error}"));
    let writer = LogWriter::start(std::io::stdout()).map_err(|error| refused(&error))?;
    let writer = WRITER.get_or_init(|| writer);
    let lines = JsonLines::new(service, |line: &[u8]| {
        writer.write(line);
        export::logged(line);
    });
    tracing_subscriber::registry()
        .with(lines.with_filter(levels))
        .try_init()
        .map_err(|error| refused(&error))?;
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        tracing::error!(at, "{}", panic.payload_as_str().unwrap_or("panic"));
        // It may be the last line.
        writer.flush();
    }));
    Ok(())
}

/// Waits until all that was logged is written, and exported where that is wanted. The process must not end before.
pub fn flush() {
    export::flush();
    if let Some(writer) = WRITER.get() {
        writer.flush();
    }
}

/// How the process ends: with 1 and the error when it could not do its work. The error is told to the person who
/// started it and, once logging works, to the log.
pub fn exit_code(result: Result<(), Error>) -> ExitCode {
    let Err(error) = result else {
        flush();
        return ExitCode::SUCCESS;
    };
    tracing::error!(
        error = &*error as &(dyn std::error::Error + 'static),
        "stopped"
    );
    _ = writeln!(std::io::stderr(), "error: {error}");
    flush();
    ExitCode::FAILURE
}
