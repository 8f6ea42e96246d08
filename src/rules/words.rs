//! Words of names, however people write them.

/// Lower-case words: split at punctuation and where `camelCase` changes.
pub fn words(name: &str) -> Vec<String> {
    parts(name).map(str::to_lowercase).collect()
}

/// Whether a name (`skip_tls_verify`, `Insecure`, `sslmode=require`) has one of these words in it.
pub fn has_word(name: &str, wanted: &[&str]) -> bool {
    parts(name).any(|part| wanted.iter().any(|word| part.eq_ignore_ascii_case(word)))
}

/// The words as they stand.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    let mut rest = name;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
        let mut previous_lower = false;
        let end = rest.find(|c: char| {
            let ends = !c.is_alphanumeric() || c.is_uppercase() && previous_lower;
            previous_lower = c.is_lowercase() || c.is_ascii_digit();
            ends
        });
        let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        Some(part).filter(|part| !part.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_names() {
        for (name, expected) in [
            ("skip_tls_verify", "skip tls verify"),
            ("DangerAcceptInvalid", "danger accept invalid"),
            ("HTTPClient2Go", "httpclient2 go"),
            ("--a..b/ÉtéX", "a b été x"),
            ("", ""),
            ("__", ""),
        ] {
            assert_eq!(words(name).join(" "), expected, "{name}");
        }
        assert!(has_word("sslMode=REQUIRE", &["require"]));
        assert!(!has_word("requirement", &["require"]));
    }
}
