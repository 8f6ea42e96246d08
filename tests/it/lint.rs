//! The engine: order, levels, suppression, and rules that fail.

use cargo_msvc::lint::settings::{Paths, Place};
use cargo_msvc::lint::{self, Check, Diagnostic, Level, Levels, Practice, Report, Rule, Selector, Settings, Tier, own};
use cargo_msvc::workspace::directive::{Syntax, directives};
use cargo_msvc::workspace::{FileId, Location, Problem, Sources, Span, Workspace};

const fn rule(id: &'static str, code: &'static str, tier: Tier, check: Check) -> Rule {
    Rule { id, code, practice: Some(Practice::Security), level: Level::Deny, tier, docs: "A test rule.", check }
}

static WORDS: Rule = rule("bad-word", "MSVC798", Tier::Default, Check::Workspace(find_words));
static TWICE: Rule = rule("bad-word-twice", "MSVC797", Tier::Pedantic, Check::Workspace(find_words_twice));
static PANICS: Rule = rule("panics", "MSVC799", Tier::Default, Check::Workspace(|_, _| panic!("a fault of ours")));

const TEXT: &str = "\
bad
bad # msvc: allow(bad-word) because the test says so
# msvc: allow(bad-word) because of the block below
key:
  bad
  bad
fine
# msvc: allow(bad-word) because there was one
fine
# msvc: allow(bad-word)
bad
# msvc: allow(bad-wrod) because of a slip
bad
";

/// Every "bad" of `TEXT`, last first: the engine sorts.
fn find_words(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for (file, path) in workspace.sources.iter() {
        assert!(path.as_str().ends_with(".yaml"));
        for (at, word) in TEXT.rmatch_indices("bad") {
            if !TEXT[..at].ends_with("allow(") {
                let at = Location::new(file, Span::new(at, at + word.len()));
                out.push(Diagnostic::new("a bad word", at, "here"));
            }
        }
    }
}

fn find_words_twice(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    find_words(workspace, out);
    find_words(workspace, out);
}

fn workspace() -> Workspace {
    let mut sources = Sources::new("/nowhere".into());
    sources.add("a.yaml".into());
    sources.add("b.yaml".into());
    let directives = directives(FileId(0), TEXT, Syntax::Yaml);
    Workspace { sources, directives, ..Workspace::default() }
}

/// `line: id: message` of each finding in the first file.
fn shown(report: &Report) -> Vec<String> {
    let first = report.findings.iter().filter(|finding| finding.diagnostic.primary.at.file == FileId(0));
    let line = |offset: u32| {
        TEXT[..offset as usize].lines().count() + usize::from(TEXT[..offset as usize].ends_with('\n') || offset == 0)
    };
    first
        .map(|finding| {
            format!("{}: {}: {}", line(finding.diagnostic.primary.at.span.start), finding.rule.id, finding.diagnostic.message)
        })
        .collect()
}

#[test]
fn comments_take_findings_away_and_answer_for_themselves() {
    let report = lint::run(&workspace(), &[&WORDS], &Settings::default());
    assert_eq!(
        shown(&report),
        [
            "1: bad-word: a bad word",
            "8: unused-allow: nothing to allow: no `bad-word` is found here",
            "10: invalid-allow: this comment gives no reason",
            "11: bad-word: a bad word",
            "12: invalid-allow: `bad-wrod` is no rule",
            "13: bad-word: a bad word",
        ]
    );
    assert_eq!(report.summary.allowed, 3);
}

#[test]
fn a_rule_that_is_off_leaves_its_comments_alone() {
    let settings = Settings { ignore: vec![Selector::Rule(&WORDS)], ..Settings::default() };
    let report = lint::run(&workspace(), &[&WORDS], &settings);
    assert_eq!(shown(&report), ["10: invalid-allow: this comment gives no reason", "12: invalid-allow: `bad-wrod` is no rule"]);
}

#[test]
fn a_rule_that_is_off_in_a_path_leaves_the_comments_there_alone() {
    let mut levels = Levels::default();
    levels.set(Selector::Rule(&WORDS), Level::Allow, "here");
    let settings = |pattern: &str| {
        let paths = vec![(Paths::new(pattern, "").unwrap(), levels.clone())];
        lint::run(&workspace(), &[&WORDS], &Settings { paths, ..Settings::default() })
    };
    assert_eq!(
        shown(&settings("a.yaml")),
        ["10: invalid-allow: this comment gives no reason", "12: invalid-allow: `bad-wrod` is no rule"]
    );
    assert!(shown(&settings("b.yaml")).iter().any(|line| line.contains("unused-allow")));
}

#[test]
fn findings_do_not_depend_on_the_order_of_rules_and_come_once() {
    let settings = Settings { tier: Tier::Pedantic, ..Settings::default() };
    let mut workspace = workspace();
    workspace.directives.clear();
    let one = lint::run(&workspace, &[&WORDS, &TWICE], &settings);
    let other = lint::run(&workspace, &[&TWICE, &WORDS], &settings);
    assert_eq!(shown(&one), shown(&other));
    let words = TEXT.matches("bad").count() - TEXT.matches("allow(bad").count();
    assert_eq!(one.findings.len(), 2 * 2 * words, "two rules, two files, no finding twice");
    let paths: Vec<_> = one.findings.iter().map(|finding| workspace.sources.path(finding.diagnostic.primary.at.file)).collect();
    assert!(paths.is_sorted());
}

#[test]
fn a_rule_that_panics_costs_only_itself() {
    let report = lint::run(&workspace(), &[&PANICS, &WORDS], &Settings::default());
    assert_eq!(
        report.failures.iter().map(|failure| (failure.rule, failure.message.as_str())).collect::<Vec<_>>(),
        [("panics", "a fault of ours")]
    );
    assert!(report.findings.iter().any(|finding| finding.rule == &WORDS));
}

#[test]
fn broken_input_is_a_finding() {
    let mut workspace = workspace();
    workspace.problems.push(Problem { location: Location::file(FileId(1)), message: "no UTF-8".into(), help: None });
    let report = lint::run(&workspace, &[], &Settings::default());
    let finding = report.findings.iter().find(|finding| finding.rule == &own::UNREADABLE_FILE).expect("reported");
    assert_eq!((finding.level, finding.diagnostic.message.as_str()), (Level::Deny, "no UTF-8"));
}

#[test]
fn levels() {
    let with = |change: &dyn Fn(&mut Settings)| {
        let mut settings = Settings::default();
        change(&mut settings);
        let package = Place { package: Some(7), ..Place::default() };
        (settings.level(&WORDS, Place::default()), settings.level(&TWICE, Place::default()), settings.level(&WORDS, package))
    };
    use Level::{Allow, Deny, Warn};
    assert_eq!(with(&|_| {}), (Deny, Allow, Deny), "pedantic rules wait to be asked for");
    assert_eq!(with(&|s| s.tier = Tier::Pedantic), (Deny, Deny, Deny));
    assert_eq!(with(&|s| s.levels.set(Selector::Practice(Practice::Security), Warn, "here")), (Warn, Warn, Warn));
    assert_eq!(with(&|s| s.select = vec![Selector::Rule(&TWICE)]), (Allow, Deny, Allow));
    assert_eq!(with(&|s| s.select = vec![Selector::Practice(Practice::Security)]), (Deny, Allow, Deny));
    assert_eq!(with(&|s| s.select = vec![Selector::Practice(Practice::Containers)]), (Allow, Allow, Allow));
    assert_eq!(with(&|s| s.ignore = vec![Selector::Practice(Practice::Security)]), (Allow, Allow, Allow));
    assert_eq!(
        with(&|s| {
            s.levels.set(Selector::Rule(&WORDS), Warn, "here");
            s.packages.entry(7).or_default().set(Selector::Practice(Practice::Security), Allow, "here");
        }),
        (Warn, Allow, Allow),
        "a package's word goes first"
    );
    assert_eq!(
        with(&|s| {
            s.levels.set(Selector::Rule(&WORDS), Allow, "here");
            s.select = vec![Selector::Rule(&WORDS)];
        }),
        (Deny, Allow, Deny),
        "who asks for a rule by name wants to see it"
    );
    assert_eq!(with(&|s| s.levels.set(Selector::All, Warn, "here")), (Warn, Allow, Warn), "`all` wakes no rule");
    assert_eq!(with(&|s| s.command.set(Selector::All, Allow, "here")), (Allow, Allow, Allow));
    assert_eq!(
        with(&|s| {
            s.levels.set(Selector::Rule(&WORDS), Allow, "here");
            s.packages.entry(7).or_default().set(Selector::All, Warn, "here");
        }),
        (Allow, Allow, Allow),
        "nor does it wake what the whole tree allows"
    );
    assert_eq!(
        with(&|s| {
            s.packages.entry(7).or_default().set(Selector::Rule(&WORDS), Allow, "here");
            s.command.set(Selector::Practice(Practice::Security), Warn, "here");
        }),
        (Warn, Warn, Warn),
        "the command line has the last word"
    );
    assert_eq!(with(&|s| s.command.set(Selector::All, Warn, "here")), (Warn, Allow, Warn));
}

#[test]
fn nearer_levels_go_first() {
    let mut settings = Settings::default();
    settings.levels.set(Selector::Rule(&WORDS), Warn, "tree");
    settings.services.entry("orders".into()).or_default().set(Selector::Rule(&WORDS), Deny, "service");
    for (pattern, level) in [("services/*", Allow), ("services/orders", Warn)] {
        let mut levels = Levels::default();
        levels.set(Selector::Rule(&WORDS), level, pattern);
        settings.paths.push((Paths::new(pattern, "").unwrap(), levels));
    }
    use Level::{Allow, Deny, Warn};
    for (service, path, expected) in [
        (None, None, (Warn, "tree")),
        (Some("orders"), None, (Deny, "service")),
        (Some("billing"), Some("other/a.rs"), (Warn, "tree")),
        (Some("orders"), Some("services/billing/a.rs"), (Allow, "services/*")),
        (Some("orders"), Some("services/orders/a.rs"), (Warn, "services/orders")),
    ] {
        let place = Place { package: None, service, path: path.map(Into::into) };
        assert_eq!(settings.decide(&WORDS, place), expected, "{service:?} {path:?}");
    }
    assert!(settings.runs(&WORDS));
}

#[test]
fn selectors() {
    let rules = [&WORDS, &TWICE];
    for (text, expected) in [
        ("bad-word", Ok(Selector::Rule(&WORDS))),
        ("msvc797", Ok(Selector::Rule(&TWICE))),
        ("security", Ok(Selector::Practice(Practice::Security))),
        ("bad_wrod", Err(Some("bad-word"))),
        ("secuirty", Err(Some("security"))),
        ("zzz", Err(None)),
    ] {
        assert_eq!(Selector::parse(text, &rules).map_err(|unknown| unknown.nearest), expected, "{text}");
    }
}
