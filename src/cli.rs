//! The command line as types. Parser, help, completions and man page all come from here; nothing is decided here.

use std::path::PathBuf;

use clap::builder::Styles;
use clap::builder::styling::AnsiColor;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  cargo msvc demo                          see the whole loop once
  cargo msvc new orders --workspace shop   a new workspace with one service
  cargo msvc lint                          audit the workspace you are in
  cargo msvc deploy-manifests              write its Kubernetes manifests";

const NEW_EXAMPLES: &str = "\
Examples:
  cargo msvc new orders --workspace shop         in a new workspace `shop`
  cargo msvc new inventory                       in the workspace you are in
  cargo msvc new billing --store none --diff     only show what would be written
  cargo msvc new audit --protocol events --broker nats --consumes orders
  cargo msvc new --from shop.toml                all services of a file, such as:

    [services.orders]
    broker = \"nats\"
    calls = [\"inventory\"]

    [services.inventory]
    protocol = \"grpc\"

    [services.audit]
    protocol = \"events\"
    broker = \"nats\"
    consumes = \"orders\"";

/// Generate, audit and deploy Rust microservices that keep nine good practices
///
/// Exit status: 0 when all is well, 1 when `lint` has findings or `--check` found a difference, 2 when the command
/// could not do its work.
#[derive(Debug, Parser)]
#[command(name = "cargo-msvc", bin_name = "cargo msvc", version, styles = STYLES, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub global: Global,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output options")]
pub struct Global {
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more; twice for even more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// When to use colors; `auto` also obeys NO_COLOR and CLICOLOR_FORCE
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    New(New),
    Lint(Box<Lint>),
    DeployManifests(DeployManifests),
    Demo(Demo),
    /// Print a completion script for your shell
    Completions {
        /// The shell to write for
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff)
    Man,
}

/// Create a service that builds, passes its tests and keeps the nine practices
///
/// Inside a Cargo workspace, yours or a generated one, the service is added to it. Elsewhere a new workspace is made,
/// named by --workspace, else by the service. Nothing that exists is overwritten, comments and formatting of your
/// manifests stay, and all files are written or none.
#[derive(Clone, Debug, Default, Args)]
#[command(after_long_help = NEW_EXAMPLES)]
pub struct New {
    /// Name of the service: lowercase letters, digits and `-`, as Cargo and DNS both accept. Without it, on a terminal, it asks
    /// for what it needs
    pub name: Option<String>,
    /// Make all services that a file lists: a table `[services.NAME]` for each, with these options by their names. Those that
    /// are there are left alone
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "path", "port", "protocol", "store", "discovery", "auth", "tls", "broker", "consumes", "calls", "public"])]
    pub from: Option<PathBuf>,
    /// Directory of the workspace, made when missing [default: the workspace around here, else NAME]
    #[arg(long, value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// Where the service goes, from the workspace's root [default: services/NAME]
    #[arg(long, value_name = "DIR")]
    pub path: Option<PathBuf>,
    /// Traffic port [default: the first free one from 8080; the admin port is 1010 above it]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1024..=64525))]
    pub port: Option<u16>,

    /// How callers talk to it [default: rest]
    #[arg(long, value_enum, help_heading = "Service options")]
    pub protocol: Option<NewProtocol>,
    /// Where it keeps its own data [default: sqlite]
    #[arg(long, value_enum, help_heading = "Service options")]
    pub store: Option<NewStore>,
    /// How it finds other services [default: kubernetes]
    #[arg(long, value_enum, help_heading = "Service options")]
    pub discovery: Option<NewDiscovery>,
    /// How it knows its callers [default: jwt]
    #[arg(long, value_enum, help_heading = "Service options")]
    pub auth: Option<NewAuth>,
    /// How its traffic is encrypted [default: mesh]
    #[arg(long, value_enum, help_heading = "Service options")]
    pub tls: Option<NewTls>,
    /// What carries its events: those that it publishes, or reads [default: none]
    #[arg(long, value_enum, help_heading = "Service options")]
    pub broker: Option<NewBroker>,
    /// The service whose events it reads, for `--protocol events`
    #[arg(long, value_name = "NAME", help_heading = "Service options")]
    pub consumes: Option<String>,
    /// Services that it calls, each through a client with timeouts, retries and a circuit breaker
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = "Service options")]
    pub calls: Vec<String>,
    /// Reachable from outside the cluster
    #[arg(long, help_heading = "Service options")]
    pub public: bool,

    /// How to say what was made and what remains to be done
    #[arg(long, value_enum, default_value_t, conflicts_with = "diff")]
    pub format: NewFormat,
    #[command(flatten)]
    pub plan: Plan,
}

/// How `new` says what it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum NewFormat {
    /// Lines for a person
    #[default]
    Human,
    /// One object on standard output, for scripts
    Json,
}

/// What to do with planned files instead of writing them.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Plan {
    /// List the files that would be written, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Show what would change as a unified diff, and write nothing
    #[arg(long, conflicts_with = "dry_run")]
    pub diff: bool,
}

impl Plan {
    /// Nothing is written.
    pub fn only_looks(self) -> bool {
        self.dry_run || self.diff
    }
}

macro_rules! offered {
    ($name:ident of $model:ty { $($(#[$meta:meta])* $variant:ident),+ $(,)? }) => {
        /// The values of the model that `new` can generate today.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
        pub enum $name { $($(#[$meta])* $variant),+ }

        impl From<$name> for $model {
            fn from(offered: $name) -> Self {
                match offered { $($name::$variant => Self::$variant),+ }
            }
        }
    };
}

offered!(NewProtocol of crate::service::Protocol {
    /// HTTP with JSON
    #[default]
    Rest,
    /// gRPC over HTTP/2
    Grpc,
    /// Nobody calls it: it reads events from a broker
    Events,
});
offered!(NewBroker of crate::service::Broker {
    /// It has no events
    #[default]
    None,
    /// NATS with JetStream
    Nats,
    /// RabbitMQ, in quorum queues
    Rabbitmq,
    /// Kafka, in a consumer group
    Kafka,
});
offered!(NewStore of crate::service::Store {
    /// Embedded: nothing to install
    #[default]
    Sqlite,
    /// PostgreSQL, a server of its own
    Postgres,
    /// MySQL or MariaDB, a server of its own
    Mysql,
    /// Keeps no data
    None,
});
offered!(NewDiscovery of crate::service::Discovery {
    /// Service names, by cluster DNS
    #[default]
    Kubernetes,
    /// Addresses from configuration
    Static,
    /// A Consul agent, where instances list themselves
    Consul,
    /// A Eureka server, likewise
    Eureka,
});
offered!(NewAuth of crate::service::Auth {
    /// Signed bearer tokens
    #[default]
    Jwt,
    /// Everybody may call
    None,
});
offered!(NewTls of crate::service::Tls {
    /// Plain inside: a service mesh or the network encrypts
    #[default]
    Mesh,
    /// HTTPS, with the certificate of its files
    Rustls,
    /// HTTPS, and callers must show a certificate too
    Mtls,
});

/// Audit the services of any Rust workspace against the nine practices
///
/// Reads files only: nothing of the audited workspace is built or run.
///
/// Exit status: 0 when nothing is reported as an error, 1 when something is, 2 when the audit could not be made.
#[derive(Debug, Args)]
pub struct Lint {
    /// Directory to audit, with everything below it
    #[arg(default_value = ".", value_name = "PATH")]
    pub path: PathBuf,
    /// How to print findings
    #[arg(long, value_enum, default_value_t)]
    pub format: LintFormat,
    /// Also write findings to a file in another format, beside what is printed; may be given several times
    #[arg(long, value_name = "FORMAT=FILE")]
    pub output: Vec<OutputFile>,
    /// Report these rules or practices only
    #[arg(long, value_name = "RULE|PRACTICE", value_delimiter = ',')]
    pub select: Vec<String>,
    /// Do not report these rules or practices
    #[arg(long, value_name = "RULE|PRACTICE", value_delimiter = ',')]
    pub ignore: Vec<String>,

    /// Who is asking: rules of a higher tier ask for more, or are for a review by hand [default: `tier` in msvc.toml]
    // "Persona" is what zizmor calls it.
    #[arg(long, value_enum, alias = "persona", help_heading = "Levels")]
    pub tier: Option<LintTier>,
    /// Report as errors, which make the exit status 1; `all` is whatever is reported. Wins over msvc.toml and packages
    #[arg(long, value_name = "RULE|PRACTICE|all", value_delimiter = ',', help_heading = "Levels")]
    pub deny: Vec<String>,
    /// Report as warnings
    #[arg(long, value_name = "RULE|PRACTICE|all", value_delimiter = ',', help_heading = "Levels")]
    pub warn: Vec<String>,
    /// Do not report; where several of these flags name the same, the severest wins
    #[arg(long, value_name = "RULE|PRACTICE|all", value_delimiter = ',', help_heading = "Levels")]
    pub allow: Vec<String>,
    /// Exit with 0 also when there are errors; with 2 still when the audit could not be made
    #[arg(long, help_heading = "Levels")]
    pub exit_zero: bool,

    /// Report only what lines touch that changed since this branch, tag or commit; all is read and judged as ever
    #[arg(long, value_name = "REV", help_heading = "Adopt step by step")]
    pub since: Option<String>,
    /// Do not report what this file holds: findings that you live with for now [default: `baseline` in msvc.toml]
    #[arg(long, value_name = "FILE", help_heading = "Adopt step by step")]
    pub baseline: Option<PathBuf>,
    /// Report also what the baseline that msvc.toml names holds
    #[arg(long, help_heading = "Adopt step by step", conflicts_with_all = ["baseline", "update_baseline"])]
    pub no_baseline: bool,
    /// Take out of the baseline what is gone; make it, with all that is reported now, where there is none
    #[arg(long, help_heading = "Adopt step by step", conflicts_with_all = ["since", "diff"])]
    pub update_baseline: bool,

    /// Write comments that allow what is reported, each with --reason; `--diff` only shows them
    #[arg(long, requires = "reason", conflicts_with_all = ["fix", "unsafe_fixes", "update_baseline"], help_heading = "Adopt step by step")]
    pub add_allow: bool,
    /// Why those findings are all right; for the next reader to judge whether it still holds
    #[arg(long, value_name = "TEXT", requires = "add_allow", help_heading = "Adopt step by step")]
    pub reason: Option<String>,

    /// Mend what can be mended without changing what the program does
    #[arg(long, help_heading = "Mend", group = "mend")]
    pub fix: bool,
    /// Also apply fixes that change what the program does, such as a timeout: look at each of them
    #[arg(long, help_heading = "Mend", requires = "mend")]
    pub unsafe_fixes: bool,
    /// Show what the fixes would change as a unified diff, and write nothing
    #[arg(long, help_heading = "Mend", group = "mend")]
    pub diff: bool,

    /// Audit again what has not changed, and keep nothing for next time
    #[arg(long, help_heading = "Cache")]
    pub no_cache: bool,
    /// Where to keep what was found [default: MSVC_CACHE_DIR, or cargo-msvc in the user's cache folder]
    #[arg(long, value_name = "DIR", help_heading = "Cache", conflicts_with = "no_cache")]
    pub cache_dir: Option<PathBuf>,

    /// Explain a rule: why, example, what to write instead
    #[arg(long, value_name = "RULE", help_heading = "Ask instead of audit")]
    pub explain: Option<String>,
    /// List all rules
    #[arg(long, help_heading = "Ask instead of audit", conflicts_with = "explain")]
    pub list_rules: bool,
    /// Show which binaries are taken for services, and why; with -v also the variables that they read
    #[arg(long, help_heading = "Ask instead of audit", conflicts_with_all = ["explain", "list_rules"])]
    pub show_services: bool,
    /// Say which rules looked at a line, and what decided
    #[arg(long, value_name = "FILE:LINE", help_heading = "Ask instead of audit",
          conflicts_with_all = ["explain", "list_rules", "show_services", "show_config", "fix", "diff", "add_allow", "update_baseline"])]
    pub why: Option<String>,
    /// Show the settings in effect, each with where it comes from
    #[arg(long, help_heading = "Ask instead of audit", conflicts_with_all = ["explain", "list_rules", "show_services"])]
    pub show_config: bool,
}

/// The tiers of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LintTier {
    /// Rules for everybody
    Default,
    /// Also rules that ask for more
    Pedantic,
    /// Also rules for a review by hand, noisy by nature
    Auditor,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LintFormat {
    /// For people, with source snippets
    #[default]
    Human,
    /// One line a finding: path:line:column: level[rule] message
    Concise,
    /// One document, schema `cargo-msvc/lint/1`
    Json,
    /// The findings of that document, one a line
    Jsonl,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// GitHub workflow annotations
    Github,
    /// GitLab's Code Quality report
    Gitlab,
    /// JUnit's XML, for the test tab of a CI server
    Junit,
    /// Checkstyle's XML, for review tools
    Checkstyle,
    /// What `cargo check --message-format=json` prints, for editors
    RustcJson,
}

/// A format and the file it is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    pub format: LintFormat,
    pub path: PathBuf,
}

impl std::str::FromStr for OutputFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, path) = text.split_once('=').unwrap_or((text, ""));
        let format = LintFormat::from_str(format, false).map_err(|_| {
            let formats = LintFormat::value_variants().iter().filter_map(ValueEnum::to_possible_value);
            let formats: Vec<String> = formats.map(|format| format.get_name().to_owned()).collect();
            format!("`{format}` is no format: write one of {}, then `=` and the file", formats.join(", "))
        })?;
        match path {
            "" => Err("no file is named: write FORMAT=FILE".to_owned()),
            "-" => Err("a file is needed here: --format prints to standard output".to_owned()),
            path => Ok(Self { format, path: path.into() }),
        }
    }
}

/// Write Kubernetes manifests that follow from the code
///
/// Ports, probes, environment and stores are read from the source of every service, so a manifest cannot drift from
/// the code. Running it again changes nothing. What differs between clusters is set under [deploy] in msvc.toml; edit
/// overlays/ENV/kustomization.yaml for the rest: it is written once and then yours.
#[derive(Debug, Args)]
pub struct DeployManifests {
    /// Directory of the workspace
    #[arg(default_value = ".", value_name = "PATH")]
    pub path: PathBuf,
    /// Directory to write to [default: deploy, inside PATH]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Only this service; may be given several times
    #[arg(short = 'p', long = "service", value_name = "SERVICE")]
    pub services: Vec<String>,
    /// Image of a service in prod, as REPOSITORY@sha256:… or sha256:…; the variable MSVC_IMAGE_SERVICE does the same
    #[arg(long = "image", value_name = "SERVICE=IMAGE")]
    pub images: Vec<String>,
    /// What to write
    #[arg(long, value_enum, default_value_t)]
    pub format: DeployFormat,
    /// Write nothing; exit 1 when what is on disk is not what would be written
    #[arg(long, conflicts_with_all = ["dry_run", "diff"])]
    pub check: bool,
    #[command(flatten)]
    pub plan: Plan,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DeployFormat {
    /// A kustomize base with dev and prod overlays
    #[default]
    Kustomize,
}

/// Show the whole loop: generate, build, run, call, stop, audit, deploy
///
/// Needs nothing but Rust. Works in a new directory and leaves it for you to look at: a workspace with one service,
/// `orders`, its log and its Kubernetes manifests. The service listens on this machine only, and is stopped at the end.
#[derive(Debug, Args)]
pub struct Demo {
    /// Where to work; must not exist yet
    #[arg(default_value = "shop", value_name = "DIR")]
    pub directory: PathBuf,
}

#[cfg(test)]
mod tests {
    #[test]
    fn declarations_hold_together() {
        use clap::CommandFactory;
        super::Cli::command().debug_assert();
    }
}
