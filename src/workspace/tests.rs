//! Names and values, on small workspaces written down in the test.

use super::graph::Graph;
use super::manifest::{Dependency, DependencyKind, Package, Target, TargetKind};
use super::names::{Definition, Names};
use super::query::{Node, Step};
use super::search::Index;
use super::service::Found;
use super::{FileId, Service, Sources, Workspace, rust};

/// A workspace of packages `app` (binary, `app/main.rs`) and `shared` (library, `shared/lib.rs`) that both know reqwest.
fn workspace(files: &[(&str, &str)]) -> Workspace {
    let mut workspace = Workspace { sources: Sources::new("/".into()), ..Workspace::default() };
    let mut files = files.to_vec();
    files.sort_unstable();
    for (path, text) in files {
        let id = workspace.sources.add(path.into());
        workspace.rust.push(rust::parse(id, text).expect(path));
    }
    let dependency = |alias: &str, package: &str, local| Dependency {
        alias: alias.into(),
        package: package.into(),
        kind: DependencyKind::Normal,
        local,
        published: true,
        version: None,
        features: Vec::new(),
        feature_places: Vec::new(),
        default_features: true,
        optional: false,
        target: None,
        span: Default::default(),
    };
    let package = |name: &str, kind, root: &str, dependencies| Package {
        name: name.into(),
        manifest: FileId(0),
        directory: name.into(),
        workspace: "".into(),
        version: None,
        edition: "2024".into(),
        rust_version: None,
        targets: vec![Target { kind, name: name.into(), root: root.into() }],
        dependencies,
        metadata: None,
        name_span: Default::default(),
        panic_abort: None,
    };
    workspace.packages = vec![
        package(
            "app",
            TargetKind::Bin,
            "app/main.rs",
            vec![
                dependency("reqwest", "reqwest", None),
                dependency("http_client", "reqwest", None),
                dependency("shared", "shared", Some(1)),
                dependency("tokio", "tokio", None),
            ],
        ),
        package("shared", TargetKind::Lib, "shared/lib.rs", vec![dependency("reqwest", "reqwest", None)]),
    ];
    workspace.names = Names::build(&workspace.sources, &workspace.packages, &workspace.rust);
    workspace.index = Index::build(&workspace.rust);
    workspace.graph = Graph::build(&workspace);
    workspace
}

fn calls(workspace: &Workspace, path: &'static str) -> usize {
    workspace.calls_to(path).count()
}

#[test]
fn names_are_what_they_mean() {
    for (why, main) in [
        ("full path", "fn main() { reqwest::Client::new(); }"),
        ("leading colons", "fn main() { ::reqwest::Client::new(); }"),
        ("import", "use reqwest::Client; fn main() { Client::new(); }"),
        ("group and rename", "use reqwest::{Client as Http, Url}; fn main() { Http::new(); }"),
        ("group self", "use reqwest::{self as r}; fn main() { r::Client::new(); }"),
        ("cargo rename", "use http_client::Client; fn main() { Client::new(); }"),
        ("import of an import", "use reqwest as r; use r::Client as C; fn main() { C::new(); }"),
        ("glob of a crate", "use reqwest::*; fn main() { Client::new(); }"),
        ("alias", "type Http = reqwest::Client; fn main() { Http::new(); }"),
        ("beside a function of that name", "fn reqwest() { reqwest::Client::new(); } fn main() {}"),
        ("qualified self", "fn main() { <reqwest::Client>::new(); }"),
        ("re-export of a library", "fn main() { shared::Client::new(); }"),
        ("glob of a library", "use shared::*; fn main() { Client::new(); }"),
        ("parent's import", "use reqwest::Client; mod a { pub fn f() { super::Client::new(); } } fn main() {}"),
        ("glob of the parent", "use reqwest::Client; mod a { use super::*; pub fn f() { Client::new(); } } fn main() {}"),
        ("in a closure in a macro", "use reqwest::Client; fn main() { vec![|| Client::new()]; }"),
        ("in select", "fn main() { tokio::select! { _ = f() => { reqwest::Client::new(); } else => {} } }"),
    ] {
        let shared = "mod http; pub use http::Client; pub mod deep { pub use crate::http::*; }";
        let workspace =
            workspace(&[("app/main.rs", main), ("shared/lib.rs", shared), ("shared/http.rs", "pub use reqwest::Client;")]);
        assert_eq!(calls(&workspace, "reqwest::Client::new"), 1, "{why}: {main}");
    }
}

#[test]
fn look_alikes_are_not() {
    for (why, main) in [
        ("own type", "struct Client; impl Client { fn new() {} } fn main() { Client::new(); }"),
        ("another crate", "use tokio::Client; fn main() { Client::new(); }"),
        ("an import that is not known, beside a glob", "use reqwest::*; use shared::Client; fn main() { Client::new(); }"),
        ("a module of that name", "mod reqwest { pub struct Client; } fn main() { reqwest::Client::new(); }"),
        ("test function", "#[test] fn t() { reqwest::Client::new(); } fn main() {}"),
        ("test constant", "#[cfg(feature = \"test_mode\")] const C: Client = reqwest::Client::new(); fn main() {}"),
        ("test module", "#[cfg(all(test, unix))] mod t { fn f() { reqwest::Client::new(); } } fn main() {}"),
        ("a string", "fn main() { let _ = \"reqwest::Client::new()\"; }"),
        ("a comment", "fn main() { /* reqwest::Client::new() */ }"),
        ("a macro's template", "macro_rules! m { () => { reqwest::Client::new() } } fn main() {}"),
        ("generated", "// @generated by a tool\nfn main() { reqwest::Client::new(); }"),
        (
            "imports in a circle",
            "mod a { pub use super::b::X; } mod b { pub use super::a::X; } use a::X; fn main() { X::new(); }",
        ),
    ] {
        let workspace =
            workspace(&[("app/main.rs", main), ("app/orphan.rs", "fn f() { reqwest::Client::new(); }"), ("shared/lib.rs", "")]);
        assert_eq!(calls(&workspace, "reqwest::Client::new"), 0, "{why}: {main}");
    }
}

#[test]
fn modules_follow_the_compiler() {
    let files = [
        ("app/main.rs", "mod a; mod b; #[path = \"odd/place.rs\"] mod c; mod inline { mod d; } #[cfg(test)] mod e; fn main() {}"),
        ("app/a.rs", "mod inner;"),
        ("app/a/inner.rs", "fn f() { reqwest::get(); }"),
        ("app/b/mod.rs", "mod inner;"),
        ("app/b/inner.rs", "fn f() { reqwest::get(); }"),
        ("app/odd/place.rs", "fn f() { reqwest::get(); } mod beside;"),
        ("app/odd/beside.rs", "fn f() { reqwest::get(); }"),
        ("app/inline/d.rs", "fn f() { reqwest::get(); }"),
        ("app/e.rs", "fn f() { reqwest::get(); }"),
        ("app/lost.rs", "fn f() { reqwest::get(); }"),
        ("shared/lib.rs", ""),
    ];
    let workspace = workspace(&files);
    let mut found: Vec<_> =
        workspace.calls_to("reqwest::get").map(|node| workspace.sources.path(node.at().file).to_string()).collect();
    found.sort();
    assert_eq!(found, ["app/a/inner.rs", "app/b/inner.rs", "app/inline/d.rs", "app/odd/beside.rs", "app/odd/place.rs"]);
}

fn methods_after(main: &str) -> Vec<String> {
    let workspace = workspace(&[("app/main.rs", main), ("shared/lib.rs", "")]);
    let node = workspace.named("builder").next().expect("a builder() call");
    let methods = node.flow().into_iter().filter_map(|step| match step {
        Step::Method(node) => node.method().map(str::to_owned),
        _ => None,
    });
    methods.collect()
}

#[test]
fn values_flow() {
    for (why, body, methods) in [
        ("a chain", "Client::builder().timeout(t).build()?;", "timeout build"),
        ("a binding", "let b = Client::builder(); let c = b.timeout(t).build();", "timeout build"),
        ("assignment", "let mut b = Client::builder(); if x { b = b.timeout(t); } b.build();", "timeout build"),
        ("shadowing", "let b = Client::builder(); let b = b.gzip(); let b = b.timeout(t); b.build();", "gzip timeout build"),
        ("shadowed by another", "let b = Client::builder(); let b = other(); b.timeout(t);", ""),
        ("a block", "let b = { Client::builder().gzip() }; b.timeout(t);", "gzip timeout"),
        ("a branch", "let b = if x { Client::builder() } else { y }; b.timeout(t);", "timeout"),
        ("awaited", "Client::builder().connect().await?.call();", "connect call"),
        ("if let", "if let Ok(b) = Client::builder() { b.timeout(t); }", "timeout"),
        ("wrapped", "let c = Arc::new(Client::builder()); c.get();", "get"),
        ("a part of a tuple", "let (n, b) = (1, Client::builder()); n.other(); b.timeout(t);", "timeout"),
        ("a closure that is mapped", "let b = names.map(|name| Client::builder()); b.timeout(t);", "timeout"),
        ("a named closure", "let b = || Client::builder(); b().timeout(t);", "timeout"),
        ("a named closure, handed on", "let b = || Client::builder(); CELL.get_or_init(b).timeout(t);", "timeout"),
    ] {
        let main = format!("use reqwest::Client; async fn main() {{ {body} }}");
        assert_eq!(methods_after(&main).join(" "), methods, "{why}: {body}");
    }
}

#[test]
fn types_that_are_written_down_are_known() {
    for (why, main) in [
        ("parameter", "use reqwest::Client; fn f(c: &Client) { c.target(); }"),
        ("annotation", "fn f() { let c: reqwest::Client = make(); c.target(); }"),
        ("constructor", "use reqwest::Client; fn f() { let c = Client::new(); c.target(); }"),
        ("builder", "use reqwest::Client; fn f() { let c = Client::builder().gzip(true).build().unwrap(); c.target(); }"),
        ("field", "struct S { c: std::sync::Arc<reqwest::Client> } impl S { fn f(&self) { self.c.target(); } }"),
        (
            "field of a field",
            "struct A { c: reqwest::Client } struct S { a: A } impl S { fn f(&self) { self.a.c.clone().target(); } }",
        ),
        ("helper", "fn make() -> Result<reqwest::Client, E> { unseen!() } fn f() { let c = make()?; c.target(); }"),
        (
            "method",
            "struct S; impl S { fn client(&self) -> &reqwest::Client { unseen!() } fn f(&self) { self.client().target(); } }",
        ),
        ("helper of a library", "fn f() { shared::client().target(); }"),
        ("extractor", "fn f(State(c): State<reqwest::Client>) { c.target(); }"),
        ("closure", "fn f() { run(|c: reqwest::Client| c.target()); }"),
        ("alias", "type Http = reqwest::Client; fn f(c: Http) { c.target(); }"),
        ("alias of that name", "type Client = reqwest::Client; fn f(c: Client) { c.target(); }"),
        ("aliases", "type A = B; type B = Box<reqwest::Client>; fn f(c: A) { c.target(); }"),
        ("pattern", "struct S { c: reqwest::Client } impl S { fn f(&self) { let Self { c } = self; c.target(); } }"),
        ("variant", "enum E { A(u8, reqwest::Client) } fn f(e: E) { match e { E::A(n, c) => c.target(), } }"),
        (
            "variant with fields",
            "enum E { A { n: u8, c: reqwest::Client } } fn f(e: E) { match e { E::A { c, n } => c.target() } }",
        ),
        (
            "variant inside",
            "enum E { A(reqwest::Client) } fn f(e: Option<E>) { match e { Some(E::A(c)) => c.target(), _ => {} } }",
        ),
        ("result", "fn make() -> Result<reqwest::Client, E> {} fn f() { match make() { Ok(c) => c.target(), Err(e) => {} } }"),
        (
            "match",
            "fn make() -> Option<reqwest::Client> {} fn f() { let c = match make() { None => return, Some(x) => x }; c.target(); }",
        ),
        ("tuple", "fn make() -> (u8, reqwest::Client) {} fn f() { let (n, c) = make(); c.target(); }"),
        ("derived", "#[derive(Parser)] struct O { c: reqwest::Client } fn f() { O::parse().c.target(); }"),
    ] {
        let workspace = workspace(&[
            ("app/main.rs", &format!("{main} fn main() {{}}")),
            ("shared/lib.rs", "pub fn client() -> reqwest::Client { reqwest::Client::new() }"),
        ]);
        let call = workspace.named("target").next().expect(why);
        let receiver = call.receiver().expect(why);
        assert_eq!(receiver.ty(), Definition::External("reqwest::Client"), "{why}: {main}");
    }
}

#[test]
fn async_is_known() {
    for (main, expected) in [
        ("async fn f() { target(); }", true),
        ("fn f() { target(); }", false),
        ("fn f() { spawn(async { target() }); }", true),
        ("async fn f() { spawn_blocking(|| target()); }", false),
        ("async fn f() { map(async |x| target()); }", true),
        ("async fn f() { map(|x| async move { target() }); }", true),
    ] {
        let workspace = workspace(&[("app/main.rs", &format!("{main} fn main() {{}}")), ("shared/lib.rs", "")]);
        let is_async: Vec<_> = workspace.named("target").map(Node::is_async).collect();
        assert_eq!(is_async, [expected], "{main}");
    }
}

#[test]
fn hostile_sources_are_refused_not_fatal() {
    let parse = |text: &str| {
        let text = text.to_owned();
        let parse = move || rust::parse(FileId(0), &text).map(drop).map_err(|problem| problem.message);
        std::thread::Builder::new().stack_size(rust::STACK_SIZE).spawn(parse).unwrap().join().expect("no panic")
    };
    for (what, bomb) in [
        ("brackets", "(".repeat(100_000)),
        ("not", format!("fn f() {{ {}x }}", "!".repeat(50_000))),
        ("methods", format!("fn f() {{ a{} }}", ".b()".repeat(50_000))),
        ("sums", format!("fn f() {{ {}1 }}", "1 + ".repeat(50_000))),
        ("casts", format!("fn f() {{ 1{} }}", " as u8".repeat(50_000))),
        ("generics", format!("type T = {}u8{};", "Box<".repeat(50_000), ">".repeat(50_000))),
        ("branches", format!("fn f() {{ if a {{}} {} }}", "else if a {}".repeat(50_000))),
    ] {
        assert!(parse(&bomb).unwrap_err().contains("too deep"), "{what}");
    }
    // Just inside the limits: the stack must hold.
    for (what, tall) in [
        ("brackets", format!("fn f() {{ {}1{} }}", "(".repeat(990), ")".repeat(990))),
        ("blocks", format!("fn f() {{ {}1{} }}", "{".repeat(990), "}".repeat(990))),
        ("not", format!("fn f() {{ {}x }}", "!".repeat(4_990))),
        ("methods", format!("fn f() {{ a{} }}", ".b()".repeat(4_990))),
        ("sums", format!("fn f() {{ {}1 }}", "1 + ".repeat(4_990))),
        ("casts", format!("fn f() {{ 1{} }}", " as u8".repeat(4_990))),
        ("generics", format!("type T = {}u8{};", "Box<".repeat(490), ">".repeat(490))),
        ("branches", format!("fn f() {{ if a {{}} {} }}", "else if a {}".repeat(19_990))),
        ("closures", format!("fn f() {{ {}1 }}", "|| ".repeat(2_490))),
    ] {
        assert_eq!(parse(&tall), Ok(()), "{what}");
    }
    assert!(parse("fn main( {").unwrap_err().contains("not valid Rust"));
    assert_eq!(parse(""), Ok(()));
    assert_eq!(parse("\u{feff}#!/usr/bin/env run\nfn main() {}"), Ok(()));
}

/// Whether the binary `app`, a service where it calls `serve()`, runs a call of `target()`.
fn runs(main: &str, shared: &str) -> bool {
    let mut workspace = workspace(&[("app/main.rs", main), ("shared/lib.rs", shared)]);
    let serving = workspace.named("serve").next().map(|node| Found { value: "serves".to_owned(), at: node.at() });
    workspace.services = vec![service(serving)];
    workspace.named("target").any(|node| workspace.run_by(node).is_some())
}

fn service(evidence: Option<Found<String>>) -> Service {
    Service {
        documents: Default::default(),
        name: "app".into(),
        package: 0,
        binary: "app".into(),
        directory: "app".into(),
        evidence: evidence.into_iter().collect(),
        protocol: None,
        port: None,
        admin_port: None,
        store: None,
        discovery: None,
        auth: None,
        tls: None,
        public: None,
        calls: Vec::new(),
        broker: None,
        consumes: Vec::new(),
        liveness: None,
        readiness: None,
        startup: None,
        metrics: None,
        drain: None,
        environment: Vec::new(),
    }
}

#[test]
fn what_a_service_runs() {
    for (why, main, expected) in [
        ("main", "fn main() { target(); }", true),
        ("a call", "fn main() { a(); } fn a() { target(); }", true),
        ("nobody calls it", "fn main() {} fn a() { target(); }", false),
        ("handed on", "fn main() { route(get(handler)); } async fn handler() { target(); }", true),
        ("method", "struct S; impl S { fn m(&self) { target(); } } fn main() { let s = S; s.m(); }", true),
        ("method of who knows what", "struct S; impl S { fn m(&self) { target(); } } fn main() { S; get().m(); }", true),
        ("method of a type never made", "struct S; impl S { fn m(&self) { target(); } } fn main() { get().m(); }", false),
        ("outside trait", "struct S; impl Actor for S { fn m(&self) { target(); } } fn main() { run(S); }", true),
        (
            "field",
            "struct A { s: S } struct S; impl Actor for S { fn m(&self) { target(); } } fn main() { let a: A = make(); }",
            true,
        ),
        (
            "variant",
            "enum A { S(S) } struct S; impl Actor for S { fn m(&self) { target(); } } fn f(a: A) {} fn main() { f(x); }",
            true,
        ),
        ("macro's method", "struct S; impl S { #[oai(path = \"/\")] fn m(&self) { target(); } } fn main() { run(S); }", true),
        ("static", "static S: Lazy<u8> = Lazy::new(|| target()); fn main() { S.get(); }", true),
        ("static that nobody reads", "static S: Lazy<u8> = Lazy::new(|| target()); fn main() {}", false),
        ("launch", "#[rocket::launch] fn rocket() { target(); }", true),
        ("library", "fn main() { shared::work(); }", true),
        ("library's other half", "fn main() { shared::other(); }", false),
        ("subcommand", "fn main() { match cli.cmd { Cmd::Migrate => target(), Cmd::Serve => serve() } }", false),
        (
            "served subcommand",
            "fn main() { match cli.cmd { Cmd::Migrate => {} Cmd::Serve => go() } } fn go() { serve(); target(); }",
            true,
        ),
        ("a result is no subcommand", "fn main() { match load().await { Ok(x) => serve(), Err(e) => target() } }", true),
        ("early exit", "fn main() { if cli.version { target(); return; } serve(); }", false),
        ("early exit of a handler", "fn main() { serve(h); } fn h() { if x { target(); return; } }", true),
        ("either way", "fn main() { if tls { target(); } serve(); }", true),
        ("healthcheck", "fn main() { if args.health { return shared::work(); } serve(); }", false),
        (
            "an exit that chooses its code",
            "fn main() { if let Some(Check) = cmd { target(); if ok { return Ok(()); } else { return Err(x); } } serve(); }",
            false,
        ),
        (
            "subcommands by method",
            "enum C { A(A), S(S) } struct A; impl A { fn run(self) { target(); } } struct S; impl S { fn run(self) { serve(); } } \
             fn main() { match C::parse() { C::A(a) => a.run(), C::S(s) => s.run() } }",
            false,
        ),
        (
            "subcommands that name themselves",
            "#[derive(Subcommand)] enum C { Start, Report(R) } struct R; impl R { fn run(self) { target(); } } \
             fn main() { let c: C = read(); later(serve); match c { C::Start => {}, C::Report(r) => r.run() } }",
            false,
        ),
        (
            "a library cannot call what it does not know",
            "struct S; impl S { fn execute(self) { target(); } } fn main() { S; shared::query(); }",
            false,
        ),
    ] {
        let shared = "pub fn work() { target(); } pub fn other() {} pub fn query() { get().execute(); }";
        assert_eq!(runs(main, if main.contains("shared::") { shared } else { "" }), expected, "{why}: {main}");
    }
}

fn fate_of_client(main: &str) -> (Vec<String>, usize) {
    let workspace = workspace(&[("app/main.rs", main), ("shared/lib.rs", "pub fn tune(b: B) -> B { b.timeout(t) }")]);
    let node = workspace.calls_to("reqwest::Client::new").next().expect("a client");
    let fate = node.fate(&|method| matches!(method, "timeout" | "build"));
    (fate.methods.iter().filter_map(|node| node.method().map(str::to_owned)).collect(), fate.given.len())
}

#[test]
fn values_are_followed_across_functions() {
    for (why, main, methods, given) in [
        ("parameter", "fn main() { f(Client::new()); } fn f(c: Client) { c.get(); }", "get", 0),
        ("another crate", "fn main() { shared::tune(Client::new()).build(); }", "timeout build", 0),
        ("return", "fn main() { make().get(); } fn make() -> Client { Client::new() }", "get", 0),
        (
            "a function that is called as its module is",
            "use make::make; fn main() { make().get(); } mod make { pub fn make() -> crate::Client { crate::Client::new() } }",
            "get",
            0,
        ),
        (
            "field",
            "struct S { c: Client } fn main() { S { c: Client::new() }; } impl S { fn f(&self) { self.c.get(); } }",
            "get",
            0,
        ),
        (
            "field that a pattern takes",
            "struct S { c: Client, n: u8 } fn main() { S { c: Client::new(), n: 1 }; } impl S { fn f(&self) { let S { c: http, .. } = self; http.get(); } }",
            "get",
            0,
        ),
        ("tuple field", "struct S(Client); fn main() { S(Client::new()); } impl S { fn f(&self) { self.0.get(); } }", "get", 0),
        ("static", "static C: LazyLock<Client> = LazyLock::new(|| Client::new()); fn main() { C.get(); }", "get", 0),
        ("once", "fn c() -> &'static Client { CELL.get_or_init(|| Client::new()) } fn main() { c().get(); }", "get", 0),
        ("wrapped outside", "fn main() { let m = Wrap::new(Client::new()); }", "", 1),
        ("stops at a request", "fn main() { Client::new().get().timeout(); }", "get", 0),
    ] {
        let main = format!("use reqwest::Client; {main}");
        let (mut found, count) = fate_of_client(&main);
        found.sort_unstable_by_key(|name| methods.find(name.as_str()));
        assert_eq!((found.join(" ").as_str(), count), (methods, given), "{why}: {main}");
    }
}

#[test]
fn calls_outside_are_found_whether_a_body_waits_or_not() {
    for (why, main, count) in [
        ("a body that waits", "use reqwest::Client; fn main() { Client::new(); }", 1),
        ("an item inside: parsed with its file", "fn main() { use reqwest::Client as C; C::new(); }", 1),
        ("both", "use reqwest::Client; fn main() { Client::new(); } fn f() { use reqwest::Client as C; C::new(); }", 2),
        ("another's", "struct Client; fn main() { Client::new(); }", 0),
    ] {
        let workspace = workspace(&[("app/main.rs", main), ("shared/lib.rs", "")]);
        assert_eq!(workspace.calls_to("reqwest::Client::new").count(), count, "{why}");
        assert_eq!(workspace.calls_below("reqwest::Client").len(), count, "{why}");
    }
}

#[test]
fn a_body_that_does_not_parse_is_said_when_it_is_asked_for() {
    let text = "fn main() { let = 3; } fn other() { reqwest::get(); }";
    let workspace = workspace(&[("app/main.rs", text), ("shared/lib.rs", "")]);
    let problems = || super::rust::late_problems(&workspace.rust[0]).count();
    assert_eq!((workspace.calls_to("reqwest::get").count(), problems()), (1, 0));
    let main = workspace.node_at(workspace.rust[0].location(super::Span::new(10, 22)), |_| true);
    assert_eq!((main.is_some(), problems()), (true, 1));
}
