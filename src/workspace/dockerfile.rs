//! Dockerfiles: stages, base images, commands, ports, users.

use std::borrow::Cow;

use parse_dockerfile::{Command as ParsedCommand, HealthcheckArguments, Instruction, Source, UnescapedString};

use super::image::Image;
use super::sources::{FileId, Span, Spanned};
use super::variables::{self, Expanded, Variable};
use super::yaml;

/// One Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dockerfile {
    pub file: FileId,
    /// `ARG`s before the first `FROM`.
    pub arguments: Vec<Variable>,
    /// At least one.
    pub stages: Vec<Stage>,
}

/// `FROM` and all up to the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// After `AS`.
    pub name: Option<String>,
    pub base: Base,
    /// `FROM image AS name`.
    pub span: Span,
    pub arguments: Vec<Variable>,
    pub environment: Vec<Variable>,
    pub labels: Vec<Variable>,
    pub runs: Vec<Command>,
    pub copies: Vec<Copy>,
    pub exposed: Vec<Exposed>,
    /// The last of the stage, as they overwrite each other.
    pub user: Option<Spanned<String>>,
    pub workdir: Option<Spanned<String>>,
    pub entrypoint: Option<Command>,
    pub command: Option<Command>,
    pub healthcheck: Option<Healthcheck>,
    pub stop_signal: Option<Spanned<String>>,
    /// `SHELL ["/bin/bash", "-c"]`: what runs the shell forms that follow.
    pub shell: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    Image(Image),
    /// Index of an earlier stage.
    Stage(usize),
    /// `FROM scratch`.
    Scratch,
}

/// What `RUN`, `CMD`, `ENTRYPOINT` and `HEALTHCHECK CMD` run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub form: Form,
    /// The array's items, or the shell line split at white space, here-documents included.
    pub words: Vec<String>,
    /// Of the words of a shell line, those of here-documents left out; empty for an array.
    pub word_spans: Vec<Span>,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `["program", "argument"]`.
    Exec,
    /// A line for a shell.
    Shell,
}

/// `COPY` or `ADD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// `--from`: a stage's name or number, or an image.
    pub from: Option<String>,
    /// Without here-documents.
    pub sources: Vec<String>,
    pub destination: String,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// The first of a range.
    pub port: u16,
    /// The last of a range; equal to `port` elsewhere.
    pub last: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Healthcheck {
    /// `HEALTHCHECK NONE`, or compose's `disable: true`.
    Disabled(Span),
    Command(Command),
}

impl Dockerfile {
    /// The stage that is built when nobody names one.
    pub fn last_stage(&self) -> &Stage {
        self.stages.last().expect("a parsed Dockerfile has a stage")
    }

    pub fn stage(&self, name: &str) -> Option<&Stage> {
        let by_name = |stage: &&Stage| stage.name.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name));
        self.stages.iter().find(by_name).or_else(|| self.stages.get(name.parse::<usize>().ok()?))
    }

    /// `stage` and the stages it is built from, nearest first.
    pub fn lineage<'a>(&'a self, stage: &'a Stage) -> impl Iterator<Item = &'a Stage> {
        std::iter::successors(Some(stage), |stage| match stage.base {
            Base::Stage(earlier) => self.stages.get(earlier),
            _ => None,
        })
    }

    /// `stage` and all stages that it needs: those it is built from, and those it copies from.
    pub fn needed<'a>(&'a self, stage: &'a Stage) -> Vec<&'a Stage> {
        let mut found: Vec<&Stage> = Vec::new();
        let mut open = vec![stage];
        while let Some(stage) = open.pop() {
            if found.iter().any(|known| std::ptr::eq(*known, stage)) {
                continue;
            }
            found.push(stage);
            open.extend(self.lineage(stage));
            open.extend(stage.copies.iter().filter_map(|copy| self.stage(copy.from.as_deref()?)));
        }
        found
    }

    /// A setting of `stage`, inherited from the stages it is built from.
    pub fn inherited<'a, T>(&'a self, stage: &'a Stage, get: impl Fn(&'a Stage) -> Option<&'a T>) -> Option<&'a T> {
        self.lineage(stage).find_map(get)
    }
}

impl Stage {
    /// The image it starts from, when it is one from a registry.
    pub fn image(&self) -> Option<&Image> {
        match &self.base {
            Base::Image(image) => Some(image),
            _ => None,
        }
    }
}

impl Command {
    /// Last part of the program's path: `orders` of `["/app/orders", "--port"]`. Skips `exec`, `NAME=value`, `tini` and kin.
    pub fn program(&self) -> Option<&str> {
        const WRAPPERS: &[&str] = &["exec", "env", "tini", "dumb-init", "catatonit", "sh", "bash", "ash", "nice", "time"];
        self.words
            .iter()
            .flat_map(|word| word.split_whitespace())
            .map(|word| word.rsplit('/').next().unwrap_or(word))
            .find(|word| !word.is_empty() && !word.starts_with('-') && !word.contains('=') && !WRAPPERS.contains(word))
    }
}

/// Facts of one Dockerfile.
///
/// # Errors
/// The text with comments in place of `ENTRYPOINT []` and `CMD []`, which take away what the base image sets, and which the parser
/// does not know.
fn without_resets(text: &str) -> Cow<'_, str> {
    let is_reset = |line: &str| {
        let (instruction, rest) = line.trim().split_once(char::is_whitespace).unwrap_or_default();
        ["ENTRYPOINT", "CMD"].iter().any(|known| instruction.eq_ignore_ascii_case(known))
            && rest.trim().strip_prefix('[').is_some_and(|rest| rest.trim() == "]")
    };
    if !text.lines().any(is_reset) {
        return text.into();
    }
    let comment = |line: &str| if is_reset(line) { line.replacen(['E', 'e', 'C', 'c'], "#", 1) } else { line.to_owned() };
    text.split_inclusive('\n').map(comment).collect::<String>().into()
}

/// What is wrong with it, when it is no Dockerfile.
pub fn parse(file: FileId, text: &str) -> Result<Dockerfile, yaml::Failure> {
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        return Err(yaml::Failure::Invalid { span: Span::default(), message: "it is empty".to_owned() });
    }
    let readable = without_resets(text);
    let parsed = parse_dockerfile::parse(&readable).map_err(|error| {
        if yaml::has_template_tags(text) {
            return yaml::Failure::Template;
        }
        let line_start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let at = (line_start + error.column().saturating_sub(1)).min(text.len());
        yaml::Failure::Invalid { span: Span::new(at, at), message: error.to_string() }
    })?;
    let mut dockerfile = Dockerfile { file, arguments: Vec::new(), stages: Vec::new() };
    for argument in parsed.global_args() {
        dockerfile.arguments.extend(read_pairs(&argument.arguments));
    }
    for stage in parsed.stages() {
        let from = stage.from;
        let end = from.as_.as_ref().map_or(&from.image.span, |(_, name)| &name.span).end;
        let mut read = Stage {
            name: from.as_.as_ref().map(|(_, name)| name.value.to_string()),
            base: base(&dockerfile, &from.image),
            span: Span::new(from.from.span.start, end),
            arguments: Vec::new(),
            environment: Vec::new(),
            labels: Vec::new(),
            runs: Vec::new(),
            copies: Vec::new(),
            exposed: Vec::new(),
            user: None,
            workdir: None,
            entrypoint: None,
            command: None,
            healthcheck: None,
            stop_signal: None,
            shell: None,
        };
        for instruction in stage.instructions {
            read.add(text, instruction);
        }
        dockerfile.stages.push(read);
    }
    Ok(dockerfile)
}

fn base(dockerfile: &Dockerfile, image: &UnescapedString<'_>) -> Base {
    // Only the ARGs before the first FROM count here; a later one may build on an earlier one.
    let lookup = |name: &str| {
        let mut known = dockerfile.arguments.iter().rev().filter(|argument| argument.name == name);
        known.find_map(|argument| argument.value.clone())
    };
    let mut expanded = variables::expand(&image.value, &lookup);
    for _ in 0..4 {
        let again = variables::expand(&expanded.text, &lookup);
        if again.text == expanded.text || again.text.len() > 4096 {
            break;
        }
        expanded = again;
    }
    let named = |stage: &Stage| stage.name.as_deref().is_some_and(|name| is_named(name, &expanded));
    match dockerfile.stages.iter().position(named) {
        Some(earlier) => Base::Stage(earlier),
        None if expanded.text == "scratch" => Base::Scratch,
        None => Base::Image(Image::new(expanded, Span::new(image.span.start, image.span.end))),
    }
}

/// Whether a stage's name is the one asked for. What BuildKit alone knows, as in `platform-${TARGETARCH}`, fits any: stages that differ in
/// their platform are alike.
fn is_named(name: &str, asked: &Expanded) -> bool {
    let by_platform = |variable: &String| ["TARGET", "BUILD"].iter().any(|start| variable.starts_with(start));
    match (asked.text.split_once('$'), &asked.unknown[..]) {
        (Some((before, rest)), [variable]) if by_platform(variable) => {
            let after = rest.trim_start_matches('{').strip_prefix(variable.as_str()).unwrap_or(rest).trim_start_matches('}');
            name.len() > before.len() + after.len() && name.starts_with(before) && name.ends_with(after) && !before.is_empty()
        }
        _ => name.eq_ignore_ascii_case(&asked.text),
    }
}

impl Stage {
    fn add(&mut self, text: &str, instruction: &Instruction<'_>) {
        match instruction {
            Instruction::Arg(arg) => self.arguments.extend(read_pairs(&arg.arguments)),
            Instruction::Env(env) => self.environment.extend(read_environment(&env.arguments)),
            Instruction::Label(label) => self.labels.extend(read_environment(&label.arguments)),
            Instruction::Run(run) => {
                let mut command = command(text, &run.arguments);
                for document in &run.here_docs {
                    command.words.extend(document.value.split_whitespace().map(str::to_owned));
                }
                self.runs.push(command);
            }
            Instruction::Copy(copy) => {
                self.copies.push(read_copy(&copy.options, &copy.src, &copy.dest, copy.copy.span.start));
            }
            Instruction::Add(add) => self.copies.push(read_copy(&add.options, &add.src, &add.dest, add.add.span.start)),
            Instruction::Expose(expose) => {
                let exposed: Vec<_> = expose.arguments.iter().filter_map(|port| self.exposed(port)).collect();
                self.exposed.extend(exposed);
            }
            Instruction::User(user) => self.user = Some(spanned(&user.arguments)),
            Instruction::Workdir(workdir) => self.workdir = Some(spanned(&workdir.arguments)),
            Instruction::Stopsignal(signal) => self.stop_signal = Some(spanned(&signal.arguments)),
            Instruction::Shell(shell) => {
                self.shell = Some(shell.arguments.iter().map(|word| word.value.to_string()).collect());
            }
            Instruction::Entrypoint(entrypoint) => {
                self.entrypoint = Some(command(text, &entrypoint.arguments));
                // An ENTRYPOINT resets the CMD that an earlier image or stage set.
                self.command = None;
            }
            Instruction::Cmd(cmd) => self.command = Some(command(text, &cmd.arguments)),
            Instruction::Healthcheck(check) => {
                self.healthcheck = match &check.arguments {
                    HealthcheckArguments::Cmd { arguments, .. } => Some(Healthcheck::Command(command(text, arguments))),
                    HealthcheckArguments::None { none, .. } => {
                        Some(Healthcheck::Disabled(Span::new(check.healthcheck.span.start, none.span.end)))
                    }
                    _ => None,
                };
            }
            _ => {}
        }
    }

    /// `8080`, `8080/udp`, `8080-8082`, `$PORT` where an ARG or ENV of this stage gives it.
    fn exposed(&self, port: &UnescapedString<'_>) -> Option<Exposed> {
        let lookup = |name: &str| {
            let mut known = self.environment.iter().chain(&self.arguments).filter(|variable| variable.name == name);
            known.find_map(|variable| variable.value.clone())
        };
        let text = variables::expand(&port.value, &lookup).text;
        let (numbers, protocol) = text.split_once('/').unwrap_or((&text, "tcp"));
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        let span = Span::new(port.span.start, port.span.end);
        Some(Exposed { port: first, last, protocol: protocol.to_ascii_lowercase(), span })
    }
}

fn spanned(text: &UnescapedString<'_>) -> Spanned<String> {
    Spanned { value: text.value.trim().to_owned(), span: Span::new(text.span.start, text.span.end) }
}

fn command(text: &str, parsed: &ParsedCommand<'_>) -> Command {
    match parsed {
        ParsedCommand::Exec(array) => Command {
            form: Form::Exec,
            words: array.value.iter().map(|word| word.value.to_string()).collect(),
            word_spans: Vec::new(),
            span: Span::new(array.span.start, array.span.end),
        },
        ParsedCommand::Shell(line) => {
            let words = variables::words(line.value, line.span.start);
            let (words, word_spans) = words.into_iter().map(|word| (word.value, word.span)).unzip();
            let span = Span::new(line.span.start, line.span.end.min(text.len()));
            Command { form: Form::Shell, words, word_spans, span }
        }
        _ => Command { form: Form::Shell, words: Vec::new(), word_spans: Vec::new(), span: Span::default() },
    }
}

fn read_copy(
    options: &[parse_dockerfile::Flag<'_>],
    sources: &[Source<'_>],
    destination: &UnescapedString<'_>,
    start: usize,
) -> Copy {
    let from = options.iter().find(|option| option.name.value == "from");
    Copy {
        from: from.and_then(|option| option.value.as_ref()).map(|value| value.value.to_string()),
        sources: sources
            .iter()
            .filter_map(|source| match source {
                Source::Path(path) => Some(path.value.to_string()),
                _ => None,
            })
            .collect(),
        destination: destination.value.to_string(),
        span: Span::new(start, destination.span.end),
    }
}

fn read_pairs(text: &UnescapedString<'_>) -> Vec<Variable> {
    let whole = Span::new(text.span.start, text.span.end);
    let mut pairs = variables::pairs(&text.value, text.span.start);
    // Continuation lines are already joined in the value, so offsets into it mean nothing in the file.
    if text.value.len() != text.span.len() {
        pairs.iter_mut().for_each(|pair| pair.span = whole);
    }
    pairs
}

/// `NAME=value …`, or the old form `NAME the rest of the line`.
fn read_environment(text: &UnescapedString<'_>) -> Vec<Variable> {
    let first = text.value.split_whitespace().next().unwrap_or_default();
    if first.contains('=') {
        return read_pairs(text);
    }
    let value = text.value.trim_start()[first.len()..].trim();
    let span = Span::new(text.span.start, text.span.end);
    vec![Variable { name: first.to_owned(), value: (!value.is_empty()).then(|| value.to_owned()), span }]
}

/// Whether a file of this name is a Dockerfile: `Dockerfile`, `Dockerfile.orders`, `orders.Dockerfile`, `Containerfile`.
pub fn is_dockerfile(name: &str) -> bool {
    const OTHER: &[&str] =
        &["dockerignore", "md", "txt", "tera", "j2", "jinja", "tmpl", "tpl", "template", "erb", "rs", "sh", "py", "bak"];
    let name = name.to_ascii_lowercase();
    let (stem, extension) = name.split_once('.').unwrap_or((&name, ""));
    // `Dockerfile-node`, `Dockerfile_node`.
    let is_stem = |stem: &str| matches!(stem.split(['-', '_']).next(), Some("dockerfile" | "containerfile"));
    let last = name.rsplit('.').next().unwrap_or_default();
    (is_stem(stem) && !OTHER.contains(&last) && !extension.split('.').any(|part| part == "dockerignore"))
        || (is_stem(last) && !stem.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Dockerfile {
        parse(FileId(0), text).unwrap()
    }

    #[test]
    fn stages_and_their_bases() {
        let text = "ARG RUST=1.95\nARG BASE=rust:${RUST}-slim\nFROM --platform=$BUILDPLATFORM ${BASE} AS build\nRUN cargo build\n\
                    FROM build AS test\nFROM gcr.io/distroless/cc-debian13:nonroot@sha256:ab\nFROM $NOWHERE\nFROM scratch\n";
        let file = read(text);
        let image = |stage: usize| file.stages[stage].image().unwrap();
        assert_eq!((image(0).name.as_str(), image(0).tag.as_deref()), ("rust", Some("1.95-slim")));
        assert_eq!(&text[image(0).span.start as usize..image(0).span.end as usize], "${BASE}");
        assert_eq!(file.stages[1].base, Base::Stage(0));
        assert_eq!(image(2).digest.as_deref(), Some("sha256:ab"));
        assert_eq!(image(3).unknown, ["NOWHERE"]);
        assert_eq!(file.stages[4].base, Base::Scratch);
        assert_eq!(file.lineage(&file.stages[1]).count(), 2);
        assert_eq!(file.stage("BUILD").unwrap().name.as_deref(), Some("build"));
    }

    #[test]
    fn what_a_stage_sets() {
        let text = "FROM a\nARG PORT=8080 X\nENV LOG info and more\nENV A=1 \\\n  B=\"two words\"\nEXPOSE $PORT 53/UDP 1-3\nUSER 65532:65532\n\
                    COPY --from=build /target/release/orders /bin/\nADD x y /z\nCMD [\"a\"]\nENTRYPOINT exec /bin/orders --fast\n\
                    HEALTHCHECK --interval=5s CMD [\"/bin/orders\", \"healthcheck\"]\nSTOPSIGNAL SIGTERM\n";
        let file = read(text);
        let stage = file.last_stage();
        assert_eq!(stage.exposed.iter().map(|exposed| exposed.port).collect::<Vec<_>>(), [8080, 53, 1]);
        assert_eq!(stage.exposed[2].last, 3);
        assert_eq!(stage.exposed[1].protocol, "udp");
        assert_eq!(stage.user.as_ref().unwrap().value, "65532:65532");
        let pairs: Vec<_> = stage.environment.iter().map(|v| (v.name.as_str(), v.value.as_deref().unwrap())).collect();
        assert_eq!(pairs, [("LOG", "info and more"), ("A", "1"), ("B", "two words")]);
        assert_eq!(stage.copies[0].from.as_deref(), Some("build"));
        assert_eq!(stage.copies[1].sources, ["x", "y"]);
        let entrypoint = stage.entrypoint.as_ref().unwrap();
        assert_eq!((entrypoint.form, entrypoint.program()), (Form::Shell, Some("orders")));
        assert_eq!(stage.command, None);
        assert!(matches!(&stage.healthcheck, Some(Healthcheck::Command(c)) if c.form == Form::Exec));
    }

    #[test]
    fn what_a_base_image_runs_can_be_taken_away() {
        let dockerfile = read("FROM a\nentrypoint [ ]\nCMD []\nUSER 1\nCMD [\"b\"]\n");
        assert_eq!(dockerfile.last_stage().span, Span::new(0, 6));
        let command = dockerfile.last_stage().command.as_ref().unwrap();
        assert_eq!(command.words, ["b"]);
    }

    #[test]
    fn here_documents() {
        let file = read("FROM a\nRUN <<EOF\ncargo build --bin orders\nEOF\nCOPY <<X /x\nCOPY y z\nX\nUSER app\n");
        assert!(file.stages[0].runs[0].words.contains(&"orders".to_owned()));
        assert_eq!(file.stages[0].copies.len(), 1);
        assert_eq!(file.stages[0].user.as_ref().unwrap().value, "app");
    }

    #[test]
    fn bad_files() {
        for (text, at) in [("", 0), ("\n \n", 0), ("# only a comment\n", 0), ("FROM a\nNONSENSE x\n", 7), ("RUN x\n", 0)] {
            match parse(FileId(0), text) {
                Err(yaml::Failure::Invalid { span, .. }) => assert!(span.start as usize >= at, "{text}: {span:?}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        assert_eq!(parse(FileId(0), "FROM rust\n{% if x %}\nUSER a\n{% endif %}\n"), Err(yaml::Failure::Template));
    }

    #[test]
    fn names() {
        for yes in
            ["Dockerfile", "dockerfile", "Dockerfile.orders", "orders.Dockerfile", "Containerfile", "prod.orders.dockerfile"]
        {
            assert!(is_dockerfile(yes), "{yes}");
        }
        for no in
            ["Dockerfile.md", "dockerfile.rs", "Dockerfile.dockerignore", "my-dockerfile", "Dockerfile.tera", ".dockerignore"]
        {
            assert!(!is_dockerfile(no), "{no}");
        }
    }
}
