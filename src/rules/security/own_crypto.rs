use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::workspace::Workspace;
use crate::workspace::names::{Definition, FunctionRef};
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, Outline};

crate::declare_rule! {
    /// A password is kept by a fast hash.
    ///
    /// ## Why is this bad?
    /// MD5, SHA-1, SHA-2 and SHA-3 are made to be fast: whoever gets the table tries billions of passwords a second, and finds most of
    /// them. Functions for passwords are slow on purpose, need memory, and bring their salt.
    ///
    /// ## Example
    /// ```rust
    /// let stored = hex::encode(sha2::Sha256::digest(password.as_bytes()));
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let salt = SaltString::generate(&mut OsRng);
    /// let stored = argon2::Argon2::default().hash_password(password.as_bytes(), &salt)?.to_string();
    /// ```
    ///
    /// ## Not reported when
    /// - what is hashed is not called a password: a random token needs no slow hash, and a checksum is no secret;
    /// - the function asks whether a password is known to have leaked (`pwned`, `hibp`, `breach`), or talks to a database that demands the
    ///   hash (`md5` authentication, `scram`, `mysql_native`);
    /// - the hash is a step of a slow one: PBKDF2, scrypt, bcrypt, argon2 in the same function;
    /// - no service runs it.
    ///
    /// ## Source
    /// [OWASP: Password Storage](https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html);
    /// [CWE-916](https://cwe.mitre.org/data/definitions/916.html); md5 0.7 and RustCrypto `Digest` (`digest`, `update`, `chain_update`).
    "own-crypto", "MSVC712", Practice::Security, Level::Warn, Tier::Pedantic, Check::Workspace(check)
}

/// Crates of fast hashes.
const CRATES: &[&str] = &["md5", "md_5", "sha1", "sha1_smol", "sha2", "sha3", "blake2", "blake3", "crc32fast", "ring", "openssl"];
/// Functions and methods that take what is hashed.
const HASHES: &[&str] =
    &["compute", "digest", "hash", "update", "chain_update", "input", "sha1", "sha256", "sha512", "md5", "digest_from"];
/// Words in the names of functions that hash for another reason, or slowly.
const REASONS: &[&str] = &[
    "pwned",
    "hibp",
    "breach",
    "leak",
    "md5_auth",
    "scram",
    "native",
    "pbkdf2",
    "scrypt",
    "bcrypt",
    "argon2",
    "cache",
    "fingerprint",
];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let says_password = |function: FunctionRef, outline: &Outline| {
        let parameters = workspace.function(function).parameters.iter().filter_map(|parameter| parameter.name.as_ref());
        let said = outline.paths.iter().flatten().chain(&outline.names).chain(parameters);
        said.into_iter().any(|name| names_password(name))
    };
    for call in HASHES.iter().flat_map(|name| workspace.named_if(name, says_password)) {
        let Some(password) = call.arguments().find_map(password) else { continue };
        let Some(hash) = hash(call).filter(|_| !has_reason(call)) else { continue };
        let Some(service) = workspace.run_by(call) else { continue };
        out.push(
            Diagnostic::new(format!("a password is hashed by {hash}, which is made to be fast"), call.name_at(), "a fast hash")
                .help("use `argon2` (or bcrypt, scrypt), which is slow on purpose and brings its salt")
                .related(password.at(), "the password")
                .evidence("a slow function in the same function, a check for leaked passwords, a database that demands the hash")
                .confidence(Confidence::Medium)
                .service(&service.name),
        );
    }
}

/// The part of an argument that is a password by its name.
fn password(argument: Node<'_>) -> Option<Node<'_>> {
    argument.descendants().find(|node| {
        let name = match node.kind() {
            ExprKind::Path(path) if path.len() == 1 => &*path[0],
            ExprKind::Field { name, .. } => name,
            // `format!("{salt}{password}")`
            ExprKind::Literal(_) => return node.text().is_some_and(|text| text.contains("{password}")),
            _ => return false,
        };
        names_password(name)
    })
}

fn names_password(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(name.as_str(), "password" | "passwd" | "pwd" | "passphrase") || name.ends_with("_password")
}

/// The fast hash that a call belongs to, by the crate it comes from.
fn hash(call: Node<'_>) -> Option<String> {
    let of = |definition: Definition| match definition {
        Definition::External(path) => {
            let krate = path.split("::").next().unwrap_or_default();
            let is_slow = path.contains("hmac") || path.contains("pbkdf2") || path.contains("rand");
            let name =
                path.split("::").find(|part| part.starts_with(|c: char| c.is_ascii_uppercase())).unwrap_or(krate).to_owned();
            (CRATES.contains(&krate) && !is_slow).then(|| format!("`{name}`"))
        }
        _ => None,
    };
    match call.kind() {
        ExprKind::Call { .. } => of(call.definition()),
        ExprKind::Method { .. } => {
            let receiver = call.receiver()?;
            let made = receiver.binding().unwrap_or(receiver);
            made.receivers().find_map(|node| of(node.definition())).or_else(|| of(receiver.ty()))
        }
        _ => None,
    }
}

fn has_reason(call: Node<'_>) -> bool {
    let Some(function) = call.function() else { return false };
    let says = |name: &str| REASONS.iter().any(|word| name.to_ascii_lowercase().contains(word));
    let item = call.workspace.function(function);
    let named = item.owner.iter().flat_map(|owner| owner.iter()).any(|name| says(name)) || says(&item.name);
    let body = call.workspace.body(function);
    named || body.is_some_and(|body| body.descendants().filter_map(Node::path).flatten().any(|name| says(name)))
}
