"""The tool and others, as tests run them."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
MSVC = ["cargo", "run", "--quiet", "--locked", "--manifest-path", str(ROOT / "Cargo.toml"), "--", "msvc"]
# Where generated workspaces are built, so that what they share is built once.
BUILT = TARGET / "generated" / "build"
# Looks for dependencies that nobody uses.
MACHETE = "0.9.2"


def run(command, where, **environment):
    """Its output, where it succeeds."""
    ran = subprocess.run(command, cwd=where, env={**os.environ, **environment}, capture_output=True, text=True)
    assert ran.returncode == 0, f"{command}: {ran.stdout[-3000:]}{ran.stderr[-3000:]}"
    return ran.stdout + ran.stderr


def release(workspace, binaries, services):
    """Builds a workspace and keeps these binaries beside it: the next one is built in the same place. What Cargo said."""
    said = run(
        ["cargo", "build", "--release", "--locked"], workspace, CARGO_TARGET_DIR=str(BUILT),
        # What the linker could still gain would cost a minute for each service, and changes nothing here.
        CARGO_PROFILE_RELEASE_LTO="off", CARGO_PROFILE_RELEASE_CODEGEN_UNITS="16")
    binaries.mkdir()
    for service in services:
        shutil.copy2(BUILT / "release" / service, binaries)
    return said


def machete(workspace):
    place = TARGET / "tools"
    if not (place / "bin/cargo-machete").exists():
        run(["cargo", "install", "--quiet", "--locked", "cargo-machete", "--version", MACHETE, "--root", str(place)], ROOT)
    run([str(place / "bin/cargo-machete"), "."], workspace)
