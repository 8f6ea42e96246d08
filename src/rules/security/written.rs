//! Every named value that is written somewhere in the tree, whatever the kind of file.

use crate::workspace::compose::Compose;
use crate::workspace::query::Node as RustNode;
use crate::workspace::rust::ExprKind;
use crate::workspace::variables::Variable;
use crate::workspace::yaml::Node;
use crate::workspace::{FileId, Location, Span, Workspace};

/// A value, its name where it has one, and what its place says about it.
#[derive(Clone, Copy)]
pub struct Written<'a> {
    pub name: &'a str,
    pub value: &'a str,
    pub at: Location,
    /// A Kubernetes Secret: the name need not say so.
    pub in_secret: bool,
    /// The compose file that it stands in.
    pub compose: Option<&'a Compose>,
}

/// Where values are handed to.
pub type Judge<'j> = dyn FnMut(Written) + 'j;

/// Hands every value but those of Rust code to `judge`.
pub fn in_documents(workspace: &Workspace, judge: &mut Judge) {
    for settings in &workspace.settings {
        for entry in &settings.entries {
            judge(written(&entry.key, &entry.value, settings.file, entry.span));
        }
    }
    for (index, compose) in workspace.compose.iter().enumerate() {
        for (entry_index, entry) in compose.services.iter().enumerate() {
            let is_ours = workspace.services.iter().any(|service| service.documents.compose.contains(&(index, entry_index)));
            // The password that a database's own container is started with guards nothing but that container.
            for variable in entry.environment.iter().filter(|_| is_ours || entry.build.is_some()) {
                judge(Written { compose: Some(compose), ..of_variable(variable, compose.file) });
            }
        }
    }
    for dockerfile in &workspace.dockerfiles {
        let in_stages = dockerfile.stages.iter().flat_map(|stage| stage.arguments.iter().chain(&stage.environment));
        in_stages.chain(&dockerfile.arguments).for_each(|variable| judge(of_variable(variable, dockerfile.file)));
    }
    for object in &workspace.kubernetes {
        let containers = object.pod.iter().flat_map(|pod| pod.init_containers.iter().chain(&pod.containers));
        let variables = containers.flat_map(|container| &container.environment);
        variables.for_each(|variable| judge(of_variable(variable, object.file)));

        let entries = |key: &str| object.node.get(key).map(Node::entries).unwrap_or_default();
        let in_secret = object.kind.value == "Secret";
        let holds = |key: &str| in_secret || (key == "data" && object.kind.value == "ConfigMap");
        for key in ["stringData", "data"].into_iter().filter(|key| holds(key)) {
            for (name, value) in entries(key) {
                let text = value.as_str().unwrap_or_default();
                let decoded = if in_secret && key == "data" { from_base64(text) } else { None };
                let text = decoded.as_deref().unwrap_or(text);
                judge(Written { in_secret, ..written(name.as_str().unwrap_or_default(), text, object.file, value.span) });
            }
        }
    }
}

/// Hands the string literals of code that ships to `judge`, those that `worth` says yes to: few are worth asking for a name.
pub fn in_code(workspace: &Workspace, worth: impl Fn(&str) -> bool, judge: &mut Judge) {
    for node in workspace.texts(|text| worth(plain(text))).filter(|node| !is_for_show(*node)) {
        let at = node.at();
        let text = node.text().unwrap_or_default();
        let value = plain(text);
        let name = if value.len() < text.len() { "token".to_owned() } else { name_of(node) };
        judge(written(&name, value, at.file, at.span));
    }
}

/// Without what stands before a token that signs a request in: `"Bearer …"`.
fn plain(text: &str) -> &str {
    text.strip_prefix("Bearer ").unwrap_or(text)
}

fn written<'a>(name: &'a str, value: &'a str, file: FileId, span: Span) -> Written<'a> {
    Written { name, value, at: Location::new(file, span), in_secret: false, compose: None }
}

fn of_variable(variable: &Variable, file: FileId) -> Written<'_> {
    written(&variable.name, variable.value.as_deref().unwrap_or_default(), file, variable.span)
}

/// Inside a function that makes examples or what tests need.
fn is_for_show(node: RustNode) -> bool {
    let function = node.function().map(|function| &node.workspace.function(function).name);
    function.is_some_and(|name| super::secret::is_for_show(name))
}

/// The name that code gives a literal: of the constant, variable or field it is the whole value of.
fn name_of(node: RustNode) -> String {
    let facts = node.facts();
    if let Some(constant) = facts.constants.iter().find(|constant| constant.value == Some(node.id)) {
        return constant.name.to_string();
    }
    let Some(parent) = node.parent() else { return String::new() };
    let last_name = |node: RustNode| match node.kind() {
        ExprKind::Path(path) => path.last().map(ToString::to_string),
        ExprKind::Field { name, .. } => Some(name.to_string()),
        _ => None,
    };
    match parent.kind() {
        ExprKind::Let { names, .. } if names.len() == 1 => names[0].to_string(),
        ExprKind::Struct { fields, .. } => {
            fields.iter().find(|(_, value)| *value == node.id).map(|(name, _)| name.to_string()).unwrap_or_default()
        }
        ExprKind::Assign { left, right } if *right == node.id => last_name(node.with(*left)).unwrap_or_default(),
        // `"…".to_owned()`, `String::from("…")`, `SecretString::new("…")`: the same value in another type.
        ExprKind::Method { receiver, arguments, .. } if *receiver == node.id && arguments.is_empty() => name_of(parent),
        ExprKind::Call { callee, arguments } if arguments.len() == 1 => match last_name(node.with(*callee)).as_deref() {
            Some("from" | "new" | "Some") => name_of(parent),
            _ => String::new(),
        },
        // reqwest's: `basic_auth(user, Some(password))`, `bearer_auth(token)`.
        ExprKind::Method { name, arguments, .. } if arguments.last() == Some(&node.id) => match &**name {
            "basic_auth" => "password".to_owned(),
            "bearer_auth" => "token".to_owned(),
            _ => String::new(),
        },
        _ => String::new(),
    }
}

/// The text that base64 stands for; `None` where it is none, or no text.
fn from_base64(text: &str) -> Option<String> {
    let mut bits = 0u32;
    let mut held = 0;
    let mut bytes = Vec::new();
    for c in text.bytes().filter(|c| !c.is_ascii_whitespace() && *c != b'=') {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64() {
        for (text, expected) in
            [("cG9zdGdyZXM=", Some("postgres")), ("YQ==", Some("a")), ("", Some("")), ("_", None), ("//79", None)]
        {
            assert_eq!(from_base64(text).as_deref(), expected, "{text}");
        }
    }
}
