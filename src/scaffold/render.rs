//! One template to one text.
//!
//! A template is a file of the project it generates, so it must stay readable to its own language's tools:
//!
//! - a tag stands alone on a comment line: `//% if store == "sqlite"` in Rust, `#% …` in TOML, YAML and Dockerfiles,
//!   `--% …` in SQL, `<!--% … -->` in Markdown. The whole line goes, so rendered text has no gaps.
//! - a variable stands in `«` and `»`, and only where a language lets it: inside strings and text.
//! - a service that it calls is `example-callee`, in four forms, inside `//% for callee in calls`, or in a file of its own.
//! - the service is called `example-service`, in its three forms, and has the ports 8080 and 9090; its database server
//!   has 5432, or what is usual for its engine; its workspace is called `example-workspace`, and `example-namespace` as a DNS label. These are replaced wherever they stand.

use std::collections::BTreeMap;

use tera::{Context, Delimiters, Tera};

use super::Callee;
use crate::service::{Auth, Broker, Discovery, Protocol, ServiceName, ServiceSpec, Store, Tls};

/// Marks at the start of a line that make it a tag, and what ends the line.
const TAG_LINES: &[(&str, &str)] = &[("//%", ""), ("#%", ""), ("--%", ""), ("<!--%", "-->")];

/// Tags as tera sees them: never part of a template's own text.
const BLOCK_START: &str = "\u{1}%";
const BLOCK_END: &str = "%\u{1}";

/// Names of a called service, and what stands for each when a template is rendered.
const CALLEE: &[(&str, &str)] = &[
    ("example-callee", "«callee.name»"),
    ("example_callee", "«callee.crate_name»"),
    ("EXAMPLE_CALLEE", "«callee.env_prefix»"),
    ("7070", "«callee.port»"),
];

/// What a template is rendered for.
#[derive(Clone, Copy)]
pub struct Subject<'s> {
    pub spec: &'s ServiceSpec,
    /// The services that it calls.
    pub callees: &'s [Callee],
    /// All services of its workspace, where the file is about all of them.
    pub system: &'s [&'s ServiceSpec],
}

/// Renders a template, once for `callee` where the file is about one of the called services.
///
/// # Panics
/// When the template is broken, which no spec makes it: the tests render all of them.
pub fn render(path: &str, template: &str, subject: Subject<'_>, callee: Option<&Callee>) -> String {
    let Subject { spec, callees, system } = subject;
    let mut tera = Tera::default();
    tera.autoescape_on(Vec::<&str>::new());
    tera.set_delimiters(Delimiters {
        block_start: BLOCK_START.into(),
        block_end: BLOCK_END.into(),
        variable_start: "«".into(),
        variable_end: "»".into(),
        comment_start: "\u{1}#".into(),
        comment_end: "#\u{1}".into(),
    })
    .expect("the delimiters are two bytes long and differ");
    // The service first: what a callee puts in is not replaced again.
    let mut text = name_service(&tag_lines_to_blocks(template), spec);
    for (token, variable) in CALLEE {
        text = text.replace(token, variable);
    }
    tera.add_raw_template(path, &text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut context = context(spec);
    context.insert("grpc_calls", &callees.iter().any(|callee| callee.protocol == Protocol::Grpc));
    context.insert("proto", &has_protos(spec, callees));
    context.insert("calls", &callees.iter().map(names).collect::<Vec<_>>());
    for (name, protocol) in [("rest_callees", Protocol::Rest), ("grpc_callees", Protocol::Grpc)] {
        let speaking = callees.iter().filter(|callee| callee.protocol == protocol);
        context.insert(name, &speaking.map(names).collect::<Vec<_>>());
    }
    context.insert("items_calls", &callees.iter().any(|callee| callee.api() == "items"));
    context.insert("tokens", &callees.iter().any(|callee| callee.protected));
    let client_tls = callees.iter().any(|callee| callee.tls != Tls::Mesh);
    context.insert("client_tls", &client_tls);
    context.insert("https", &(client_tls || speaks_https(spec)));
    context.insert("client_certificate", &callees.iter().any(|callee| callee.tls == Tls::Mtls));
    if let Some(callee) = callee {
        context.insert("callee", &names(callee));
    }
    context.insert("brokers", &system.iter().map(|spec| spec.broker.as_str()).collect::<Vec<_>>());
    context.insert("ways_to_find", &system.iter().map(|spec| spec.discovery.as_str()).collect::<Vec<_>>());
    context.insert(
        "databases",
        &system.iter().filter(|spec| spec.store.is_on_a_server()).map(|spec| database(spec)).collect::<Vec<_>>(),
    );
    tera.render(path, &context).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Whether it asks an issuer or a registry that may be behind TLS, or speaks TLS itself.
fn speaks_https(spec: &ServiceSpec) -> bool {
    spec.auth == Auth::Jwt || spec.tls != Tls::Mesh || spec.discovery == Discovery::Eureka
}

/// Whether code is made of `.proto` files: the service's own, or those of what it calls.
pub fn has_protos(spec: &ServiceSpec, callees: &[Callee]) -> bool {
    spec.protocol == Protocol::Grpc || callees.iter().any(|callee| callee.protocol == Protocol::Grpc)
}

/// The forms in which templates name a called service.
fn names(callee: &Callee) -> BTreeMap<&'static str, String> {
    let Callee { name, port, protocol, protected, tls, .. } = callee;
    // Its certificate is for a name.
    let (scheme, host) = if *tls == Tls::Mesh { ("http", "127.0.0.1") } else { ("https", "localhost") };
    let names = [
        ("name", name.to_string()),
        ("crate_name", name.crate_name()),
        ("env_prefix", name.env_prefix()),
        ("port", port.to_string()),
        ("protocol", protocol.to_string()),
        ("api", callee.api().to_owned()),
        ("auth", if *protected { "jwt" } else { "none" }.to_owned()),
        ("tls", tls.to_string()),
        ("scheme", scheme.to_owned()),
        ("local", format!("{scheme}://{host}:{port}")),
    ];
    names.into()
}

/// The path of a file that is about a called service.
pub fn name_callee(path: &str, callee: &Callee) -> String {
    path.replace("example_callee", &callee.name.crate_name())
}

/// Replaces the example service's name and ports by the spec's.
pub fn name_service(text: &str, spec: &ServiceSpec) -> String {
    // One pass, longest token first, so that a name that holds another token is not replaced twice.
    let replacements = [
        ("example-service", spec.name.to_string()),
        ("example_service", spec.name.crate_name()),
        ("EXAMPLE_SERVICE", spec.name.env_prefix()),
        ("8080", spec.port.to_string()),
        ("9090", spec.admin_port.to_string()),
        ("5432", if spec.store == Store::Mysql { "3306" } else { "5432" }.to_owned()),
    ];
    replace_all(text, &replacements)
}

/// Replaces each token in one pass over the text: what was put in is not looked at again.
pub fn replace_all(text: &str, replacements: &[(&str, String)]) -> String {
    let tokens = aho_corasick::AhoCorasick::new(replacements.iter().map(|(token, _)| token))
        .expect("a handful of short tokens is a valid set");
    let texts: Vec<&str> = replacements.iter().map(|(_, replacement)| replacement.as_str()).collect();
    tokens.replace_all(text, &texts)
}

/// Where the compose file has the broker.
fn broker_url(broker: Broker) -> &'static str {
    match broker {
        Broker::Nats => "nats://nats:4222",
        Broker::Rabbitmq => "amqp://rabbitmq:5672",
        Broker::Kafka => "kafka://kafka:9092",
        Broker::None => "",
    }
}

fn context(spec: &ServiceSpec) -> Context {
    let mut context = Context::new();
    context.insert("protocol", spec.protocol.as_str());
    context.insert("store", spec.store.as_str());
    context.insert("sqlx_driver", if spec.store == Store::Sqlite { "sqlite-bundled" } else { spec.store.as_str() });
    context.insert("database", &spec.store.is_on_a_server());
    context.insert("store_port", &store_port(spec));
    context.insert("discovery", spec.discovery.as_str());
    context.insert("registry", &spec.discovery.is_a_registry());
    context.insert("auth", spec.auth.as_str());
    context.insert("tls", spec.tls.as_str());
    context.insert("public", &spec.public);
    context.insert("broker", spec.broker.as_str());
    context.insert("broker_url", broker_url(spec.broker));
    context.insert("consumes", &spec.consumes.as_ref().map(ServiceName::as_str));
    context
}

fn database(spec: &ServiceSpec) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("name", spec.name.to_string()),
        ("env_prefix", spec.name.env_prefix()),
        ("port", store_port(spec).to_string()),
        ("engine", spec.store.to_string()),
    ])
}

/// Where this machine reaches the database of the service's compose file: as far above its admin port as that is above
/// its traffic port, so that each service has one of its own.
pub fn store_port(spec: &ServiceSpec) -> u16 {
    let offset = match spec.admin_port.abs_diff(spec.port) {
        // No traffic port: as if there were one.
        0 => 1010,
        offset => offset,
    };
    let port = spec.admin_port.checked_add(offset);
    port.unwrap_or_else(|| spec.port.min(spec.admin_port) - offset)
}

fn tag_lines_to_blocks(template: &str) -> String {
    template
        .split_inclusive('\n')
        .map(|line| match tag(line) {
            Some(tag) => format!("{BLOCK_START} {tag} {BLOCK_END}"),
            None => line.to_owned(),
        })
        .collect()
}

/// The tag that a line holds, when it is a tag line.
pub fn tag(line: &str) -> Option<&str> {
    let line = line.trim();
    TAG_LINES.iter().find_map(|(start, end)| Some(line.strip_prefix(start)?.strip_suffix(end)?.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_line_leaves_no_gap() {
        let lines = "a\n    //% if store == \"sqlite\"\n    b\n    //% endif\nc\n<!--% if public -->\nd\n<!--% endif -->\n";
        let spec = ServiceSpec {
            name: "orders".parse().unwrap(),
            protocol: Protocol::Rest,
            port: 8080,
            admin_port: 9090,
            store: crate::service::Store::Sqlite,
            discovery: crate::service::Discovery::Kubernetes,
            auth: crate::service::Auth::None,
            tls: Tls::Mesh,
            public: false,
            calls: vec!["price-lists".parse().unwrap()],
            broker: crate::service::Broker::None,
            consumes: None,
        };
        let callees = [Callee { port: 8080, ..Callee::assumed(&"price-lists".parse().unwrap()) }];
        let render = |template| {
            let subject = Subject { spec: &spec, callees: &callees, system: &[] };
            render("test", template, subject, None)
        };
        assert_eq!(render(lines), "a\n    b\nc\n");
        assert_eq!(render("\"«store»\" example_service"), "\"sqlite\" orders");
        let calls = "#% for callee in calls\n8080 example_callee = \"http://example-callee:7070\"\n#% endfor\n";
        let spec = ServiceSpec { port: 8081, ..spec.clone() };
        let subject = Subject { spec: &spec, callees: &callees, system: &[] };
        let rendered = super::render("test", calls, subject, None);
        assert_eq!(rendered, "8081 price_lists = \"http://price-lists:8080\"\n");
    }

    #[test]
    fn what_was_put_in_is_not_replaced_again() {
        let swap = [("8080", "9090".to_owned()), ("9090", "8080".to_owned())];
        assert_eq!(replace_all("8080 9090", &swap), "9090 8080");
    }
}
