//! The command line as a person meets it.

use std::process::Stdio;

use crate::sandbox::{Run, Sandbox};

#[test]
fn cargo_and_the_program_itself_take_the_same_words() {
    let sandbox = Sandbox::new(&[]);
    let plain = sandbox.run("", &["new", "orders", "--dry-run"]).ok();
    let by_cargo = sandbox.run("", &["msvc", "new", "orders", "--dry-run"]).ok();
    assert_eq!(plain.stdout, by_cargo.stdout);
    assert!(plain.stdout.contains("create services/orders/src/main.rs\n"), "{}", plain.stdout);
}

#[test]
fn usage_errors_end_with_2_and_help_with_0() {
    let sandbox = Sandbox::new(&[]);
    let usage = "Usage: cargo msvc";
    for (arguments, said) in [
        (&["nwe"][..], "unrecognized subcommand 'nwe'"),
        (&["new"], "the service has no name"),
        (&[], usage),
        (&["new", "orders", "--store", "oracle"], "[possible values: sqlite, postgres, mysql, none]"),
        (&["new", "orders", "--port", "80"], "80 is not in 1024..=64525"),
    ] {
        sandbox.run("", arguments).refused(&[said]);
    }
    for arguments in [&["--help"][..], &["help", "new"], &["new", "-h"], &["--version"], &["msvc", "--help"]] {
        let run = sandbox.run("", arguments).ok();
        assert!(!run.stdout.is_empty() && run.stderr.is_empty(), "{arguments:?}: {}", run.stderr);
    }
    sandbox.run("", &["new", "orders", "--quiet", "--verbose"]).refused(&["cannot be used with"]);
}

#[test]
fn every_command_is_in_the_manual_and_the_completions() {
    let sandbox = Sandbox::new(&[]);
    let manual = sandbox.run("", &["man"]).ok().stdout;
    let help = sandbox.run("", &["--help"]).ok().stdout;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands: Vec<_> = listed.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect();
    assert!(commands.contains(&"new") && commands.contains(&"lint"), "{help}");
    for command in &commands {
        assert!(manual.contains(&format!(".SH \"CARGO MSVC {}\"", command.to_uppercase())), "{command}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = sandbox.run("", &["completions", shell]).ok().stdout;
        assert!(commands.iter().all(|command| script.contains(command)), "{shell}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let sandbox = Sandbox::new(&[]);
    for arguments in
        [&["man"][..], &["completions", "zsh"], &["new", "orders", "--diff"], &["new", "orders", "--dry-run"], &["--help"]]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = sandbox.command("", arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let run = Run::of(output).ok();
        assert_eq!(run.stderr, "", "{arguments:?}");
    }
    // The same for what is said on stderr.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = sandbox.command("", &["new", "orders"]).stderr(writer).output().unwrap();
    Run::of(output).ok();
    assert!(sandbox.path("orders/Cargo.toml").exists());
}

#[test]
fn color_goes_where_it_is_wanted() {
    let sandbox = Sandbox::new(&[]);
    let escape = '\u{1b}';
    for (arguments, variable, colored) in [
        (&["new", "Bad", "--color", "always"][..], None, true),
        (&["new", "Bad", "--color=never"], Some("CLICOLOR_FORCE"), false),
        (&["new", "Bad"], None, false),
        (&["new", "Bad"], Some("CLICOLOR_FORCE"), true),
        (&["new", "orders", "--color", "always", "--port", "1"], None, true),
        (&["new", "orders", "--color", "always", "--diff"], None, true),
        (&["new", "orders", "--diff"], None, false),
    ] {
        let mut command = sandbox.command("", arguments);
        if let Some(variable) = variable {
            command.env(variable, "1");
        }
        let run = Run::of(command.output().unwrap());
        let said = run.stdout + &run.stderr;
        assert_eq!(said.contains(escape), colored, "{arguments:?} {variable:?}: {said}");
    }
}

#[test]
fn fixes_are_shown_applied_and_applied_once() {
    let manifest =
        "[package]\nname = \"probe\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\naxum = \"0.8\"\ntokio = \"1\"\n";
    let source = "#[tokio::main]\nasync fn main() {\n    std::thread::sleep(wait());\n    axum::serve(listener(), router()).await.unwrap();\n}\n";
    let sandbox = Sandbox::new(&[("Cargo.toml", manifest), ("src/main.rs", source)]);
    let before = sandbox.files();
    let select = ["msvc", "lint", "--select", "blocking-in-async"];
    let run = |flags: &[&str]| sandbox.run("", &[&select[..], flags].concat());

    let shown = run(&["--diff", "--unsafe-fixes"]);
    assert!(shown.stdout.contains("+    tokio::time::sleep(wait()).await;"), "{}", shown.stdout);
    let told = run(&["--fix"]);
    assert!(told.stdout.contains("--fix --unsafe-fixes can sleep without holding the thread"), "{}", told.stdout);
    assert_eq!(sandbox.files(), before, "neither looking nor a fix that may not be applied changes a file");

    let mended = run(&["--fix", "--unsafe-fixes"]).ok();
    assert!(mended.stderr.contains("Mended 1 finding in 1 file"), "{}", mended.stderr);
    let after = sandbox.text("src/main.rs");
    assert_eq!(after, source.replace("std::thread::sleep(wait())", "tokio::time::sleep(wait()).await"));
    run(&["--fix", "--unsafe-fixes"]).ok();
    assert_eq!(sandbox.text("src/main.rs"), after);
}

/// What a program reads is to the byte; what a person sees does not control the terminal.
#[test]
fn a_diff_is_exact_or_harmless() {
    let manifest =
        "[package]\nname = \"probe\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\naxum = \"0.8\"\ntokio = \"1\"\n";
    let hostile = "// \u{1b}]0;title\u{7} \u{202e}";
    let source = format!(
        "#[tokio::main]\nasync fn main() {{\n    {hostile}\n    std::thread::sleep(wait());\n    axum::serve(listener(), router()).await.unwrap();\n}}\n"
    );
    let sandbox = Sandbox::new(&[("Cargo.toml", manifest), ("src/main.rs", &source)]);
    let run = |color| {
        let flags = ["lint", "--select", "blocking-in-async", "--diff", "--unsafe-fixes", "--color", color];
        sandbox.run("", &flags).stdout
    };
    assert!(run("never").contains(&format!("\n     {hostile}\n")), "{}", run("never"));
    let shown = run("always");
    assert!(shown.contains("\n     // ?]0;title? "), "{shown:?}");
    assert!(!shown.contains("\u{1b}]") && !shown.contains('\u{7}') && !shown.contains('\u{202e}'), "{shown:?}");
}
