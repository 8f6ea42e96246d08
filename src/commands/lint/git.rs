//! Asks git what a revision held, and nothing else: no command here looks at the working tree or the index, so whatever the
//! audited repository configures to run on them (filters, hooks, fsmonitor, text conversion, external diffs) does not run.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use miette::{Result, miette};

/// The commit that changes are counted from, seen from the audited root.
pub struct Revision {
    root: PathBuf,
    /// The audited root, from the repository's: empty, or ends in `/`.
    prefix: String,
    /// From the audited root to the repository's: empty, or `../../`.
    up: String,
    /// Object id of each file's contents, by path from the repository's root.
    files: BTreeMap<String, String>,
}

impl Revision {
    /// Where the checked out branch left `name`: the last commit that both have. `name` itself where they share none.
    pub fn find(root: &Path, name: &str) -> Result<Self> {
        // git takes it for an option, whatever it may be.
        if name.starts_with('-') {
            return Err(miette!(help = "name a branch, a tag or a commit", "--since: `{name}` is no revision"));
        }
        let place = git(root, ["rev-parse", "--show-prefix", "--show-cdup"])?;
        if !place.status.success() {
            let help = "--since needs a git repository that holds the audited directory";
            return Err(miette!(help = help, "--since: {}", complaint(&place)));
        }
        let place = String::from_utf8_lossy(&place.stdout).into_owned();
        let mut place = place.split('\n');
        let (prefix, up) = (place.next().unwrap_or_default(), place.next().unwrap_or_default());

        let commit = git(root, ["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")])?;
        if !commit.status.success() {
            return Err(miette!(
                help = "name a branch, a tag or a commit that this clone holds; a CI server may have to fetch it first \
                        (`fetch-depth: 0` on GitHub, `GIT_DEPTH: 0` on GitLab)",
                "--since: `{name}` is no revision of this repository"
            ));
        }
        let commit = line(&commit);
        let base = git(root, ["merge-base", &commit, "HEAD"])?;
        let base = if base.status.success() { line(&base) } else { commit };

        let listed = git(root, ["ls-tree", "-r", "-z", "--full-tree", &base])?;
        if !listed.status.success() {
            return Err(miette!("--since: git cannot list the files of `{name}`: {}", complaint(&listed)));
        }
        let files = String::from_utf8_lossy(&listed.stdout).into_owned();
        // `mode SP type SP object TAB path`
        let files = files.split('\0').filter_map(|entry| {
            let (about, path) = entry.split_once('\t')?;
            let mut words = about.split(' ').skip(1);
            let is_file = words.next()? == "blob";
            words.next().filter(|_| is_file).map(|object| (path.to_owned(), object.to_owned()))
        });
        Ok(Self { root: root.to_owned(), prefix: prefix.to_owned(), up: up.to_owned(), files: files.collect() })
    }

    /// The object that held the file at `path` (from the audited root).
    pub fn object(&self, path: &str) -> Option<&str> {
        self.files.get(&format!("{}{path}", self.prefix)).map(String::as_str)
    }

    /// Objects of files that are no longer where they were: one that is new may be one of them, moved.
    pub fn gone(&self) -> Vec<(String, String)> {
        let top = self.root.join(&self.up);
        let gone = self.files.iter().filter(|(path, _)| top.join(path).symlink_metadata().is_err());
        gone.map(|(path, object)| (path.clone(), object.clone())).collect()
    }

    /// A way to read objects, one after the other.
    pub fn reader(&self) -> Result<Reader> {
        let mut command = command(&self.root, ["cat-file", "--batch"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| miette!("--since: cannot run git: {error}"))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (Some(stdin), Some(stdout)) = (stdin, stdout) else { unreachable!("both are piped") };
        Ok(Reader { child, stdin: Some(stdin), stdout: BufReader::new(stdout) })
    }
}

/// `git cat-file --batch`.
pub struct Reader {
    child: std::process::Child,
    stdin: Option<std::process::ChildStdin>,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Reader {
    /// The text of an object.
    pub fn text(&mut self, object: &str) -> Result<String> {
        let read = self.read(object).map_err(|error| {
            miette!(
                help = "this clone may leave out old contents: `git diff` with the same revision fetches what is missing",
                "--since: git cannot show what a file held: {error}"
            )
        })?;
        Ok(String::from_utf8_lossy(&read).into_owned())
    }

    fn read(&mut self, object: &str) -> io::Result<Vec<u8>> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(stdin, "{object}")?;
        stdin.flush()?;
        let mut head = String::new();
        self.stdout.read_line(&mut head)?;
        // `object SP type SP size`, or `object SP missing`
        let size = head.trim_end().rsplit(' ').next().and_then(|size| size.parse::<u64>().ok());
        let size = size.ok_or_else(|| io::Error::other(format!("object {}", head.trim_end())))?;
        let mut contents = Vec::new();
        let read = (&mut self.stdout).take(size).read_to_end(&mut contents)?;
        let mut end = [0];
        self.stdout.read_exact(&mut end)?;
        if read as u64 == size { Ok(contents) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stdin = None;
        let _ = self.child.wait();
    }
}

fn command<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(root: &Path, arguments: I) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(root)
        .args(["--no-pager", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"])
        .args(arguments);
    // The audited directory decides which repository is asked, also inside of another one's hook.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY"] {
        command.env_remove(variable);
    }
    // An object that a partial clone left out would be fetched, by whatever program the repository names for that.
    command.env("GIT_NO_LAZY_FETCH", "1").env("GIT_ALLOW_PROTOCOL", "none");
    command.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    command
}

fn git<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(root: &Path, arguments: I) -> Result<Output> {
    let output = command(root, arguments).stdin(Stdio::null()).output();
    output.map_err(|error| miette!(help = "--since asks git what changed: install it", "--since: cannot run git: {error}"))
}

fn line(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// The first thing that git says is wrong.
fn complaint(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = said.lines().next().unwrap_or("git failed").trim_start_matches("fatal: ");
    line.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
