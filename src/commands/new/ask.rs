//! What `new` asks on a terminal when the command line names no service: as little as decides what the service is. An option
//! that the command line states is not asked for, and the answers end as the command line that says the same.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::ValueEnum;
use dialoguer::console::Term;
use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};
use dialoguer::{Confirm, Input, MultiSelect, Select};
use miette::miette;
use signal_hook::consts::SIGINT;

use super::quoted;
use super::wish::parse_name;
use crate::cli::{New, NewBroker, NewProtocol, NewStore};
use crate::commands::Terminal;
use crate::scaffold::Callee;
use crate::service::ServiceName;

const HOW_TO_FIND: &str = "How does it find other services?";

/// Whether there is somebody who can answer.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// `args` with what was answered; `None` when the person does not want it after all. `known` are services that can be called.
///
/// # Errors
/// When the person interrupts, or the terminal is gone.
pub fn ask(args: &New, known: &[Callee], terminal: Terminal) -> miette::Result<Option<New>> {
    let screen = Term::stderr();
    catch_one_interrupt().map_err(|error| miette!("cannot listen for Ctrl-C: {error}"))?;
    let theme: Box<dyn Theme> =
        if terminal.color_stderr && terminal.unicode { Box::new(ColorfulTheme::default()) } else { Box::new(SimpleTheme) };
    let questions = Questions { theme: &*theme, screen: &screen };
    questions.all(args, known, terminal).map_err(|error| {
        // Nothing more can be done about it when even this fails.
        let _ = screen.show_cursor();
        match error.kind() {
            io::ErrorKind::Interrupted => miette!("interrupted: nothing was written"),
            _ => miette!("cannot ask on this terminal: {error}"),
        }
    })
}

/// Ctrl-C must give the cursor back, which is hidden while a list is shown; a second one ends the process as ever.
fn catch_one_interrupt() -> io::Result<()> {
    let interrupted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register_conditional_default(SIGINT, interrupted.clone())?;
    signal_hook::flag::register(SIGINT, interrupted)?;
    Ok(())
}

struct Questions<'a> {
    theme: &'a dyn Theme,
    screen: &'a Term,
}

impl Questions<'_> {
    fn all(&self, args: &New, known: &[Callee], terminal: Terminal) -> io::Result<Option<New>> {
        let name = self.name("Name of the service")?;
        let mut filled = New { name: Some(name.clone()), ..args.clone() };
        let protocol = self.choice("How do callers talk to it?", args.protocol, |_| true)?;
        filled.protocol = Some(protocol);
        filled.store = Some(self.choice("Where does it keep its own data?", args.store, |_| true)?);
        if protocol == NewProtocol::Events {
            filled.broker = Some(self.choice("What carries the events?", args.broker, |broker| *broker != NewBroker::None)?);
            if args.consumes.is_none() {
                filled.consumes = Some(self.name("Name of the service whose events it reads")?);
            }
            if args.calls.is_empty() {
                filled.calls = self.calls(known)?;
            }
            if !filled.calls.is_empty() {
                filled.discovery = Some(self.choice(HOW_TO_FIND, args.discovery, |_| true)?);
            }
        } else {
            self.of_one_that_is_called(args, known, &mut filled)?;
        }
        terminal.say(format!("\n  {}\n", command_line(&filled)));
        Ok(self.yes(&format!("Create `{name}`?"), true)?.then_some(filled))
    }

    /// What only matters where somebody calls it.
    fn of_one_that_is_called(&self, args: &New, known: &[Callee], filled: &mut New) -> io::Result<()> {
        if filled.store != Some(NewStore::None) {
            filled.broker = Some(self.choice("Does it publish its changes as events?", args.broker, |_| true)?);
        }
        if args.calls.is_empty() {
            filled.calls = self.calls(known)?;
        }
        if !args.public {
            filled.public = self.yes("Can it be reached from outside the cluster?", false)?;
        }
        let stated = args.discovery.is_some() && args.auth.is_some() && args.tls.is_some();
        if !stated && !self.yes("Found by Kubernetes, callers show tokens, plain inside a mesh: is that right?", true)? {
            filled.discovery = Some(self.choice(HOW_TO_FIND, args.discovery, |_| true)?);
            filled.auth = Some(self.choice("How does it know its callers?", args.auth, |_| true)?);
            filled.tls = Some(self.choice("How is its traffic encrypted?", args.tls, |_| true)?);
        }
        Ok(())
    }

    fn name(&self, question: &str) -> io::Result<String> {
        let valid = |text: &String| {
            parse_name(text).map(drop).map_err(|error| match error.help() {
                Some(help) => format!("{error}: {help}"),
                None => error.to_string(),
            })
        };
        let input = Input::with_theme(self.theme).with_prompt(question).validate_with(valid);
        Ok(input.interact_text_on(self.screen)?)
    }

    /// One of the values of an option that are `offered`; at first the default is marked, else the first.
    fn choice<T: ValueEnum + Default + PartialEq>(
        &self,
        question: &str,
        stated: Option<T>,
        offered: impl Fn(&T) -> bool,
    ) -> io::Result<T> {
        if let Some(stated) = stated {
            return Ok(stated);
        }
        let mut values: Vec<T> = T::value_variants().iter().filter(|value| offered(value)).cloned().collect();
        let shown = values.iter().map(|value| {
            let value = value.to_possible_value().expect("no value is hidden");
            let help = value.get_help().map(ToString::to_string).unwrap_or_default();
            format!("{:<12}{help}", value.get_name())
        });
        let default = values.iter().position(|value| *value == T::default()).unwrap_or_default();
        let select = Select::with_theme(self.theme).with_prompt(question).items(shown).default(default);
        Ok(values.swap_remove(select.interact_on(self.screen)?))
    }

    fn calls(&self, known: &[Callee]) -> io::Result<Vec<String>> {
        if known.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<&ServiceName> = known.iter().map(|callee| &callee.name).collect();
        let question = "Which services does it call? Space marks, Enter goes on";
        let marked = MultiSelect::with_theme(self.theme).with_prompt(question).items(&names).interact_on(self.screen)?;
        Ok(marked.into_iter().map(|index| names[index].to_string()).collect())
    }

    fn yes(&self, question: &str, default: bool) -> io::Result<bool> {
        Ok(Confirm::with_theme(self.theme).with_prompt(question).default(default).interact_on(self.screen)?)
    }
}

/// What would have to be typed for the same, without what is the default.
fn command_line(args: &New) -> String {
    let mut line = format!("cargo msvc new {}", args.name.as_deref().unwrap_or_default());
    let mut option = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            line += &format!(" --{name} {value}");
        }
    };
    option("workspace", args.workspace.as_deref().map(quoted));
    option("path", args.path.as_deref().map(quoted));
    option("port", args.port.map(|port| port.to_string()));
    option("protocol", unusual(args.protocol));
    option("store", unusual(args.store));
    option("discovery", unusual(args.discovery));
    option("auth", unusual(args.auth));
    option("tls", unusual(args.tls));
    option("broker", unusual(args.broker));
    option("consumes", args.consumes.clone());
    option("calls", Some(args.calls.join(",")).filter(|calls| !calls.is_empty()));
    if args.public {
        line += " --public";
    }
    line
}

/// A value as it is typed, unless it is the default.
fn unusual<T: ValueEnum + Default + PartialEq>(value: Option<T>) -> Option<String> {
    let value = value.filter(|value| *value != T::default())?;
    value.to_possible_value().map(|value| value.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_says_the_same() {
        let name = Some("orders".to_owned());
        let args = New { name: name.clone(), protocol: Some(NewProtocol::default()), ..New::default() };
        assert_eq!(command_line(&args), "cargo msvc new orders");
        let calls = vec!["billing".to_owned(), "stock".to_owned()];
        let args =
            New { name, protocol: Some(NewProtocol::Grpc), store: Some(NewStore::None), calls, public: true, ..New::default() };
        let expected = "cargo msvc new orders --protocol grpc --store none --calls billing,stock --public";
        assert_eq!(command_line(&args), expected);
        let path = Some("my shop".into());
        assert_eq!(command_line(&New { workspace: path, ..args }), expected.replace("orders", "orders --workspace 'my shop'"));
    }
}
