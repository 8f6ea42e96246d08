//! Compose files: the services they start and how.

use super::dockerfile::{Command, Form, Healthcheck};
use super::image::Image;
use super::sources::{FileId, Span, Spanned};
use super::variables::{self, Variable};
use super::yaml::{Node, Value};

/// One compose file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compose {
    pub file: FileId,
    pub services: Vec<ComposeService>,
    /// Paths of the files it includes, as written.
    pub include: Vec<Spanned<String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComposeService {
    pub name: Spanned<String>,
    /// The whole entry.
    pub span: Span,
    pub image: Option<Image>,
    pub build: Option<Build>,
    /// Values with the defaults of their variables filled in; `None` where the value comes from whoever runs compose.
    pub environment: Vec<Variable>,
    pub env_file: Vec<Spanned<String>>,
    pub ports: Vec<Port>,
    pub mounts: Vec<Mount>,
    pub entrypoint: Option<Command>,
    pub command: Option<Command>,
    pub healthcheck: Option<Healthcheck>,
    pub depends_on: Vec<Spanned<String>>,
    pub profiles: Vec<Spanned<String>>,
    pub labels: Vec<Variable>,
    pub user: Option<Spanned<String>>,
    pub stop_signal: Option<Spanned<String>>,
    pub privileged: Option<Spanned<bool>>,
}

/// How compose builds an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// Directory, relative to the compose file; `.` when it is not stated.
    pub context: String,
    /// Relative to the context; `None` means `Dockerfile`.
    pub dockerfile: Option<String>,
    pub target: Option<String>,
    pub arguments: Vec<Variable>,
    pub span: Span,
}

/// `"8080:80"`, `80`, `127.0.0.1:8080:80/tcp` or the long form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// On the host.
    pub published: Option<u16>,
    /// In the container.
    pub target: u16,
    /// Address on the host that it is bound to.
    pub host: Option<String>,
    pub span: Span,
}

/// `data:/var/lib/orders:ro`, `./data:/data` or the long form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// A volume's name, or a path of the host.
    pub source: String,
    /// In the container.
    pub target: String,
}

/// Whether a file of this name is a compose file.
pub fn is_compose(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".yml").or_else(|| name.strip_suffix(".yaml")) else { return false };
    stem.split(['.', '-', '_']).any(|part| part == "compose")
}

/// Facts of one compose file, from its first document.
pub fn read(file: FileId, documents: &[Node]) -> Compose {
    let mut compose = Compose { file, services: Vec::new(), include: Vec::new() };
    let Some(root) = documents.first() else { return compose };
    for (name, service) in root.get("services").map(Node::entries).unwrap_or_default() {
        compose.services.extend(name.text().map(|name| read_service(name, service)));
    }
    for include in root.get("include").map(Node::items).unwrap_or_default() {
        compose.include.extend(include.get("path").unwrap_or(include).texts());
    }
    compose
}

fn read_service(name: Spanned<String>, node: &Node) -> ComposeService {
    let get = |key: &str| node.get(key);
    let texts = |key: &str| get(key).map(Node::texts).unwrap_or_default();
    ComposeService {
        span: Span { start: name.span.start, end: node.span.end.max(name.span.end) },
        name,
        image: get("image").and_then(|image| Some(Image::new(expand(image.as_str()?), image.span))),
        build: get("build").map(read_build),
        environment: get("environment").map(read_variables).unwrap_or_default(),
        env_file: match get("env_file") {
            Some(node) => {
                node.items().iter().map(|item| item.get("path").unwrap_or(item)).chain([node]).filter_map(text).collect()
            }
            None => Vec::new(),
        },
        ports: get("ports").map(Node::items).unwrap_or_default().iter().filter_map(read_port).collect(),
        mounts: get("volumes").map(Node::items).unwrap_or_default().iter().filter_map(read_mount).collect(),
        entrypoint: get("entrypoint").and_then(read_command),
        command: get("command").and_then(read_command),
        healthcheck: get("healthcheck").and_then(read_healthcheck),
        depends_on: match get("depends_on") {
            Some(node) if !node.entries().is_empty() => node.entries().iter().filter_map(|(name, _)| name.text()).collect(),
            _ => texts("depends_on"),
        },
        profiles: texts("profiles"),
        labels: get("labels").map(read_variables).unwrap_or_default(),
        user: get("user").and_then(text),
        stop_signal: get("stop_signal").and_then(text),
        privileged: get("privileged").and_then(|node| Some(Spanned { value: node.as_bool()?, span: node.span })),
    }
}

fn read_build(node: &Node) -> Build {
    let text = |key: &str| node.get(key).and_then(Node::as_str).map(|text| expand(text).text);
    Build {
        context: node.as_str().map(|text| expand(text).text).or_else(|| text("context")).unwrap_or_else(|| ".".to_owned()),
        dockerfile: text("dockerfile"),
        target: text("target"),
        arguments: node.get("args").map(read_variables).unwrap_or_default(),
        span: node.span,
    }
}

/// `{NAME: value}` or `[NAME=value]`.
fn read_variables(node: &Node) -> Vec<Variable> {
    let expanded = |text: &str| expand(text).text;
    let mapped = node.entries().iter().filter_map(|(name, value)| {
        let span = Span { start: name.span.start, end: value.span.end.max(name.span.end) };
        let value = value.as_str().map(expanded);
        Some(Variable { name: name.as_str()?.to_owned(), value, span })
    });
    let listed = node.items().iter().filter_map(|item| {
        let text = item.as_str()?;
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(expanded(value))));
        Some(Variable { name: name.to_owned(), value, span: item.span })
    });
    mapped.chain(listed).collect()
}

fn read_port(node: &Node) -> Option<Port> {
    let number = |text: &str| text.split('-').next()?.parse().ok();
    if let Some(target) = node.get("target") {
        return Some(Port {
            published: node.get("published").and_then(Node::as_str).and_then(|text| number(&expand(text).text)),
            target: number(&expand(target.as_str()?).text)?,
            host: node.get("host_ip").and_then(Node::as_str).map(str::to_owned),
            span: node.span,
        });
    }
    let text = expand(node.as_str()?).text;
    let text = text.split('/').next()?;
    let mut parts = text.rsplitn(3, ':');
    let target = number(parts.next()?)?;
    let published = parts.next().and_then(number);
    Some(Port { published, target, host: parts.next().map(str::to_owned), span: node.span })
}

/// `None` for a volume without a name.
fn read_mount(node: &Node) -> Option<Mount> {
    let text = |key: &str| node.get(key).and_then(Node::as_str).map(|text| expand(text).text);
    if let Some(target) = text("target") {
        return Some(Mount { source: text("source")?, target });
    }
    let text = expand(node.as_str()?).text;
    let (source, rest) = text.split_once(':')?;
    let target = rest.split(':').next()?;
    Some(Mount { source: source.to_owned(), target: target.to_owned() })
}

/// A string is a shell line to people, though compose splits it and runs no shell: so it is a list of words.
fn read_command(node: &Node) -> Option<Command> {
    let words = match &node.value {
        Value::Sequence(items) => items.iter().filter_map(Node::as_str).map(|word| expand(word).text).collect(),
        _ => variables::words(&expand(node.as_str()?).text, 0).into_iter().map(|word| word.value).collect(),
    };
    Some(Command { form: Form::Exec, words, word_spans: Vec::new(), span: node.span })
}

fn read_healthcheck(node: &Node) -> Option<Healthcheck> {
    if node.get("disable").and_then(Node::as_bool) == Some(true) {
        return Some(Healthcheck::Disabled(node.span));
    }
    let test = node.get("test")?;
    let mut command = read_command(test)?;
    match (&test.value, command.words.first().map(String::as_str)) {
        (_, Some("NONE")) => return Some(Healthcheck::Disabled(test.span)),
        (Value::Sequence(_), Some("CMD")) => {
            command.words.remove(0);
        }
        (Value::Sequence(_), Some("CMD-SHELL")) => {
            command.form = Form::Shell;
            command.words = command.words[1..].iter().flat_map(|line| line.split_whitespace()).map(str::to_owned).collect();
        }
        _ => command.form = Form::Shell,
    }
    Some(Healthcheck::Command(command))
}

fn text(node: &Node) -> Option<Spanned<String>> {
    Some(Spanned { value: expand(node.as_str()?).text, span: node.span })
}

fn expand(text: &str) -> variables::Expanded {
    variables::expand(text, &|_| None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::yaml;

    fn only(text: &str) -> ComposeService {
        read(FileId(0), &yaml::parse(text).unwrap()).services.pop().unwrap()
    }

    #[test]
    fn short_and_long_forms_read_the_same() {
        let short = only(
            "services:\n  a:\n    build: ./a\n    ports: ['127.0.0.1:8080:80/tcp', 9090]\n    environment: [A=1, B]\n    command: serve --x 'y z'\n    \
             env_file: .env\n    depends_on: [db]\n    healthcheck: {test: curl x}\n",
        );
        let long = only(
            "services:\n  a:\n    build: {context: ./a, args: {BIN: a}}\n    ports: [{target: 80, published: '8080', host_ip: 127.0.0.1}, {target: 9090}]\n    \
             environment: {A: 1, B: null}\n    command: [serve, --x, y z]\n    env_file: [{path: .env}]\n    depends_on: {db: {condition: x}}\n    \
             healthcheck: {test: [CMD-SHELL, curl x]}\n",
        );
        let variables =
            |service: &ComposeService| service.environment.iter().map(|v| (v.name.clone(), v.value.clone())).collect::<Vec<_>>();
        let ports =
            |service: &ComposeService| service.ports.iter().map(|p| (p.published, p.target, p.host.clone())).collect::<Vec<_>>();
        for service in [&short, &long] {
            assert_eq!(variables(service), [("A".to_owned(), Some("1".to_owned())), ("B".to_owned(), None)]);
            assert_eq!(ports(service), [(Some(8080), 80, Some("127.0.0.1".to_owned())), (None, 9090, None)]);
            assert_eq!(service.command.as_ref().unwrap().words, ["serve", "--x", "y z"]);
            assert_eq!(service.env_file[0].value, ".env");
            assert_eq!(service.env_file.len(), 1);
            assert_eq!(service.depends_on[0].value, "db");
            assert_eq!(service.build.as_ref().unwrap().context, "./a");
            assert!(matches!(&service.healthcheck, Some(Healthcheck::Command(c)) if c.words == ["curl", "x"]));
        }
    }

    #[test]
    fn variables_take_their_defaults() {
        let service = only("services: {a: {image: 'postgres:${TAG:-17}', environment: {URL: 'pg://${HOST}/x'}}}");
        assert_eq!(service.image.unwrap().tag.as_deref(), Some("17"));
        assert_eq!(service.environment[0].value.as_deref(), Some("pg://${HOST}/x"));
    }

    #[test]
    fn odd_shapes_are_no_facts() {
        for text in ["", "services:", "services: [a]", "services: {a: }", "services: {a: {ports: {x: y}, build: [1]}}", "[]"] {
            let _ = read(FileId(0), &yaml::parse(text).unwrap());
        }
        assert_eq!(only("services: {a: {healthcheck: {disable: true}}}").ports, []);
    }

    #[test]
    fn names() {
        for yes in ["compose.yaml", "docker-compose.yml", "docker-compose.prod.yml", "compose.dev.yaml"] {
            assert!(is_compose(yes), "{yes}");
        }
        assert!(!is_compose("composer.yaml") && !is_compose("compose.json"));
    }
}
