//! How a manifest on disk differs from the planned one in meaning: comments, quotes and the order of keys say nothing.

use std::collections::BTreeMap;

use crate::workspace::yaml::{self, Node, Value};

/// What writing `planned` over `now` would change, a line each: `orders Deployment: readiness path /ready -> /readyz`.
/// Empty when both say the same. `path` tells the format by its extension.
pub fn changes(path: &str, now: &str, planned: &str) -> Vec<String> {
    if now == planned {
        return Vec::new();
    }
    if path.ends_with(".env") {
        let service = path.rsplit('/').nth(1).unwrap_or_default();
        return variable_changes(&format!("{service} ConfigMap"), &variables(now), &variables(planned));
    }
    let (Ok(now), Ok(planned)) = (yaml::parse(now), yaml::parse(planned)) else {
        return vec![format!("{path}: is no YAML any more")];
    };
    let (now, planned) = (by_label(path, &now), by_label(path, &planned));
    let mut lines = Vec::new();
    for (label, old) in &now {
        match planned.get(label) {
            Some(new) => {
                let mut found = Vec::new();
                compare(&mut Vec::new(), old, new, &mut found);
                lines.extend(found.into_iter().map(|change| format!("{label}: {change}")));
            }
            None => lines.push(format!("{label}: removed")),
        }
    }
    lines.extend(planned.keys().filter(|label| !now.contains_key(*label)).map(|label| format!("{label}: added")));
    lines
}

fn variables(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter(|line| !line.trim_start().starts_with('#')).filter_map(|line| line.split_once('=')).collect()
}

fn variable_changes(label: &str, now: &BTreeMap<&str, &str>, planned: &BTreeMap<&str, &str>) -> Vec<String> {
    let mut names: Vec<_> = now.keys().chain(planned.keys()).collect();
    names.sort();
    names.dedup();
    let line = |name: &&&str| match (now.get(**name), planned.get(**name)) {
        (Some(old), Some(new)) if old == new => None,
        (Some(old), Some(new)) => Some(format!("{label}: {name} {old} -> {new}")),
        (Some(old), None) => Some(format!("{label}: {name} {old} removed")),
        (None, new) => Some(format!("{label}: {name} {} added", new.unwrap_or(&""))),
    };
    names.iter().filter_map(line).collect()
}

/// Documents by what a person calls them: `orders Deployment`, or the directory of a kustomization.
fn by_label<'a>(path: &str, documents: &'a [Node]) -> BTreeMap<String, &'a Node> {
    let label = |node: &Node| {
        let kind = node.get("kind").and_then(Node::as_str).unwrap_or("document");
        match node.at(&["metadata", "name"]).and_then(Node::as_str) {
            Some(name) => format!("{name} {kind}"),
            None => format!("{} {kind}", path.rsplit_once('/').map_or(path, |(directory, _)| directory)),
        }
    };
    documents.iter().filter(|node| !node.entries().is_empty()).map(|node| (label(node), node)).collect()
}

/// Collects the differences between two nodes that stand at the same `path`.
fn compare(path: &mut Vec<String>, old: &Node, new: &Node, lines: &mut Vec<String>) {
    if same(old, new) {
        return;
    }
    match (&old.value, &new.value) {
        (Value::Mapping(old_entries), Value::Mapping(new_entries)) => {
            for (key, old) in old_entries {
                let key = short(key);
                path.push(key.clone());
                match new.get(&key) {
                    Some(new) => compare(path, old, new, lines),
                    None => lines.push(format!("{} {} removed", field(path), short(old))),
                }
                path.pop();
            }
            for (key, new) in new_entries.iter().filter(|(key, _)| old.get(&short(key)).is_none()) {
                path.push(short(key));
                lines.push(format!("{} {} added", field(path), short(new)));
                path.pop();
            }
        }
        (Value::Sequence(old), Value::Sequence(new)) => compare_items(path, old, new, lines),
        _ => lines.push(format!("{} {} -> {}", field(path), short(old), short(new))),
    }
}

/// Items with a name are compared with the item of that name; others are there or not.
fn compare_items(path: &mut Vec<String>, old: &[Node], new: &[Node], lines: &mut Vec<String>) {
    fn name(node: &Node) -> Option<&str> {
        node.get("name").and_then(Node::as_str)
    }
    for item in old.iter().filter(|item| !new.iter().any(|other| same(item, other))) {
        match new.iter().find(|other| name(item).is_some() && name(item) == name(other)) {
            Some(other) => {
                path.push(name(item).unwrap_or_default().to_owned());
                compare(path, item, other, lines);
                path.pop();
            }
            None => lines.push(format!("{} {} removed", field(path), short(item))),
        }
    }
    let known = |item: &Node| old.iter().any(|other| same(item, other) || (name(item).is_some() && name(item) == name(other)));
    lines.extend(new.iter().filter(|item| !known(item)).map(|item| format!("{} {} added", field(path), short(item))));
    if lines.is_empty() && old.len() == new.len() {
        lines.push(format!("{} in another order", field(path)));
    }
}

/// Whether two nodes mean the same. The order of a mapping's keys does not count, that of a sequence's items does.
fn same(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::Scalar { text: left, plain: left_plain }, Value::Scalar { text: right, plain: right_plain }) => {
            left == right && (left_plain == right_plain || !is_typed(left))
        }
        (Value::Sequence(left), Value::Sequence(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Mapping(left), Value::Mapping(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| b.get(&short(key)).is_some_and(|other| same(value, other)))
        }
        _ => false,
    }
}

/// Whether a plain scalar of this text is a number, a boolean or null, which quotes would turn into text.
fn is_typed(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "" | "~" | "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n")
        || text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
}

/// A path as a person says it: what every pod has is left out, and probes have names.
fn field(path: &[String]) -> String {
    let below = |prefix: &[&str]| path.strip_prefix(prefix.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>().as_slice());
    let rest = match below(&["spec", "template", "spec", "containers"]) {
        Some([_container, rest @ ..]) if !rest.is_empty() => rest,
        _ => below(&["spec", "template", "spec"]).or(below(&["spec"])).filter(|rest| !rest.is_empty()).unwrap_or(path),
    };
    match rest {
        [probe, rest @ ..] if probe.ends_with("Probe") => {
            let rest: Vec<_> = rest.iter().filter(|part| *part != "httpGet").map(String::as_str).collect();
            format!("{} {}", probe.trim_end_matches("Probe"), rest.join(".")).trim_end().to_owned()
        }
        rest => rest.join("."),
    }
}

/// A node on one line, cut where it gets long.
fn short(node: &Node) -> String {
    const LONGEST: usize = 100;
    fn write(node: &Node, text: &mut String) {
        if text.len() > LONGEST {
            return;
        }
        match &node.value {
            Value::Scalar { text: scalar, .. } => text.push_str(scalar),
            Value::Sequence(items) => {
                text.push('[');
                for (index, item) in items.iter().enumerate() {
                    text.push_str(if index == 0 { "" } else { ", " });
                    write(item, text);
                }
                text.push(']');
            }
            Value::Mapping(entries) => {
                text.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    text.push_str(if index == 0 { "" } else { ", " });
                    write(key, text);
                    text.push_str(": ");
                    write(value, text);
                }
                text.push('}');
            }
        }
    }
    let mut text = String::new();
    write(node, &mut text);
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) if !matches!(node.value, Value::Scalar { .. }) => format!("{}…", &text[..at]),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml_changes(now: &str, planned: &str) -> Vec<String> {
        changes("base/orders/deployment.yaml", now, planned)
    }

    const DEPLOYMENT: &str = "kind: Deployment\nmetadata: {name: orders}\nspec:\n  template:\n    spec:\n      containers:\n        \
        - name: orders\n          readinessProbe: {httpGet: {path: /ready, port: http}}\n          ports: [{name: http, containerPort: 8080}]\n";

    #[test]
    fn changes_are_said_in_the_words_of_the_manifest() {
        for (from, to, expected) in [
            ("path: /ready", "path: /readyz", "readiness path /ready -> /readyz"),
            ("8080", "8081", "ports.http.containerPort 8080 -> 8081"),
            ("8080", "'8080'", "ports.http.containerPort 8080 -> 8080"),
            (", port: http", "", "readiness port http removed"),
            ("port: http", "port: http, scheme: HTTPS", "readiness scheme HTTPS added"),
            ("containerPort: 8080}", "containerPort: 8080}, {name: admin}", "ports {name: admin} added"),
            ("spec:\n  template", "spec:\n  replicas: 3\n  template", "replicas 3 added"),
        ] {
            assert_eq!(yaml_changes(DEPLOYMENT, &DEPLOYMENT.replacen(from, to, 1)), [format!("orders Deployment: {expected}")]);
        }
        assert_eq!(
            yaml_changes(DEPLOYMENT, "kind: Service\nmetadata: {name: a}\n"),
            ["orders Deployment: removed", "a Service: added"]
        );
        assert_eq!(yaml_changes("kind: [\n", DEPLOYMENT), ["base/orders/deployment.yaml: is no YAML any more"]);
    }

    #[test]
    fn layout_and_comments_say_nothing() {
        let other = "# mine\nmetadata:\n    name: 'orders'\nkind: \"Deployment\"\n";
        assert_eq!(yaml_changes("kind: Deployment\nmetadata: {name: orders}\n", other), [""; 0]);
        assert_eq!(changes("base/a/config.env", "# x\nA=1\n", "A=1\n"), [""; 0]);
    }

    #[test]
    fn order_counts_where_kubernetes_minds_it() {
        let list = |items| format!("kind: Kustomization\nresources: [{items}]\n");
        assert_eq!(
            changes("base/kustomization.yaml", &list("a, b"), &list("b, a")),
            ["base Kustomization: resources in another order"]
        );
        assert_eq!(changes("base/kustomization.yaml", &list("a"), &list("a, b")), ["base Kustomization: resources b added"]);
    }

    #[test]
    fn variables_are_compared_by_name() {
        let found = changes("base/orders/config.env", "A=1\nB=2\n", "B=3\nC=\n");
        assert_eq!(found, ["orders ConfigMap: A 1 removed", "orders ConfigMap: B 2 -> 3", "orders ConfigMap: C  added"]);
    }
}
