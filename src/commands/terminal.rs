//! How to talk to the person: two streams, each with or without color, and lines in Cargo's own style.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::ops::RangeInclusive;

use colored::{ColoredString, Colorize as _};
use miette::{GraphicalReportHandler, GraphicalTheme, ThemeCharacters, ThemeStyles};
use terminal_size::{Height, Width, terminal_size_of};

use crate::cli::{Color, Global};
use crate::file_tree::FileTree;
use crate::output::{Style, printable};

/// What the command line and the environment say about output.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terminal {
    pub quiet: bool,
    pub verbose: u8,
    /// Color on stdout; the `colored` crate is set to this.
    pub color_stdout: bool,
    /// Color on stderr.
    pub color_stderr: bool,
    /// Whether the locale has box-drawing characters.
    pub unicode: bool,
}

/// Narrower than this nothing can be laid out; wider lines are hard to read.
const WIDTHS: RangeInclusive<usize> = 40..=120;
/// Where the output is no terminal.
const USUAL_WIDTH: usize = 100;

impl Terminal {
    /// Reads the environment and sets up `colored` and miette, once for the process.
    pub fn set_up(global: &Global) -> Self {
        let env = |name: &str| std::env::var_os(name);
        let terminal = Self {
            quiet: global.quiet,
            verbose: global.verbose,
            color_stdout: wants_color(global.color, io::stdout().is_terminal(), env),
            color_stderr: wants_color(global.color, io::stderr().is_terminal(), env),
            unicode: wants_unicode(env),
        };
        colored::control::set_override(terminal.color_stdout);
        let handler = GraphicalReportHandler::new_themed(theme(terminal.color_stderr, terminal.unicode))
            .with_links(false)
            .with_width(width(terminal_size_of(io::stderr())));
        // Fails only when a hook is set already, which then does the same.
        let _ = miette::set_hook(Box::new(move |_| Box::new(handler.clone())));
        terminal
    }

    /// How long texts are laid out on stdout.
    pub fn style(&self) -> Style {
        Style { width: width(terminal_size_of(io::stdout())), unicode: self.unicode }
    }

    /// A side effect, as Cargo prints one: `     Created services/orders`. Nothing when quiet.
    pub fn status(&self, verb: &str, message: impl Display) {
        if !self.quiet {
            self.stderr(&format!("{} {message}", self.paint_stderr(format!("{verb:>12}").green().bold())));
        }
    }

    /// Something the person should know, also when quiet.
    pub fn warn(&self, message: impl Display) {
        self.stderr(&format!("{}{} {message}", self.paint_stderr("warning".yellow().bold()), self.paint_stderr(":".bold())));
    }

    /// A plain line for the person. Nothing when quiet.
    pub fn say(&self, line: impl Display) {
        if !self.quiet {
            self.stderr(&line.to_string());
        }
    }

    /// Prints a plan as a diff: to the byte where another program reads it, and safe to look at where a person does.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn print_diff(&self, tree: &FileTree) -> miette::Result<()> {
        let to_person = self.color_stdout || io::stdout().is_terminal();
        print(if to_person { tree.diff_shown(&printable) } else { tree.diff() })
    }

    /// Whatever `work` makes has no color.
    pub fn without_color<T>(&self, work: impl FnOnce() -> T) -> T {
        colored::control::set_override(false);
        let made = work();
        colored::control::set_override(self.color_stdout);
        made
    }

    /// `text` as stderr shows it.
    pub fn paint_stderr(&self, text: ColoredString) -> String {
        colored::control::set_override(self.color_stderr);
        let painted = text.to_string();
        colored::control::set_override(self.color_stdout);
        painted
    }

    fn stderr(&self, line: &str) {
        // Nobody is left to tell when stderr itself is gone.
        let _ = writeln!(io::stderr(), "{line}");
    }
}

/// Writes to stdout. A reader that has seen enough (`| head`) is no error.
///
/// # Errors
/// When stdout cannot be written, for example because the disk it is redirected to is full.
pub fn print(text: impl AsRef<[u8]>) -> miette::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_ref()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(miette::miette!("cannot write to stdout: {error}")),
        _ => Ok(()),
    }
}

/// Whether a stream gets color. The flag wins, then NO_COLOR, CLICOLOR_FORCE, CLICOLOR, then what the stream is.
fn wants_color(choice: Color, is_terminal: bool, env: impl Fn(&str) -> Option<OsString>) -> bool {
    let set = |name: &str| env(name).is_some_and(|value| !value.is_empty());
    let is = |name: &str, expected: &str| env(name).is_some_and(|value| value == expected);
    match choice {
        Color::Always => true,
        Color::Never => false,
        Color::Auto if set("NO_COLOR") => false,
        Color::Auto if set("CLICOLOR_FORCE") && !is("CLICOLOR_FORCE", "0") => true,
        Color::Auto => is_terminal && !is("CLICOLOR", "0") && !is("TERM", "dumb"),
    }
}

fn width(size: Option<(Width, Height)>) -> usize {
    let columns = size.map_or(USUAL_WIDTH, |(width, _)| width.0.into());
    columns.clamp(*WIDTHS.start(), *WIDTHS.end())
}

/// Whether the locale can show box-drawing characters.
fn wants_unicode(env: impl Fn(&str) -> Option<OsString>) -> bool {
    if cfg!(windows) {
        return true;
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(env).find(|value| !value.is_empty());
    let locale = locale.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

fn theme(color: bool, unicode: bool) -> GraphicalTheme {
    GraphicalTheme {
        characters: if unicode { ThemeCharacters::unicode() } else { ThemeCharacters::ascii() },
        styles: if color { ThemeStyles::ansi() } else { ThemeStyles::none() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn color_follows_the_flag_then_the_environment_then_the_stream() {
        type Env = &'static [(&'static str, &'static str)];
        let cases: &[(Color, bool, Env, bool)] = &[
            (Color::Auto, true, &[], true),
            (Color::Auto, false, &[], false),
            (Color::Auto, true, &[("NO_COLOR", "1")], false),
            (Color::Auto, true, &[("NO_COLOR", "")], true),
            (Color::Auto, false, &[("CLICOLOR_FORCE", "1")], true),
            (Color::Auto, false, &[("CLICOLOR_FORCE", "0")], false),
            (Color::Auto, false, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], false),
            (Color::Auto, true, &[("CLICOLOR", "0")], false),
            (Color::Auto, true, &[("TERM", "dumb")], false),
            (Color::Always, false, &[("NO_COLOR", "1")], true),
            (Color::Never, true, &[("CLICOLOR_FORCE", "1")], false),
        ];
        for (choice, is_terminal, env, expected) in cases {
            let look_up = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
            assert_eq!(wants_color(*choice, *is_terminal, look_up), *expected, "{choice:?} {is_terminal} {env:?}");
        }
    }

    #[test]
    fn box_drawing_needs_a_locale_that_has_it() {
        for (name, value, expected) in
            [("LANG", "C.UTF-8", true), ("LC_ALL", "en_US.utf8", true), ("LANG", "C", false), ("X", "", false)]
        {
            assert_eq!(wants_unicode(|key| (key == name).then(|| value.into())), expected, "{name}={value}");
        }
    }
}
