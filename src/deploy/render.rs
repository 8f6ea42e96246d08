//! `templates/deploy/` x plain values -> text.
//!
//! The templates are YAML as they stand: `#% if …` lines are comments, `«port»` is a scalar, and the example's names stand
//! for the service's, its system's and its namespace's.

use std::sync::LazyLock;

use include_dir::{Dir, include_dir};
use serde::Serialize;
use tera::{Context, Delimiters, Tera};

static TEMPLATES: Dir = include_dir!("$CARGO_MANIFEST_DIR/templates/deploy");

/// First line of every file that belongs to the tool. A file without it is somebody's own, and is never overwritten.
pub const HEADER: &str = "# Written by cargo msvc deploy-manifests. Edit an overlay or msvc.toml instead.\n";

/// What the names in the templates stand for.
const NAMES: [(&str, &str); 3] =
    [("example-service", "«name»"), ("example-system", "«system»"), ("example-namespace", "«namespace»")];

static ENGINE: LazyLock<Tera> = LazyLock::new(|| {
    let mut files = Vec::new();
    collect(&TEMPLATES, &mut files);
    let mut engine = Tera::default();
    let variables = Delimiters { variable_start: "«".into(), variable_end: "»".into(), ..Delimiters::default() };
    engine.set_delimiters(variables).expect("distinct delimiters");
    engine.autoescape_on(Vec::<&'static str>::new());
    engine.add_raw_templates(files).expect("the templates are tested");
    engine
});

fn collect(directory: &Dir<'static>, files: &mut Vec<(String, String)>) {
    for file in directory.files() {
        let text = file.contents_utf8().expect("templates are UTF-8");
        files.push((file.path().to_string_lossy().replace('\\', "/"), uncomment(text)));
    }
    for directory in directory.dirs() {
        collect(directory, files);
    }
}

/// Turns `#% …` lines into tags that leave no line behind, and the example's names into variables.
fn uncomment(template: &str) -> String {
    let mut text = String::with_capacity(template.len());
    for line in template.lines() {
        match line.trim_start().strip_prefix("#% ") {
            Some(tag) => text.extend(["{% ", tag, " %}"]),
            None => text.extend([line, "\n"]),
        }
    }
    NAMES.iter().fold(text, |text, (example, variable)| text.replace(example, variable))
}

/// Renders a template. The values' types and the templates are both this crate's, so a failure is a bug here.
pub fn render(template: &str, values: &impl Serialize) -> String {
    let context = Context::from_serialize(values).expect("values are plain maps");
    ENGINE.render(template, &context).unwrap_or_else(|error| panic!("template `{template}`: {error:?}"))
}

/// Renders a file that belongs to the tool.
pub fn render_managed(template: &str, values: &impl Serialize) -> String {
    let text = render(template, values);
    let gap = if text.starts_with('#') { "#\n" } else { "" };
    format!("{HEADER}{gap}{text}")
}

/// A scalar as YAML reads it back: plain where that is certain, else quoted.
pub fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c == '/' || c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
        && !matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n");
    if plain { text.to_owned() } else { serde_json::to_string(text).expect("text is JSON") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_leave_no_line() {
        assert_eq!(uncomment("a: 1\n  #% if x\n  b: example-service\n  #% endif\n"), "a: 1\n{% if x %}  b: «name»\n{% endif %}");
    }

    #[test]
    fn scalars() {
        for (text, shown) in [
            ("/livez", "/livez"),
            ("a b", "\"a b\""),
            ("yes", "\"yes\""),
            ("8080", "\"8080\""),
            ("", "\"\""),
            ("/a: b #", "\"/a: b #\""),
        ] {
            assert_eq!(scalar(text), shown);
        }
    }
}
