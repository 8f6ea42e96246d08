use crate::lint::{Check, Confidence, Diagnostic, Fix, Level, Practice, Tier};
use crate::rules::chosen::is_chosen;
use crate::rules::words::has_word;
use crate::workspace::Workspace;
use crate::workspace::names::Definition;
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, Literal};

crate::declare_rule! {
    /// A client accepts any TLS certificate.
    ///
    /// ## Why is this bad?
    /// The connection is encrypted, but to whom is not known: whoever can answer in the place of the server (a taken-over DNS name, a
    /// pod in the same network, a proxy) reads and changes every request, credentials included.
    ///
    /// ## Example
    /// ```rust
    /// let client = reqwest::Client::builder().danger_accept_invalid_certs(true).build()?;
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let authority = reqwest::Certificate::from_pem(&std::fs::read(&config.ca_file)?)?;
    /// let client = reqwest::Client::builder().add_root_certificate(authority).build()?;
    /// ```
    /// A certificate that a private authority or the server itself has signed is a root certificate for this client alone.
    ///
    /// ## Not reported when
    /// - a setting decides it: the value is no literal, or a condition around the call, around all calls of its function, or a guard
    ///   that returns before it asks for such a setting, for an environment variable, for `cfg!(…)` or a `#[cfg(…)]`;
    /// - it is bound to a name that says so (`let insecure = …`), as one of several to choose from;
    /// - a verifier of your own for rustls calls or compares anything: it may check a pinned certificate;
    /// - it is a server that asks for no client certificate (`SslAcceptor` with `SslVerifyMode::NONE`);
    /// - no service runs it: tools, subcommands, tests, examples.
    ///
    /// ## Source
    /// reqwest 0.12 and 0.13 `async_impl/client.rs` (`danger_accept_invalid_certs`, in 0.13 `tls_danger_accept_invalid_certs`);
    /// native-tls 0.2 `TlsConnectorBuilder`; openssl 0.10 `SslConnector`; rustls 0.20 to 0.23 `DangerousClientConfig`; mysql_async 0.36
    /// `SslOpts`; lettre 0.11 `TlsParametersBuilder`; ureq 3 `TlsConfigBuilder`; mongodb 2 and 3 `TlsOptions`;
    /// elasticsearch 7 and 8 `CertificateValidation`; tiberius 0.12 `Config::trust_cert`. [CWE-295](https://cwe.mitre.org/data/definitions/295.html).
    "tls-verification-off", "MSVC701", Practice::Security, Level::Deny, Tier::Default, Check::Workspace(check)
}

/// Methods that switch the verification off when they are given `true`; no crate names anything else so.
const ACCEPT: &[&str] = &[
    // reqwest, native-tls, async-native-tls.
    "danger_accept_invalid_certs",
    "danger_accept_invalid_hostnames",
    // reqwest 0.13.
    "tls_danger_accept_invalid_certs",
    "tls_danger_accept_invalid_hostnames",
    // mysql_async.
    "with_danger_accept_invalid_certs",
    "with_danger_skip_domain_validation",
    // lettre.
    "dangerous_accept_invalid_certs",
    "dangerous_accept_invalid_hostnames",
    // ureq 3.
    "disable_verification",
    // mongodb's builder takes the value itself, or `Some` of it.
    "allow_invalid_certificates",
];
/// Methods of rustls that take a verifier.
const VERIFIER: &[&str] = &["with_custom_certificate_verifier", "set_certificate_verifier"];
/// Words in settings, functions and values by which people choose it.
const WORDS: &[&str] = &[
    "insecure",
    "verify",
    "verification",
    "validate",
    "validation",
    "danger",
    "dangerous",
    "skip",
    "accept",
    "allow",
    "invalid",
    "unsafe",
    "trust",
    "signed",
    "selfsigned",
    "sslmode",
    "debug",
    "dev",
    "development",
    "test",
    "testing",
    "noverify",
    "enforce",
    "strict",
    "ignore",
];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for name in ACCEPT {
        for call in workspace.methods(name) {
            let Some(argument) = call.arguments().next().and_then(literal_true) else { continue };
            let fix = Fix::unsafe_("verify the certificate again").replace(argument.at(), "false");
            report(call, &format!("`{name}(true)`"), Some(fix), out);
        }
    }
    let trusts = |call: &Node<'_>| {
        call.arguments().next().is_none()
            && matches!(call.receiver().map(Node::ty), Some(Definition::External(ty)) if ty == "tiberius::Config")
    };
    workspace.methods("trust_cert").filter(trusts).for_each(|call| report(call, "`trust_cert()`", None, out));
    for name in ["set_verify", "cert_validation"] {
        for call in workspace.methods(name) {
            let none = call.arguments().next().filter(|argument| {
                let path = argument.external();
                path.is_some_and(|path| path.ends_with("SslVerifyMode::NONE") || path.ends_with("CertificateValidation::None"))
            });
            let Some(none) = none.filter(|_| name != "set_verify" || is_openssl_client(call)) else { continue };
            let other = if name == "set_verify" { "openssl::ssl::SslVerifyMode::PEER" } else { "Default::default()" };
            let fix = Fix::unsafe_("verify the certificate again").replace(none.at(), other);
            report(call, "no verification", (name == "set_verify").then_some(fix), out);
        }
    }
    for call in VERIFIER.iter().flat_map(|name| workspace.methods(name)) {
        let Some(method) = call.arguments().next().and_then(verifier) else { continue };
        if accepts_all(method) {
            report(call, "a verifier that accepts everything", None, out);
        }
    }
}

fn report(call: Node<'_>, what: &str, fix: Option<Fix>, out: &mut Vec<Diagnostic>) {
    let Some(service) = call.workspace.run_by(call) else { return };
    if is_chosen(call, WORDS) || is_one_of_several(call) {
        return;
    }
    let mut diagnostic = Diagnostic::new("this client accepts any TLS certificate", call.name_at(), format!("{what}, always"))
        .help("verify it: add the authority that signed the server's certificate as a root certificate of this client")
        .evidence("a setting, an environment variable or a `cfg` that decides it, here or where the function is called")
        .confidence(Confidence::High)
        .service(&service.name);
    diagnostic.fix = fix;
    out.push(diagnostic);
}

/// The `true` that an argument is: itself, in `Some(…)`, or behind a name.
fn literal_true(argument: Node<'_>) -> Option<Node<'_>> {
    let inner = match argument.kind() {
        ExprKind::Call { .. } if argument.last_name() == Some("Some") => argument.arguments().next()?,
        _ => argument,
    };
    let value = inner.binding().unwrap_or(inner);
    matches!(value.kind(), ExprKind::Literal(Literal::Bool(true))).then_some(value)
}

/// `let insecure = …`
fn is_one_of_several(call: Node<'_>) -> bool {
    call.ancestors().any(|node| match node.kind() {
        ExprKind::Let { names, .. } => names.iter().any(|name| has_word(name, WORDS)),
        _ => false,
    })
}

/// A connector, as against an acceptor, which asks for no client certificate.
fn is_openssl_client(call: Node<'_>) -> bool {
    let Some(Definition::External(ty)) = call.receiver().map(Node::ty) else { return false };
    ty.contains("SslConnector") || ty.contains("ConnectConfiguration")
}

/// The workspace's method that verifies, of a value such as `Arc::new(NoVerifier)`.
fn verifier(argument: Node<'_>) -> Option<Node<'_>> {
    let mut value = argument.peel();
    while matches!(value.kind(), ExprKind::Call { .. }) && value.last_name() == Some("new") {
        match value.definition() {
            Definition::External(_) => value = value.arguments().next()?.peel(),
            _ => break,
        }
    }
    let ty = match (value.kind(), value.definition()) {
        (ExprKind::Path(_) | ExprKind::Struct { .. }, Definition::Type(ty)) => ty,
        (ExprKind::Call { .. }, Definition::Type(ty)) => ty,
        _ => match value.ty() {
            Definition::Type(ty) => ty,
            _ => return None,
        },
    };
    let workspace = argument.workspace;
    let methods = workspace.graph.methods_of(ty).iter();
    let method = methods.copied().find(|method| &*workspace.function(*method).name == "verify_server_cert")?;
    workspace.body(method)
}

/// Whether it asserts without a look: nothing is called, compared or asked.
fn accepts_all(body: Node<'_>) -> bool {
    let asserts = |node: Node<'_>| matches!(node.kind(), ExprKind::Call { .. }) && node.last_name() == Some("assertion");
    let looks = |node: Node<'_>| match node.kind() {
        ExprKind::If { .. } | ExprKind::Match { .. } | ExprKind::Binary { .. } | ExprKind::Method { .. } | ExprKind::Try(_) => {
            true
        }
        ExprKind::Call { .. } => !matches!(node.last_name(), Some("Ok" | "assertion")),
        _ => false,
    };
    body.descendants().any(asserts) && !body.descendants().any(looks)
}
