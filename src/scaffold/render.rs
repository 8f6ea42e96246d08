//! One template to one text.
//!
//! A template is a file of the project it generates, so it must stay readable to its own language's tools:
//!
//! - a tag stands alone on a comment line: `//% if store == "sqlite"` in Rust, `#% …` in TOML, YAML and Dockerfiles,
//!   `--% …` in SQL, `<!--% … -->` in Markdown. The whole line goes, so rendered text has no gaps.
//! - a variable stands in `«` and `»`, and only where a language lets it: inside strings and text.
//! - the service is called `example-service`, in its three forms, and has the ports 8080 and 9090; its workspace is
//!   called `example-workspace`, and `example-namespace` as a DNS label. These are replaced wherever they stand.

use tera::{Context, Delimiters, Tera};

use crate::service::ServiceSpec;

/// Marks at the start of a line that make it a tag, and what ends the line.
const TAG_LINES: &[(&str, &str)] = &[("//%", ""), ("#%", ""), ("--%", ""), ("<!--%", "-->")];

/// Tags as tera sees them: never part of a template's own text.
const BLOCK_START: &str = "\u{1}%";
const BLOCK_END: &str = "%\u{1}";

/// Renders a template for a spec.
///
/// # Panics
/// When the template is broken, which no spec makes it: the tests render all of them.
pub fn render(path: &str, template: &str, spec: &ServiceSpec) -> String {
    let mut tera = Tera::default();
    tera.autoescape_on(Vec::<&str>::new());
    tera.set_delimiters(Delimiters {
        block_start: BLOCK_START.into(),
        block_end: BLOCK_END.into(),
        variable_start: "«".into(),
        variable_end: "»".into(),
        comment_start: "\u{1}#".into(),
        comment_end: "#\u{1}".into(),
    })
    .expect("the delimiters are two bytes long and differ");
    tera.add_raw_template(path, &tag_lines_to_blocks(template)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let text = tera.render(path, &context(spec)).unwrap_or_else(|error| panic!("{path}: {error}"));
    name_service(&text, spec)
}

/// Replaces the example service's name and ports by the spec's.
pub fn name_service(text: &str, spec: &ServiceSpec) -> String {
    // One pass, longest token first, so that a name that holds another token is not replaced twice.
    let replacements = [
        ("example-service", spec.name.to_string()),
        ("example_service", spec.name.crate_name()),
        ("EXAMPLE_SERVICE", spec.name.env_prefix()),
        ("8080", spec.port.to_string()),
        ("9090", spec.admin_port.to_string()),
    ];
    replace_all(text, &replacements)
}

/// Replaces each token in one pass over the text: what was put in is not looked at again.
pub fn replace_all(text: &str, replacements: &[(&str, String)]) -> String {
    let tokens = aho_corasick::AhoCorasick::new(replacements.iter().map(|(token, _)| token))
        .expect("a handful of short tokens is a valid set");
    let texts: Vec<&str> = replacements.iter().map(|(_, replacement)| replacement.as_str()).collect();
    tokens.replace_all(text, &texts)
}

fn context(spec: &ServiceSpec) -> Context {
    let mut context = Context::new();
    context.insert("protocol", spec.protocol.as_str());
    context.insert("store", spec.store.as_str());
    context.insert("discovery", spec.discovery.as_str());
    context.insert("auth", spec.auth.as_str());
    context.insert("public", &spec.public);
    context
}

fn tag_lines_to_blocks(template: &str) -> String {
    template
        .split_inclusive('\n')
        .map(|line| match tag(line) {
            Some(tag) => format!("{BLOCK_START} {tag} {BLOCK_END}"),
            None => line.to_owned(),
        })
        .collect()
}

/// The tag that a line holds, when it is a tag line.
pub fn tag(line: &str) -> Option<&str> {
    let line = line.trim();
    TAG_LINES.iter().find_map(|(start, end)| Some(line.strip_prefix(start)?.strip_suffix(end)?.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_line_leaves_no_gap() {
        let lines = "a\n    //% if store == \"sqlite\"\n    b\n    //% endif\nc\n<!--% if public -->\nd\n<!--% endif -->\n";
        let spec = ServiceSpec {
            name: "orders".parse().unwrap(),
            protocol: crate::service::Protocol::Rest,
            port: 8080,
            admin_port: 9090,
            store: crate::service::Store::Sqlite,
            discovery: crate::service::Discovery::Kubernetes,
            auth: crate::service::Auth::None,
            public: false,
        };
        assert_eq!(render("lines", lines, &spec), "a\n    b\nc\n");
        assert_eq!(render("variable", "\"«store»\" example_service", &spec), "\"sqlite\" orders");
    }

    #[test]
    fn what_was_put_in_is_not_replaced_again() {
        let swap = [("8080", "9090".to_owned()), ("9090", "8080".to_owned())];
        assert_eq!(replace_all("8080 9090", &swap), "9090 8080");
    }
}
