//! Pipeline definitions: which files they are.

use cargo_metadata::camino::Utf8Path;

/// Folders that hold nothing but pipelines, hidden ones among them.
pub const FOLDERS: &[&str] = &[
    ".github",
    ".gitlab",
    ".circleci",
    ".forgejo",
    ".gitea",
    ".buildkite",
    ".woodpecker",
    ".ci",
    ".semaphore",
    ".builds",
    ".tekton",
    ".teamcity",
];

/// Files that are pipelines wherever they stand.
const FILES: &[&str] = &[
    ".gitlab-ci.yml",
    ".gitlab-ci.yaml",
    ".travis.yml",
    ".woodpecker.yml",
    ".drone.yml",
    ".cirrus.yml",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    "cloudbuild.yaml",
    "Jenkinsfile",
    "appveyor.yml",
    "buildspec.yml",
    "settings.kts",
    ".build.yml",
    ".woodpecker.yaml",
    "cloudbuild.yml",
    "Jenkinsfile.groovy",
];

/// Folders whose other files are about issues and releases: pipelines are one level deeper.
const FORGES: &[&str] = &[".github", ".forgejo", ".gitea"];

/// Whether a pipeline definition says what is run: not how issues look, or who bumps dependencies.
pub fn runs_something(path: &Utf8Path) -> bool {
    !path.iter().any(|part| FORGES.contains(&part)) || path.iter().any(|part| part == "workflows")
}

/// Whether a path is a pipeline definition.
pub fn is_pipeline(path: &Utf8Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    let yaml = matches!(path.extension(), Some("yml" | "yaml"));
    FILES.contains(&name) || (yaml && path.iter().any(|part| FOLDERS.contains(&part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipelines() {
        for yes in [".github/workflows/ci.yml", "sub/.gitlab-ci.yml", ".circleci/config.yml", "Jenkinsfile"] {
            assert!(is_pipeline(yes.into()), "{yes}");
        }
        assert!(runs_something(".github/workflows/ci.yml".into()) && runs_something("Jenkinsfile".into()));
        assert!(!runs_something(".github/dependabot.yml".into()));
        for no in ["deploy/ci.yml", ".github/CODEOWNERS", "src/ci.rs"] {
            assert!(!is_pipeline(no.into()), "{no}");
        }
    }
}
