#!/usr/bin/env python3
"""Writes what the fuzz targets start from: the fixtures of the rules, and a generated workspace.

    fuzz/seeds.py WORKSPACE    # WORKSPACE: one that `cargo msvc new` made

Into fuzz/corpus/TARGET, each file named by its contents.
"""

import hashlib
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
FIXTURES = HERE.parent / "tests" / "rules"
# Which target reads a file of that name, first match wins. As src/workspace/walk.rs has it.
TARGETS = [
    (r"(^|/)\.cargo/config(\.toml)?$", "cargo-settings"),
    (r"(^|/)Cargo\.toml$", "manifest"),
    (r"(^|/)Cargo\.lock$", "lock"),
    (r"(^|/)rust-toolchain(\.toml)?$", "toolchain"),
    (r"(^|/)msvc\.toml$", "configuration"),
    (r"^baseline\.json$", "baseline"),
    (r"(^|/)([^/]*\.)?Dockerfile[^/]*$|(^|/)Containerfile$", "dockerfile"),
    (r"(^|/)(docker-)?compose[^/]*\.ya?ml$", "compose"),
    (r"(^|/)kustomization\.ya?ml$", "kustomization"),
    (r"(^|/)(config|settings)[^/]*/[^/]*\.ya?ml$|(^|/)(config|settings)[^/]*\.ya?ml$", "yaml-settings"),
    (r"\.ya?ml$", "kubernetes"),
    (r"(^|/)\.env[^/]*$", "env"),
    (r"migrations?/.*\.sql$", "migration"),
    (r"\.sql$", "query"),
    (r"\.toml$", "toml-settings"),
    (r"\.rs$", "rust"),
]
# What a mutation of a whole tree gains nothing from.
LEFT_OUT = re.compile(r"^baseline\.json$|^(\.git|target|crates|deploy)/|/tests/|^Cargo\.lock$|/README\.md$|openapi\.json$|\.txt$|\.diff$|^LICENSE")
LARGEST_TREE = 60_000


def keep(target, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def files(root):
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and not path.is_symlink() and not name.startswith(".git/"):
            found[name] = path.read_bytes()
    return found


def keep_files(tree):
    for name, data in tree.items():
        target = next((target for pattern, target in TARGETS if re.search(pattern, name)), None)
        if target:
            keep(target, data)


def archive(tree):
    parts = (b"-- " + name.encode() + b" --\n" + data.rstrip(b"\n") + b"\n" for name, data in tree.items())
    return b"".join(parts)


def keep_tree(tree):
    data = archive({name: data for name, data in tree.items() if not LEFT_OUT.search(name)})
    if len(data) <= LARGEST_TREE:
        keep("lint", data)
        return 1
    return 0


def keep_examples():
    """The settings that the documentation shows."""
    text = (HERE.parent / "docs" / "configuration.md").read_text()
    for block in re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        keep("configuration", block.encode())


def main():
    generated = files(pathlib.Path(sys.argv[1]))
    keep_examples()
    keep_files(generated)
    trees = keep_tree(generated)
    for rule in sorted(path for path in FIXTURES.iterdir() if path.is_dir()):
        base = files(rule / "base") if (rule / "base").is_dir() else {}
        for case in sorted(path for path in rule.iterdir() if path.is_dir() and path.name != "base"):
            own = {**base, **files(case)}
            keep_files(own)
            whole = own if "Cargo.toml" in own else {**generated, **own}
            trees += keep_tree(whole)
    counts = {folder.name: len(list(folder.iterdir())) for folder in sorted((HERE / "corpus").iterdir())}
    assert trees > 100, f"only {trees} whole trees"
    print(", ".join(f"{target} {count}" for target, count in counts.items()))


main()
