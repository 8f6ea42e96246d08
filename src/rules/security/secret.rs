//! What a secret looks like: by the formats of those who issue them, by the name it is given, by its randomness.
//!
//! Everything here leans to "no": a placeholder taken for a secret teaches people to ignore the rule.

use crate::rules::words::words;

/// A format that an issuer documents: nothing else looks like it.
struct Format {
    issuer: &'static str,
    prefix: &'static str,
    /// Characters after the prefix.
    alphabet: fn(char) -> bool,
    length: std::ops::RangeInclusive<usize>,
}

const fn format(
    issuer: &'static str,
    prefix: &'static str,
    alphabet: fn(char) -> bool,
    length: std::ops::RangeInclusive<usize>,
) -> Format {
    Format { issuer, prefix, alphabet, length }
}

fn alphanumeric(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

fn upper_alphanumeric(c: char) -> bool {
    c.is_ascii_uppercase() || c.is_ascii_digit()
}

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

fn hex(c: char) -> bool {
    c.is_ascii_hexdigit()
}

/// Each as its issuer's documentation and secret scanning describe it.
const FORMATS: &[Format] = &[
    format("AWS access key", "AKIA", upper_alphanumeric, 16..=16),
    format("GitHub token", "ghp_", alphanumeric, 36..=36),
    format("GitHub token", "gho_", alphanumeric, 36..=36),
    format("GitHub token", "ghs_", alphanumeric, 36..=36),
    format("GitHub token", "github_pat_", word, 82..=82),
    format("GitLab token", "glpat-", word, 20..=64),
    format("Slack token", "xoxb-", word, 24..=128),
    format("Slack token", "xoxp-", word, 24..=128),
    format("Stripe live key", "sk_live_", alphanumeric, 24..=128),
    format("Stripe live key", "rk_live_", alphanumeric, 24..=128),
    format("Google API key", "AIza", word, 35..=35),
    format("npm token", "npm_", alphanumeric, 36..=36),
    format("PyPI token", "pypi-AgEIcHlwaS5vcmc", word, 50..=400),
    format("Anthropic API key", "sk-ant-", word, 80..=128),
    format("OpenAI API key", "sk-proj-", word, 40..=200),
    format("Hugging Face token", "hf_", alphanumeric, 34..=34),
    format("DigitalOcean token", "dop_v1_", hex, 64..=64),
    format("Shopify token", "shpat_", hex, 32..=32),
];

/// Who issued the token that stands somewhere in `text`.
pub fn issuer(text: &str) -> Option<&'static str> {
    if is_private_key(text) {
        return Some("private key");
    }
    FORMATS
        .iter()
        .filter(|format| text.len() >= format.prefix.len() + format.length.start())
        .find(|format| text.match_indices(format.prefix).any(|(at, _)| format.fits(text, at)))
        .map(|format| format.issuer)
}

impl Format {
    fn fits(&self, text: &str, at: usize) -> bool {
        let apart = !text[..at].ends_with(word);
        let rest = &text[at + self.prefix.len()..];
        let end = rest.find(|c| !(self.alphabet)(c)).unwrap_or(rest.len());
        let token = &rest[..end];
        let ends = !rest[end..].starts_with(word);
        apart && ends && self.length.contains(&token.len()) && entropy(token) >= 3.0 && !is_placeholder(token)
    }
}

/// PEM with a body, not just its first line in a parser's source.
fn is_private_key(text: &str) -> bool {
    let Some((before, body)) = text.split_once("PRIVATE KEY-----") else { return false };
    let body: String = body.replace("\\n", "\n").split("-----").next().unwrap_or_default().split_whitespace().collect();
    before.contains("-----BEGIN ")
        && body.len() >= 64
        && body.chars().all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c))
        && entropy(&body) >= 4.0
}

/// Last words of names that hold secrets.
const SECRET_WORDS: &[&str] =
    &["password", "passwd", "pwd", "passphrase", "secret", "token", "apikey", "credential", "credentials"];
/// Words before `key` that make it one.
const SECRET_KEYS: &[&str] = &[
    "api",
    "secret",
    "private",
    "signing",
    "encryption",
    "crypto",
    "master",
    "jwt",
    "auth",
    "hmac",
    "access",
    "account",
    "session",
    "cookie",
];

/// Words that make it no secret, wherever they stand: what has been hashed or encrypted, what is made for everybody to see.
/// Front-end builds put `VITE_…` and its kin into what browsers load.
const NO_SECRET_WORDS: &[&str] =
    &["encrypted", "hashed", "hash", "sealed", "masked", "redacted", "obfuscated", "known", "public", "vite", "expo", "gatsby"];

/// Words before `token` that make it a place in a list, a lock, a state.
const NO_SECRET_TOKENS: &[&str] = &[
    "page",
    "next",
    "continuation",
    "cursor",
    "lock",
    "sync",
    "state",
    "resume",
    "cancel",
    "cancellation",
    "fencing",
    "shutdown",
];

/// Words in the name of what only looks like a secret, whatever its value looks like.
const FOR_SHOW: &[&str] = &["test", "tests", "testing", "example", "sample", "dummy", "fake", "mock", "fixture", "demo"];

/// Whether it is made for a test or to be looked at, by its name.
pub fn is_for_show(name: &str) -> bool {
    words(name).iter().any(|word| FOR_SHOW.contains(&word.as_str()))
}

/// Whether what stands under `name` (`auth.jwt_secret`, `STRIPE_API_KEY`, `clientSecret`) is meant to be secret.
pub fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    let Some((last, before)) = words.split_last() else { return false };
    if is_for_show(name) || words.iter().any(|word| NO_SECRET_WORDS.contains(&word.as_str())) || name.starts_with("REACT_APP_") {
        return false;
    }
    let previous = before.last().map(String::as_str);
    match last.as_str() {
        "key" => previous.is_some_and(|previous| SECRET_KEYS.contains(&previous)),
        // `next_page_token`, `max_tokens`, `csrf_token_cookie` are none; the last two do not end in it.
        "token" => !previous.is_some_and(|previous| NO_SECRET_TOKENS.contains(&previous)),
        last => SECRET_WORDS.contains(&last),
    }
}

/// Whether such a name says it by itself, whatever the type: a `token` may be one of a parser, a `client_secret` may not.
pub fn has_secret_key(name: &str) -> bool {
    let words = words(name);
    let last = words.last().map_or("", String::as_str);
    let before = words.len().checked_sub(2).map_or("", |at| words[at].as_str());
    match last {
        "password" | "passwd" | "pwd" | "passphrase" => true,
        "token" => matches!(before, "access" | "refresh" | "auth" | "bearer" | "jwt" | "api" | "session" | "id"),
        "secret" => matches!(before, "client" | "jwt" | "api" | "shared" | "hmac" | "app"),
        _ => false,
    }
}

/// Parts of values that stand for a secret and are none.
const PLACEHOLDERS: &[&str] = &[
    "change",
    "example",
    "sample",
    "placeholder",
    "dummy",
    "fake",
    "test",
    "local",
    "demo",
    "your",
    "secret",
    "passw",
    "default",
    "todo",
    "xxx",
    "replace",
    "insert",
    "here",
    "admin",
    "root",
    "postgres",
    "mysql",
    "guest",
    "token",
    "none",
    "null",
    "redacted",
    "hidden",
    "please",
    "never",
    "unsafe",
    "insecure",
    "development",
    "production",
    "staging",
    "0000",
    "1234",
    "abcd",
    "qwert",
    "aaaa",
    "deadbeef",
    "cafebabe",
    "foobar",
    "lorem",
    "string",
    "value",
    "helloworld",
    "super",
    "random",
];

/// Whether a person wrote it to be replaced.
fn is_placeholder(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    // `s3cr3t`, `p@ssw0rd`.
    let plain = |c| match c {
        '0' => 'o',
        '1' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        c => c,
    };
    let plain: String = lower.chars().map(plain).collect();
    PLACEHOLDERS.iter().any(|word| lower.contains(word) || plain.contains(word))
}

/// Whether a value can only have been made by a random generator.
pub fn looks_random(value: &str) -> bool {
    let value = value.trim();
    let is_text = value.contains(char::is_whitespace) || value.starts_with(['/', '.', '~']) || value.contains("://");
    let is_template =
        value.contains(['<', '>', '{', '}', '%', '*']) || value.contains("$(") || value.contains("...") || value.starts_with('$');
    if !(12..=1024).contains(&value.len()) || !value.is_ascii() || is_text || is_template || is_placeholder(value) {
        return false;
    }
    // The address of an account or a contract on Ethereum and its kin: 20 bytes.
    if value.strip_prefix("0x").is_some_and(|digits| digits.len() == 40 && digits.chars().all(hex)) {
        return false;
    }
    if is_uuid(value) {
        return entropy(value) >= 3.0;
    }
    let runs = value.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/')));
    let longest = runs.max_by_key(|run| run.len()).unwrap_or_default();
    let only_hex = longest.chars().all(hex);
    let changes = longest.as_bytes().windows(2).filter(|pair| class(pair[0]) != class(pair[1])).count();
    // Words are runs of small letters; generated text has few, and short ones.
    let in_words: usize = longest.split(|c: char| !c.is_ascii_lowercase()).map(str::len).filter(|length| *length >= 4).sum();
    let mixed = longest.contains(|c: char| c.is_ascii_digit()) && longest.contains(|c: char| c.is_ascii_alphabetic());
    longest.len() >= if only_hex { 24 } else { 12 }
        && mixed
        && changes >= 4
        && in_words * 2 <= longest.len()
        && entropy(longest) >= 3.0
}

fn class(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    }
}

fn is_uuid(value: &str) -> bool {
    let lengths: Vec<usize> = value.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && value.chars().all(|c| hex(c) || c == '-')
}

/// Whether a `token` of that value is one of a blockchain, known by the address of its contract: hex after `0x`, 32 bytes in
/// base58, a denomination after `ibc/`. Of opaque tokens, one in fifty has no sign that base58 leaves out.
pub fn is_contract(name: &str, value: &str) -> bool {
    let is_base58 = |c: char| c.is_ascii_alphanumeric() && !matches!(c, '0' | 'O' | 'I' | 'l');
    name.rsplit('.').next() == Some("token")
        && (value.strip_prefix("0x").is_some_and(|digits| digits.chars().all(hex))
            || value.starts_with("ibc/")
            || (32..=44).contains(&value.len()) && value.chars().all(is_base58))
}

/// Shannon entropy in bits a character.
fn entropy(text: &str) -> f64 {
    let mut counts = [0u32; 256];
    text.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    let length = text.len() as f64;
    let share = |count: &u32| f64::from(*count) / length;
    counts.iter().filter(|count| **count > 0).map(share).map(|share| -share * share.log2()).sum()
}

/// Password and host of `scheme://user:password@host/…`, where the host is another machine.
pub fn url_password(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, host) = authority.rsplit_once('@')?;
    let (_, password) = user.split_once(':')?;
    let local = ["localhost", "127.", "[::1]", "0.0.0.0", "host.docker.internal"].iter().any(|local| host.starts_with(local));
    let host = host.split([':', ',']).next().unwrap_or(host);
    (!local).then_some((password, host))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Put together here, so that no scanner of secrets takes this file for a leak.
    fn token(prefix: &str, length: usize) -> String {
        let letters = "kR7vQ2mXz9LpT4wN8sBd6HyJ3cFg5KuVqWeZ1tYhGnMbPxAaSf";
        prefix.to_owned() + &letters.repeat(4)[..length]
    }

    #[test]
    fn issuers() {
        for (text, expected) in [
            (token("ghp_", 36), Some("GitHub token")),
            (format!("Bearer {}\n", token("glpat-", 20)), Some("GitLab token")),
            (token("sk_live_", 24), Some("Stripe live key")),
            (token("AIza", 35), Some("Google API key")),
            (format!("-----BEGIN {} KEY-----\n{}\n-----END", "RSA PRIVATE", token("", 90)), Some("private key")),
            (token("sk_test_", 24), None),
            (token("ghp_", 12), None),
            (token("xghp_", 36), None),
            (format!("AKIA{}", "IOSFODNN7EXAMPLE"), None),
            (format!("ghp_{}", "x".repeat(36)), None),
            (format!("-----BEGIN {} KEY-----", "PRIVATE"), None),
        ] {
            assert_eq!(issuer(&text), expected, "{text}");
        }
    }

    #[test]
    fn names() {
        for yes in [
            "password",
            "DB_PASSWORD",
            "auth.jwt_secret",
            "clientSecret",
            "STRIPE_API_KEY",
            "aws_secret_access_key",
            "GITHUB_TOKEN",
            "jwt.key",
        ] {
            assert!(is_secret_name(yes), "{yes}");
        }
        for no in [
            "password_file",
            "secret_name",
            "token_ttl",
            "max_tokens",
            "public_key",
            "key",
            "primary_key",
            "next_page_token",
            "token_url",
            "auth.issuer",
            "secretKeyRef",
            "password_hash",
            "keyboard",
            "",
        ] {
            assert!(!is_secret_name(no), "{no}");
        }
    }

    #[test]
    fn randomness() {
        let generated =
            ["kR7vQ2mXz9LpT4wN", "9f86d081884c7d659a2feaa0c55ad015", "Zm9v+YmFyMTk5OQ/x8Kq2Wv7", "xk2P-9vQmZ7rT4wLs8B"];
        for yes in generated.into_iter().chain(["0f8fad5b-d9cb-469f-a165-70867728950e"]) {
            assert!(looks_random(yes), "{yes}");
        }
        for no in [
            "postgres",
            "changeme123456",
            "your-api-key-here-1a2B3c",
            "my-super-secret-key-1234",
            "correct-horse-battery-staple",
            "${DB_PASSWORD}",
            "{{ .Values.secret }}",
            "<generated-Ab1Cd2>",
            "/run/secrets/db_password",
            "https://auth.example.com/a1B2c3D4e5",
            "ordersService2024Release1",
            "S3cr3tP4ssw0rd!99",
            "0000000000000000000000000000",
            "00000000-0000-0000-0000-000000000000",
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            "short1A",
            "xxxxxxxx1A2b3C4d5E",
            "the quick brown fox 1A2b",
            "arn:aws:iam::role",
            "2024-01-01T00:00:00Z",
            "orders-db-credentials-v2",
        ] {
            assert!(!looks_random(no), "{no}");
        }
    }

    #[test]
    fn urls() {
        for (url, expected) in [
            ("postgres://shop:kR7vQ2mX@db.internal:5432/shop", Some(("kR7vQ2mX", "db.internal"))),
            ("postgres://postgres:postgres@localhost/shop", None),
            ("postgres://shop@db/shop", None),
            ("https://example.com/a:b@c", None),
        ] {
            assert_eq!(url_password(url), expected, "{url}");
        }
    }
}
