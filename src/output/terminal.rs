//! What the person's terminal can show, and how audited text is kept from controlling it.

/// How to write for people. Colors are `colored`'s own decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Columns to wrap at.
    pub width: usize,
    /// Box drawing, or plain ASCII.
    pub unicode: bool,
}

impl Style {
    /// `unicode`, or `ascii` where the terminal cannot show it.
    pub fn pick<'a>(&self, unicode: &'a str, ascii: &'a str) -> &'a str {
        if self.unicode { unicode } else { ascii }
    }
}

/// What the runners of GitHub, Azure Pipelines and TeamCity take for a command, wherever in a line it stands that a step prints.
pub(super) const COMMANDS: [&str; 3] = ["##[", "##vso[", "##teamcity["];

/// Text of audited files as a terminal may see it: control characters and those that reorder or hide text are replaced, each
/// by a character of as many bytes, so that spans still fit; so is a character of what a CI server would take for a command.
/// Tabs and line breaks stay.
pub fn printable(text: &str) -> String {
    let text: String = text.chars().map(|c| if is_hostile(c) { stand_in(c) } else { c }).collect();
    COMMANDS.iter().fold(text, |text, command| text.replace(command, &command.replacen("##", "#?", 1)))
}

/// The same for one line, which may be the start of a line: line breaks and tabs become blanks, and what is longer than `limit`
/// characters is cut.
pub fn printable_line(text: &str, limit: usize) -> String {
    let line: String = text.chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c }).collect();
    let line = no_command(printable(&line));
    match line.char_indices().nth(limit) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}

/// Breaks at blanks; a word longer than the line keeps a line to itself.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.into_iter().map(no_command).collect()
}

/// `::error::…` at the start of a line is a command to GitHub's runner.
fn no_command(line: String) -> String {
    if line.trim_start().starts_with("::") { line.replacen("::", "?:", 1) } else { line }
}

/// Controls a terminal, or makes it show another text than the file holds.
pub(super) fn is_hostile(c: char) -> bool {
    let reorders =
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}');
    (c.is_control() && !matches!(c, '\n' | '\t')) || reorders
}

fn stand_in(c: char) -> char {
    match c.len_utf8() {
        1 => '?',
        2 => '¿',
        _ => '\u{fffd}',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_cannot_reach_the_terminal() {
        for (text, shown) in [
            ("plain é 日本\n\tx", "plain é 日本\n\tx"),
            ("\u{1b}[31mred\u{7}", "?[31mred?"),
            ("\u{9b}31m", "¿31m"),
            ("a\u{202e}b\u{200b}c\u{feff}", "a\u{fffd}b\u{fffd}c\u{fffd}"),
            ("a\rb", "a?b"),
        ] {
            assert_eq!(printable(text), shown);
            assert_eq!(printable(text).len(), text.len(), "spans must still fit");
        }
        assert_eq!(printable_line("a\n\tb\u{1b}", 9), "a  b?");
        assert_eq!(printable_line("abcdef", 3), "abc…");
    }

    #[test]
    fn hostile_text_cannot_command_a_runner() {
        for (text, shown) in [
            ("a ##[add-mask]b", "a #?[add-mask]b"),
            ("##vso[task.x]##teamcity[x]", "#?vso[task.x]#?teamcity[x]"),
            ("## a [b] # [c]", "## a [b] # [c]"),
            ("\n ::error::x ::y::", "  ?:error::x ::y::"),
            ("a::b", "a::b"),
        ] {
            assert_eq!(printable_line(text, 99), shown);
        }
        assert_eq!(wrap("see ::error::x now", 4), ["see", "?:error::x", "now"]);
    }
}
