//! What a service's configuration files say, and the environment variables that override them.

use std::collections::BTreeMap;

use cargo_metadata::camino::Utf8Path;

use super::environment::{arguments, is_secret};
use super::servers::innermost;
use super::{Context, files_below};
use crate::workspace::manifest::{Package, join};
use crate::workspace::names::{Definition, TypeRef};
use crate::workspace::reach::Reach;
use crate::workspace::rust::{ExprKind, Field, TypeKind};
use crate::workspace::service::EnvVar;
use crate::workspace::settings::{Format, Settings};
use crate::workspace::values::constant_text;
use crate::workspace::{FileId, Location, Workspace};

/// Sections of a configuration nest at most this deep.
const MAX_NESTING: usize = 8;

/// A key with its value: `server.port` is `8080`.
#[derive(Clone, Debug)]
pub struct Knob {
    pub key: String,
    pub value: String,
    pub at: Location,
}

/// The configuration of one service: files that its code embeds, else those in its package's folder.
#[derive(Debug, Default)]
pub struct Knobs {
    pub all: Vec<Knob>,
    /// The file that the code embeds with `include_str!`, and the type it is read into.
    pub embedded: Option<(FileId, Option<TypeRef>)>,
}

impl Knobs {
    pub fn of(context: &Context<'_>, package: &Package, reached: &Reach) -> Self {
        let workspace = context.workspace;
        let embedded = embedded(context, package, reached);
        let knobs = |settings: &Settings| {
            let file = settings.file;
            let entries = settings.entries.iter();
            let read = entries.map(|entry| Knob {
                key: entry.key.clone(),
                value: entry.value.clone(),
                at: Location::new(file, entry.span),
            });
            read.collect::<Vec<_>>()
        };
        let wanted = |settings: &&Settings| match embedded {
            Some((file, _)) => settings.file == file,
            None => {
                let path = workspace.sources.path(settings.file);
                settings.format != Format::Env && is_own(workspace, package, path)
            }
        };
        let mut files: Vec<&Settings> = workspace.settings.iter().filter(wanted).collect();
        // Defaults before the files of one environment.
        files.sort_by_key(|settings| rank(workspace.sources.path(settings.file)));
        Self { all: files.into_iter().flat_map(knobs).collect(), embedded }
    }

    pub fn get(&self, key: &str) -> Option<&Knob> {
        self.all.iter().find(|knob| knob.key == key)
    }

    /// The first knob whose key ends in these segments: `server.port` for `app.server.port`.
    pub fn ending_in(&self, keys: &str) -> Option<&Knob> {
        self.all.iter().find(|knob| knob.key.strip_suffix(keys).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    }

    /// Variables by which the `config` crate lets the environment override these knobs.
    pub fn variables(&self, context: &Context<'_>, package: &Package, reached: &Reach) -> Vec<EnvVar> {
        let workspace = context.workspace;
        let Some(scheme) = Scheme::find(context, package, reached) else { return Vec::new() };
        let mut found: BTreeMap<String, EnvVar> = BTreeMap::new();
        let mut add = |key: &str, default: Option<String>, at: Location| {
            let name = scheme.variable(key);
            let secret = is_secret(&name);
            let default = if secret { None } else { default };
            found.entry(name.clone()).or_insert(EnvVar { name, default, secret, at });
        };
        for knob in &self.all {
            add(&knob.key, Some(knob.value.clone()), knob.at);
        }
        if let Some((_, Some(ty))) = self.embedded {
            let mut keys = Vec::new();
            optional_keys(workspace, ty, "", MAX_NESTING, &mut keys);
            for (key, at) in keys {
                add(&key, Some(String::new()), at);
            }
        }
        found.into_values().collect()
    }
}

/// Whether a configuration file is this package's: below its folder, and not below another package's.
fn is_own(workspace: &Workspace, package: &Package, path: &Utf8Path) -> bool {
    let deeper = |other: &Package| {
        other.directory != package.directory
            && other.directory.starts_with(&package.directory)
            && path.starts_with(&other.directory)
    };
    path.starts_with(&package.directory) && !workspace.packages.iter().any(deeper)
}

fn rank(path: &Utf8Path) -> u8 {
    let stem = path.file_stem().unwrap_or_default().to_ascii_lowercase();
    match stem.as_str() {
        "base" | "default" | "defaults" => 0,
        "config" | "configuration" | "settings" | "rocket" | "application" | "appsettings" => 1,
        _ if ["test", "example", "sample", "ci"].iter().any(|word| stem.contains(word)) => 3,
        _ => 2,
    }
}

/// `include_str!("../config.toml")` in a file that the binary reaches or in its package, where that file is read as
/// configuration; and the struct beside it that is read from it.
fn embedded(context: &Context<'_>, package: &Package, reached: &Reach) -> Option<(FileId, Option<TypeRef>)> {
    let workspace = context.workspace;
    let own = files_below(workspace, &package.directory);
    let included = context.included.iter().filter(|node| own.contains(&node.file) && reached.runs(**node));
    included.into_iter().find_map(|node| {
        let folder = workspace.sources.path(node.facts().file).parent()?;
        let path = join(folder, node.arguments().next()?.text()?)?;
        let file = workspace.sources.find(&path)?;
        let settings = workspace.settings.iter().find(|settings| settings.file == file)?;
        Some((file, type_of(workspace, node.file, settings)))
    })
}

/// The struct in a file whose fields are the most of a configuration's sections.
fn type_of(workspace: &Workspace, file: usize, settings: &Settings) -> Option<TypeRef> {
    let sections: Vec<&str> = settings.entries.iter().filter_map(|entry| entry.key.split('.').next()).collect();
    let types = workspace.rust[file].types.iter().enumerate();
    let scored = types.filter_map(|(index, item)| match &item.kind {
        TypeKind::Struct(fields) if !item.test => {
            let matching = fields.iter().filter(|field| sections.contains(&key_of(workspace, file, field).as_str())).count();
            Some((matching, TypeRef::new(file, index)))
        }
        _ => None,
    });
    scored
        .filter(|(matching, _)| *matching > 0)
        .max_by_key(|(matching, ty)| (*matching, std::cmp::Reverse(*ty)))
        .map(|(_, ty)| ty)
}

/// A field's key: its name, or what `#[serde(rename = "…")]` says.
fn key_of(workspace: &Workspace, file: usize, field: &Field) -> String {
    let serde = field.attributes.iter().filter(|attribute| attribute.path.last().is_some_and(|name| &**name == "serde"));
    let renamed = serde.flat_map(|attribute| arguments(&workspace.rust[file], attribute)).find(|(key, _)| key == "rename");
    renamed.and_then(|(_, value)| value).unwrap_or_else(|| field.name.to_string())
}

/// Keys of `Option` fields, which a file of defaults cannot state.
fn optional_keys(workspace: &Workspace, ty: TypeRef, prefix: &str, nesting: usize, keys: &mut Vec<(String, Location)>) {
    let Some(nesting) = nesting.checked_sub(1) else { return };
    let item = ty.get(&workspace.rust);
    let TypeKind::Struct(fields) = &item.kind else { return };
    let Some(&module) = workspace.names.modules_of(ty.file(), item.module).first() else { return };
    for field in fields {
        let key = key_of(workspace, ty.file(), field);
        let key = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
        match workspace.type_meaning(module, innermost(&field.ty), None) {
            Definition::Type(inner) => optional_keys(workspace, inner, &key, nesting, keys),
            _ if field.ty.name() == Some("Option") => keys.push((key, workspace.rust[ty.file()].location(field.span))),
            _ => {}
        }
    }
}

/// How keys become names of variables: `server.port` is `ORDERS__SERVER__PORT`.
struct Scheme {
    prefix: String,
    prefix_separator: String,
    separator: String,
}

impl Scheme {
    /// From `config::Environment::with_prefix("ORDERS").separator("__")`.
    fn find(context: &Context<'_>, package: &Package, reached: &Reach) -> Option<Self> {
        let workspace = context.workspace;
        let node = context.prefixed.iter().find(|node| reached.runs(**node))?;
        let given = constant_text(node.arguments().next()?);
        let prefix =
            given.or_else(|| stated_prefix(workspace, package)).unwrap_or_else(|| package.name.replace('-', "_").to_uppercase());
        let option = |name: &str| {
            let call = node
                .ancestors()
                .take_while(|ancestor| ancestor.method().is_some())
                .find(|ancestor| ancestor.method() == Some(name));
            call.and_then(|call| constant_text(call.arguments().next()?))
        };
        // As the crate documents it: keys are split only where a separator is set, and the prefix takes the same one.
        let separator = option("separator");
        let prefix_separator = option("prefix_separator").or_else(|| separator.clone()).unwrap_or_else(|| "_".to_owned());
        Some(Self { prefix, prefix_separator, separator: separator.unwrap_or_else(|| "_".to_owned()) })
    }

    fn variable(&self, key: &str) -> String {
        let key = key.replace('.', &self.separator).to_uppercase();
        format!("{}{}{key}", self.prefix.to_uppercase(), self.prefix_separator)
    }
}

/// `env_prefix: "ORDERS"` in the package's own code, where the prefix is handed to a shared library.
fn stated_prefix(workspace: &Workspace, package: &Package) -> Option<String> {
    const FIELD: &str = "env_prefix";
    files_below(workspace, &package.directory).find_map(|file| {
        workspace.nodes_of(file, |body| body.contains(FIELD)).find_map(|node| match node.kind() {
            ExprKind::Struct { fields, .. } => {
                let (_, id) = fields.iter().find(|(name, _)| &**name == FIELD)?;
                constant_text(node.with(*id))
            }
            _ => None,
        })
    })
}
