use super::logged::{is_about_access_here, is_text, secret_field, shown};
use super::origin::type_of;
use super::secret::is_secret_name;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::chosen::is_chosen;
use crate::workspace::Workspace;
use crate::workspace::names::{Definition, FunctionRef};
use crate::workspace::query::Node;
use crate::workspace::rust::{Attribute, FunctionId, LOG_MACROS, RustFile};

crate::declare_rule! {
    /// A secret is written to the log.
    ///
    /// ## Why is this bad?
    /// Logs are copied, indexed, kept for months and read by many: a password, key or token that stands in one is known to all of them,
    /// and to whoever takes the log store over.
    ///
    /// ## Example
    /// ```rust
    /// #[derive(Debug, Deserialize)]
    /// struct Login { user: String, password: String }
    ///
    /// async fn login(Json(login): Json<Login>) {
    ///     tracing::info!(?login, "signing in");
    /// }
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// #[derive(Debug, Deserialize)]
    /// struct Login { user: String, password: secrecy::SecretString }
    ///
    /// async fn login(Json(login): Json<Login>) {
    ///     tracing::info!(user = %login.user, "signing in");
    /// }
    /// ```
    /// `#[instrument(skip_all, fields(…))]` names what a span is to show.
    ///
    /// ## Not reported when
    /// - its type hides it: `SecretString`, `SecretBox`, any type of your own; `Debug` is written by hand, or derived by a crate that
    ///   leaves the field out (`#[debug(skip)]`, veil, derivative, redact);
    /// - it is masked, hashed or measured first;
    /// - its name alone says too little (`token`, of an unknown type), or that it is none (`token_count`, `password_file`, `public_key`);
    /// - the span skips it (`skip(password)`, `skip_all`);
    /// - it is a `token` in code that has nothing to do with signing in, by its names;
    /// - it is printed, which is how a command shows a new password to its user;
    /// - it is logged in debug builds only (`cfg!(debug_assertions)`);
    /// - no service runs it.
    ///
    /// ## Source
    /// [OWASP: Logging, data to exclude](https://cheatsheetseries.owasp.org/cheatsheets/Logging_Cheat_Sheet.html#data-to-exclude);
    /// [CWE-532](https://cwe.mitre.org/data/definitions/532.html); tracing-attributes 0.1 `lib.rs` ("by default, all arguments to the
    /// function are included as fields on the span").
    "secret-logged", "MSVC704", Practice::Security, Level::Deny, Tier::Default, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for call in LOG_MACROS.iter().flat_map(|name| workspace.macros(name)) {
        let Some(first) = shown(call).into_iter().max_by_key(|shown| shown.certain) else { continue };
        let Some(service) = workspace.run_by(call).filter(|_| !is_chosen(call, &[])) else { continue };
        let confidence = if first.certain { Confidence::High } else { Confidence::Medium };
        let mut diagnostic = finding(&first.what, call).confidence(confidence).service(&service.name);
        if let Some(field) = first.field {
            diagnostic = diagnostic.related(field, "its derived `Debug` shows this field");
        }
        out.push(diagnostic);
    }
    for (file, facts) in workspace.rust.iter().enumerate() {
        for (index, function) in facts.functions.iter().enumerate() {
            let Some(attribute) = function.attributes.iter().find(|attribute| is_instrument(attribute)) else { continue };
            let reference = FunctionRef::new(file, FunctionId::new(index));
            out.extend(spanned(workspace, reference, facts, attribute));
        }
    }
}

fn finding(what: &str, call: Node<'_>) -> Diagnostic {
    Diagnostic::new(format!("{what} is written to the log"), call.at(), "shows a secret")
        .help("leave it out, or hold it in a type that hides it, such as `secrecy::SecretString`")
        .evidence("types that hide it, a `Debug` of their own, fields that a derive leaves out")
        .evidence("masking and hashing before it is logged")
}

fn is_instrument(attribute: &Attribute) -> bool {
    attribute.path.last().is_some_and(|name| &**name == "instrument")
}

/// A parameter that `#[instrument]` records.
fn spanned(workspace: &Workspace, function: FunctionRef, facts: &RustFile, attribute: &Attribute) -> Option<Diagnostic> {
    let item = workspace.function(function);
    let names = |id: &crate::workspace::rust::ExprId| -> Vec<String> {
        let part = Node { workspace, file: function.file(), id: *id };
        part.descendants().filter_map(Node::path).filter_map(<[_]>::last).map(|name| name.to_string()).collect()
    };
    let arguments: Vec<Vec<String>> = attribute.arguments.iter().map(names).collect();
    let skipped = |name: &str| {
        arguments.iter().any(|part| match part.first().map(String::as_str) {
            Some("skip_all") => true,
            Some("skip") => part.iter().any(|skipped| skipped == name),
            _ => false,
        })
    };
    let body = workspace.body(function).filter(|body| body.ships())?;
    let (what, field) = item.parameters.iter().find_map(|parameter| {
        let name = parameter.name.as_deref().filter(|name| *name != "self" && !skipped(name))?;
        if is_secret_name(name) && is_text(&parameter.ty) && (name != "token" || is_about_access_here(body)) {
            return Some((format!("`{name}`"), None));
        }
        let Definition::Type(ty) = type_of(body, name)? else { return None };
        let (path, field) = secret_field(workspace, ty, 4)?;
        Some((format!("`{path}` of `{name}`"), Some(field)))
    })?;
    let service = workspace.run_by(body)?;
    let mut diagnostic = finding(&what, body).service(&service.name).help("skip it: `#[instrument(skip_all, fields(…))]`");
    diagnostic.primary.at = facts.location(attribute.span);
    diagnostic.primary.text = "records every parameter".to_owned();
    diagnostic = diagnostic.evidence("`skip(…)` and `skip_all`");
    Some(match field {
        Some(field) => diagnostic.related(field, "its derived `Debug` shows this field"),
        None => diagnostic,
    })
}
