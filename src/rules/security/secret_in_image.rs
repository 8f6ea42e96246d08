use super::secret::{is_secret_name, url_password};
use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::containers::shipped::{self, Shipped};
use crate::rules::paths;
use crate::workspace::dockerfile::{Copy, Stage};
use crate::workspace::manifest::join;
use crate::workspace::settings::Settings;
use crate::workspace::{Span, Workspace};

declare_rule! {
    /// A service's image keeps a secret: a build argument, a variable or a copied file.
    ///
    /// ## Why is this bad?
    /// Whoever can pull the image has the secret. Build arguments stand in its history (`docker history`), variables in its
    /// configuration, and a copied file in a layer, also when a later step removes it. The secret is then the same in every
    /// environment, and changing it means another build.
    ///
    /// ## Example
    /// ```dockerfile
    /// FROM debian:trixie-slim
    /// ARG DATABASE_PASSWORD
    /// ENV DATABASE_PASSWORD=$DATABASE_PASSWORD
    /// COPY .env /app/.env
    /// ```
    ///
    /// ## Use instead
    /// ```dockerfile
    /// FROM debian:trixie-slim
    /// RUN --mount=type=secret,id=registry_token curl -H "Authorization: $(cat /run/secrets/registry_token)" …
    /// ```
    /// What the service needs while it runs comes from where it runs: a Secret, a mounted file.
    ///
    /// ## Not reported when
    /// - the argument or file stays in an earlier stage, of which the image that ships takes only files: then it is in the cache of
    ///   whoever builds, not in the image;
    /// - a build argument is declared, and neither a `RUN` follows it nor a variable takes its value;
    /// - the name says that it is a path, hashed, encrypted, public or a test's;
    /// - a copied `.env` is in the tree and holds no secret, or says that it is an example; other files are known by names that have
    ///   one meaning only (`id_rsa`, `.netrc`, `tls.key`), not by `.key` or `.pem` alone;
    /// - the file is an empty one that an earlier stage makes by `touch`;
    /// - the value stands there in plain: that is `hardcoded-secret`;
    /// - the Dockerfile builds no service of this workspace, or the file or stage is for development, tests or examples.
    ///
    /// ## Source
    /// Docker, "Build secrets" and build check SecretsUsedInArgOrEnv (which looks at all stages); CWE-538; trivy's image scan
    /// for secrets.
    "secret-in-image", "MSVC711", Practice::Security, Level::Deny, Tier::Default, Check::Workspace(check)
}

/// Files that hold secrets, whoever writes them.
const SECRET_FILES: &[&str] = &[
    "id_rsa",
    "id_ecdsa",
    "id_ed25519",
    ".netrc",
    ".pgpass",
    ".git-credentials",
    ".npmrc",
    ".pypirc",
    "kubeconfig",
    "tls.key",
    "server.key",
    "client.key",
    "ca.key",
    "private.key",
    "privkey.pem",
    "private.pem",
    "private_key.pem",
    "private-key.pem",
    "key.pem",
    "server-key.pem",
];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for image in shipped::images(workspace) {
        for stage in image.lineage() {
            arguments(&image, stage, out);
            for copy in &stage.copies {
                copied(workspace, &image, copy, out);
            }
        }
    }
}

/// Secrets that are handed to the build, and what keeps them.
fn arguments(image: &Shipped<'_>, stage: &Stage, out: &mut Vec<Diagnostic>) {
    let refers = |text: &str, name: &str| {
        text.contains(&format!("${{{name}"))
            || text.split('$').skip(1).any(|rest| {
                rest.strip_prefix(name).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
            })
    };
    for argument in
        stage.arguments.iter().filter(|argument| is_secret(&argument.name) && argument.value.as_deref().is_none_or(str::is_empty))
    {
        let kept = stage
            .environment
            .iter()
            .find(|variable| variable.value.as_deref().is_some_and(|value| refers(value, &argument.name)));
        let run = stage.runs.iter().find(|run| run.span.start > argument.span.start);
        let (at, note, related) = match (kept, run) {
            (Some(variable), _) => {
                (variable.span, "part of the image's configuration", Some((argument.span, "given to the build here")))
            }
            (None, Some(run)) => {
                let related = (run.span, "the history of this step holds its value");
                (argument.span, "given to the build", Some(related))
            }
            (None, None) => continue,
        };
        let message = format!("the image keeps the build argument `{}`", argument.name);
        out.push(finding(image, message, at, note, related));
    }
}

fn is_secret(name: &str) -> bool {
    is_secret_name(name) && !["_FILE", "_PATH", "_DIR"].iter().any(|end| name.ends_with(end))
}

fn copied(workspace: &Workspace, image: &Shipped<'_>, copy: &Copy, out: &mut Vec<Diagnostic>) {
    for source in &copy.sources {
        let name = source.rsplit('/').next().unwrap_or(source);
        let is_env =
            name == ".env" || name.strip_prefix(".env.").is_some_and(|stage| matches!(stage, "prod" | "production" | "staging"));
        if !(is_env || SECRET_FILES.contains(&name)) || paths::is_shown_only(source.as_str().into()) {
            continue;
        }
        let known = settings(workspace, image, source);
        let holds_secret = |settings: &Settings| {
            let mut entries = settings.entries.iter().filter(|entry| !entry.value.is_empty() && !entry.value.starts_with('$'));
            entries.any(|entry| is_secret(&entry.key) || url_password(&entry.value).is_some())
        };
        if is_env && known.is_some_and(|known| !holds_secret(known)) || is_made_empty(image, copy, name) {
            continue;
        }
        let message = format!("the image keeps `{name}`");
        let note = if known.is_some() { "there are secrets in it" } else { "a file that is there for secrets" };
        // What is not under version control was not read.
        let confidence = if is_env && known.is_none() { Confidence::Medium } else { Confidence::High };
        out.push(finding(image, message, copy.span, note, None).confidence(confidence));
    }
}

/// The stage that it is taken from makes the file by `touch`, and takes it from nowhere.
fn is_made_empty(image: &Shipped<'_>, copy: &Copy, name: &str) -> bool {
    let Some(stage) = copy.from.as_deref().and_then(|from| image.dockerfile.stage(from)) else { return false };
    let is_it = |path: &str| path.rsplit('/').next() == Some(name);
    let touches = |words: &[String]| {
        let mut after = words.iter().skip_while(|word| *word != "touch").skip(1);
        after.any(|word| is_it(word.trim_end_matches([';', '&'])))
    };
    let stages = || image.dockerfile.lineage(stage);
    let mut copied = stages().flat_map(|stage| &stage.copies).flat_map(|copy| &copy.sources);
    stages().flat_map(|stage| &stage.runs).any(|run| touches(&run.words)) && !copied.any(|from| is_it(from) || is_all(from))
}

/// Of the build's directory: `.`, `./`, `*`.
fn is_all(source: &str) -> bool {
    matches!(source.trim_matches(['.', '/']), "" | "*")
}

/// The file that is copied, if it was read: beside the Dockerfile, from the root, or the only one of its path.
fn settings<'w>(workspace: &'w Workspace, image: &Shipped<'_>, source: &str) -> Option<&'w Settings> {
    let folder = workspace.sources.path(image.dockerfile.file).parent()?;
    let near = image.services.iter().map(|service| service.directory.as_path()).chain([folder, "".into()]);
    let name = source.rsplit('/').next()?;
    let candidates = near.flat_map(|folder| [join(folder, source.trim_start_matches('/')), join(folder, name)]).flatten();
    let mut files = candidates.filter_map(|path| workspace.sources.find(&path));
    files.find_map(|file| workspace.settings.iter().find(|settings| settings.file == file))
}

fn finding(image: &Shipped<'_>, message: String, at: Span, note: &str, related: Option<(Span, &str)>) -> Diagnostic {
    let mut diagnostic = Diagnostic::new(message, image.at(at), note)
        .help("give it to the build with `RUN --mount=type=secret`, and to the service where it runs: a mounted file or a Secret")
        .evidence("an earlier stage that keeps it out of the image")
        .evidence("a secret mount");
    if let Some((span, text)) = related {
        diagnostic = diagnostic.related(image.at(span), text);
    }
    diagnostic.service = image.service();
    diagnostic
}
