//! Text inside XML 1.0.

use super::terminal::{COMMANDS, is_hostile};

/// `text` as the value of an attribute or the content of an element. Line breaks and tabs are written as references: a
/// parser would make blanks of them in an attribute. What XML 1.0 cannot hold, written in any way, becomes U+FFFD, and so does
/// what controls a terminal; a command to a CI server's runner is none to it any more.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c if is_hostile(c) => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    COMMANDS.iter().fold(escaped, |text, command| text.replace(command, &command.replace('[', "&#91;")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every character there is comes back from a real parser, or as U+FFFD.
    #[test]
    fn all_of_unicode_survives() {
        let all: Vec<char> = (char::MIN..=char::MAX).collect();
        for part in all.chunks(1 << 16) {
            let text: String = part.iter().collect();
            let escaped = escape(&text);
            let document = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a b=\"{escaped}\">{escaped}</a>\n");
            let parsed = roxmltree::Document::parse(&document).unwrap();
            let element = parsed.root_element();
            let expected: String = text
                .chars()
                .map(|c| if is_hostile(c) || ['\u{fffe}', '\u{ffff}'].contains(&c) { '\u{fffd}' } else { c })
                .collect();
            assert_eq!(element.attribute("b"), Some(expected.as_str()));
            assert_eq!(element.text(), Some(expected.as_str()));
        }
    }

    #[test]
    fn nothing_breaks_out() {
        let hostile = "##[error]\"/><x y='&lt;' ]]> <!-- <![CDATA[ &#0; &unknown; --> \r\n";
        let document = format!("<a b=\"{0}\">{0}</a>", escape(hostile));
        let parsed = roxmltree::Document::parse(&document).unwrap();
        assert!(!document.contains("##["));
        let expected = hostile.replace('\r', "\u{fffd}");
        assert_eq!(parsed.root_element().attribute("b"), Some(expected.as_str()));
        assert_eq!(parsed.descendants().filter(roxmltree::Node::is_element).count(), 1);
    }
}
