use super::*;

fn extend(text: &str, members: &[&str], dependencies: &[(&str, &str)]) -> String {
    let members: Vec<_> = members.iter().map(Utf8Path::new).collect();
    let dependencies: Vec<_> = dependencies.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let extended = RootManifest::parse(text).unwrap().extended(&members, &dependencies).unwrap();
    let parsed = RootManifest::parse(&extended).unwrap();
    for member in members {
        assert!(parsed.paths("members").contains(&member.as_str()), "{extended}");
    }
    for (key, _) in dependencies {
        assert!(parsed.table("dependencies").unwrap().get(&key).is_some(), "{extended}");
    }
    extended
}

#[test]
fn members_are_added_in_the_style_of_the_array() {
    for (before, after) in [
        ("members = []", "members = [\"new\"]"),
        ("members = [ ]", "members = [ \"new\"]"),
        ("members = ['a']", "members = ['a', \"new\"]"),
        ("members = [\"a\", \"b\"] # why", "members = [\"a\", \"b\", \"new\"] # why"),
        ("members = [\"a\",]", "members = [\"a\", \"new\",]"),
        ("members = [\n    \"a\",\n    \"b\",\n]", "members = [\n    \"a\",\n    \"b\",\n    \"new\",\n]"),
        ("members = [\n  \"a\",\n  \"b\"\n]", "members = [\n  \"a\",\n  \"b\",\n  \"new\"\n]"),
        ("members = [\n\t\"a\", # it, and more\n\t# last\n]", "members = [\n\t\"a\", # it, and more\n\t\"new\",\n\t# last\n]"),
        ("members = [\n  \"a\" # it, or not\n]", "members = [\n  \"a\", # it, or not\n  \"new\"\n]"),
        ("members = [\"a\",\n           \"b\"]", "members = [\"a\",\n           \"b\",\n           \"new\"]"),
        ("members = [\n  \"a\", \"b\" ]", "members = [\n  \"a\", \"b\",\n    \"new\" ]"),
        ("members = [\n  # none yet\n]", "members = [\n  # none yet\n    \"new\",\n]"),
        ("resolver = \"3\"", "members = [\"new\"]\nresolver = \"3\""),
        ("members = [\r\n  \"a\",\r\n]\r\n", "members = [\r\n  \"a\",\r\n  \"new\",\r\n]\r\n"),
    ] {
        let head = "# top\n[workspace]\n";
        assert_eq!(extend(&format!("{head}{before}"), &["new"], &[]), format!("{head}{after}"));
    }
}

#[test]
fn several_members_stay_in_order() {
    assert_eq!(
        extend("[workspace]\nmembers = [\n  \"a\"\n]", &["x", "y"], &[]),
        "[workspace]\nmembers = [\n  \"a\",\n  \"x\",\n  \"y\"\n]"
    );
    assert_eq!(
        extend("[workspace]\nmembers = [\n  \"a\",\n]", &["x", "y"], &[]),
        "[workspace]\nmembers = [\n  \"a\",\n  \"x\",\n  \"y\",\n]"
    );
}

#[test]
fn workspace_tables_in_every_form() {
    for (before, after) in [
        // A root package.
        (
            "[package]\nname = \"a\"\n[workspace] # w\n\n[dependencies]\n",
            "[package]\nname = \"a\"\n[workspace] # w\nmembers = [\"new\"]\n\n[dependencies]\n",
        ),
        ("workspace.members = [\"a\"]\n", "workspace.members = [\"a\", \"new\"]\n"),
        ("workspace = { members = [\"a\"] }\n", "workspace = { members = [\"a\", \"new\"] }\n"),
        (
            "[workspace.package]\nedition = \"2024\"",
            "[workspace.package]\nedition = \"2024\"\n\n[workspace]\nmembers = [\"new\"]\n",
        ),
        ("\u{feff}[workspace]\r\nmembers = []", "\u{feff}[workspace]\r\nmembers = [\"new\"]"),
    ] {
        assert_eq!(extend(before, &["new"], &[]), after);
    }
}

#[test]
fn dependencies_are_added_after_the_last_one() {
    let one: &[_] = &[("x", "\"1\"")];
    for (before, after) in [
        ("[workspace]\n", "[workspace]\n\n[workspace.dependencies]\nx = \"1\"\n"),
        ("[workspace]", "[workspace]\n\n[workspace.dependencies]\nx = \"1\"\n"),
        (
            "[workspace]\n[workspace.dependencies]\na = \"1\" # one\n\n# about lints\n[workspace.lints]\n",
            "[workspace]\n[workspace.dependencies]\na = \"1\" # one\nx = \"1\"\n\n# about lints\n[workspace.lints]\n",
        ),
        ("[workspace.dependencies]\n\n[profile.dev]\n", "[workspace.dependencies]\nx = \"1\"\n\n[profile.dev]\n"),
        (
            "[workspace.dependencies]\nb.version = \"1\"\na = { version = \"1\",\n  features = [\n  ] }\n[workspace.dependencies.c]\nversion = \"1\"\n",
            "[workspace.dependencies]\nb.version = \"1\"\na = { version = \"1\",\n  features = [\n  ] }\nx = \"1\"\n[workspace.dependencies.c]\nversion = \"1\"\n",
        ),
        (
            "[workspace]\n[workspace.dependencies.c]\nversion = \"1\"\n",
            "[workspace]\n[workspace.dependencies.c]\nversion = \"1\"\n\n[workspace.dependencies]\nx = \"1\"\n",
        ),
        (
            "[workspace]\r\n[workspace.dependencies]\r\na = \"1\"\r\n",
            "[workspace]\r\n[workspace.dependencies]\r\na = \"1\"\r\nx = \"1\"\r\n",
        ),
    ] {
        assert_eq!(extend(before, &[], one), after);
    }
}

#[test]
fn forms_that_cannot_be_extended_say_where() {
    for (text, span) in [
        ("[workspace]\nmembers = \"a\"\n", "\"a\""),
        ("[workspace]\nmembers = [\"a\"]\ndependencies = { a = \"1\" }\n", "{ a = \"1\" }"),
    ] {
        let error =
            RootManifest::parse(text).unwrap().extended(&[Utf8Path::new("new")], &[("x".into(), "\"1\"".into())]).unwrap_err();
        assert_eq!(error.span.map(|span| &text[span]), Some(span), "{}", error.message);
        assert!(error.help.is_some());
    }
    assert!(RootManifest::parse("[package]\nname = \"a\"").is_err());
    assert!(RootManifest::parse("[workspace").is_err_and(|error| error.span.is_some()));
}

#[test]
fn membership_is_decided_as_cargo_does() {
    for (manifest, covered) in [
        ("members = [\"services/*\"]", true),
        ("members = [\"./services/new/\"]", true),
        ("members = [\"serv*/n?w\"]", true),
        ("members = [\"**/new\"]", true),
        ("members = [\"*\"]", false),
        ("members = [\"crates/*\"]", false),
        ("members = [\"services/*\"]\nexclude = [\"services/new\"]", false),
        ("members = [\"services/*\"]\nexclude = [\"services\"]", false),
        ("members = [\"services/*\", \"services/new\"]\nexclude = [\"services\"]", true),
        ("members = [\"services/*\"]\nexclude = [\"serv\"]", true),
        ("", false),
    ] {
        let text = format!("[workspace]\n{manifest}\n");
        assert_eq!(RootManifest::parse(&text).unwrap().covers(Utf8Path::new("services/new")), covered, "{manifest}");
    }
}
