//! What the command line asks for, on top of what the configuration says.

use std::path::PathBuf;

use miette::{Result, miette};

use crate::cli::{Lint, LintTier};
use crate::commands::refuse;
use crate::config::{self, Config, LoadError};
use crate::lint::{Level, Levels, Rule, Selector, Settings, Tier};
use crate::workspace::Workspace;

/// The part of settings that the command line states.
#[derive(Debug)]
pub struct Asked {
    tier: Option<Tier>,
    command: Levels,
    select: Vec<Selector>,
    ignore: Vec<Selector>,
}

impl Asked {
    /// Who sets the tier.
    pub fn tier_from<'a>(&self, config: &'a Config) -> &'a str {
        match (&self.tier, &config.lint.tier) {
            (Some(_), _) => "--tier",
            (None, Some((_, origin))) => origin,
            (None, None) => "default",
        }
    }
}

/// # Errors
/// When a flag names what is no rule and no practice.
pub fn asked(args: &Lint, known: &[&'static Rule]) -> Result<Asked> {
    let mut command = Levels::default();
    // The last one wins: the severest.
    for (names, flag, level) in
        [(&args.allow, "--allow", Level::Allow), (&args.warn, "--warn", Level::Warn), (&args.deny, "--deny", Level::Deny)]
    {
        selectors(names, flag, known)?.into_iter().for_each(|selector| command.set(selector, level, flag));
    }
    let tier = args.tier.map(|tier| match tier {
        LintTier::Default => Tier::Default,
        LintTier::Pedantic => Tier::Pedantic,
        LintTier::Auditor => Tier::Auditor,
    });
    let select = selectors(&args.select, "--select", known)?;
    Ok(Asked { tier, command, select, ignore: selectors(&args.ignore, "--ignore", known)? })
}

fn selectors(names: &[String], flag: &str, known: &[&'static Rule]) -> Result<Vec<Selector>> {
    let parse =
        |name: &String| Selector::parse(name, known).map_err(|unknown| miette!(help = unknown.help(), "{flag}: {unknown}"));
    names.iter().map(parse).collect()
}

/// All settings of one tree.
///
/// # Errors
/// When the configuration of a package is wrong, or speaks of a service that is not there.
pub fn effective(asked: &Asked, config: &Config, workspace: &Workspace, known: &[&'static Rule]) -> Result<Settings> {
    let settings = config::resolve(config, workspace, known).map_err(|error| refuse(LoadError::Invalid(error)))?;
    Ok(Settings {
        tier: asked.tier.unwrap_or(settings.tier),
        command: asked.command.clone(),
        select: asked.select.clone(),
        ignore: asked.ignore.clone(),
        ..settings
    })
}

/// The baseline that the command line or the configuration names.
///
/// # Errors
/// When one is to be updated and none is named.
pub fn baseline(args: &Lint, config: &Config) -> Result<Option<PathBuf>> {
    let file = args.baseline.clone().or_else(|| config.baseline().filter(|_| !args.no_baseline));
    if args.update_baseline && file.is_none() {
        let help = "name it with --baseline FILE, or once for all as `baseline` under [lint] in msvc.toml";
        return Err(miette!(help = help, "--update-baseline: which file?"));
    }
    // A path below the working directory is shorter to say.
    let here = std::env::current_dir().unwrap_or_default();
    Ok(file.map(|file| file.strip_prefix(&here).map(Into::into).unwrap_or(file)))
}
