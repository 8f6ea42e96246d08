//! Extends the `include:` list of a compose file.

/// `text` with one more entry in its top-level `include:` list, in the list's own style; every other byte is kept.
/// Unchanged when the entry is there. `None` when there is no such list in block style.
pub fn with_include(text: &str, path: &str) -> Option<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let head = lines.iter().position(|line| line.split('#').next().unwrap_or_default().trim_end() == "include:")?;
    let inside = |line: &&&str| line.trim().is_empty() || line.starts_with([' ', '\t', '-', '#']);
    let below: Vec<&&str> = lines[head + 1..].iter().take_while(inside).collect();
    let is_content = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    if below.iter().any(|line| entry(line) == Some(path)) {
        return Some(text.to_owned());
    }
    let last = below.iter().rposition(|line| is_content(line))?;
    let first = below.iter().find(|line| is_content(line))?;
    let indent = &first[..first.find('-')?];
    if !indent.trim().is_empty() {
        return None;
    }
    let newline = if lines[head].ends_with("\r\n") { "\r\n" } else { "\n" };
    let mut result = String::new();
    for (number, line) in lines.iter().enumerate() {
        result.push_str(line);
        if number == head + 1 + last {
            if !line.ends_with('\n') {
                result.push_str(newline);
            }
            result.push_str(&format!("{indent}- {path}{newline}"));
        }
    }
    Some(result)
}

/// The path that a line of the list names: `- a`, `- "a"` or `- path: a`.
fn entry(line: &str) -> Option<&str> {
    let value = line.trim_start().strip_prefix('-')?.split(" #").next()?.trim();
    let value = value.strip_prefix("path:").unwrap_or(value).trim();
    Some(value.trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_added_in_the_style_of_the_list() {
        for (before, after) in [
            ("include:\n  - a/compose.yaml\n", "include:\n  - a/compose.yaml\n  - b\n"),
            ("include:\n- a\nservices: {}\n", "include:\n- a\n- b\nservices: {}\n"),
            (
                "# top\ninclude: # all\n  - path: a\n    env_file: x\n\n  # more\n\nservices:\n",
                "# top\ninclude: # all\n  - path: a\n    env_file: x\n  - b\n\n  # more\n\nservices:\n",
            ),
            ("include:\r\n  - a\r\n", "include:\r\n  - a\r\n  - b\r\n"),
            ("include:\n  - a", "include:\n  - a\n  - b\n"),
            ("include:\n  - 'b' # there\n", "include:\n  - 'b' # there\n"),
        ] {
            assert_eq!(with_include(before, "b").as_deref(), Some(after), "{before}");
        }
        for other in ["services: {}\n", "include: [a]\n", "include:\n", "x:\n  include:\n    - a\n", ""] {
            assert_eq!(with_include(other, "b"), None, "{other}");
        }
    }
}
