"""Podman, buildah and podman-compose, with storage of their own below the target directory."""

import os
import subprocess
import sys
from pathlib import Path

from commands import TARGET
from engines import apt_install

PLACE = TARGET / "containers"
VENV = PLACE / "venv"
COMPOSE = "podman-compose==1.6.0"
PACKAGES = [
    "podman", "buildah", "runc", "netavark", "aardvark-dns", "catatonit", "iptables", "mmdebstrap",
]
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"

# What the images hold that Dockerfiles begin with: the packages of the official ones that matter here.
TOOLCHAIN = ["ca-certificates", "gcc", "libc6-dev"]
BASES = {
    "docker.io/library/rust:1.95.0-slim-trixie": ("minbase", TOOLCHAIN),
    "docker.io/library/rust:1.95.0-trixie": ("minbase", [*TOOLCHAIN, "g++", "libssl-dev", "make", "pkg-config"]),
    # As its own description lists them. No shell is among them.
    "gcr.io/distroless/cc-debian13:nonroot": ("extract", [
        "base-files", "ca-certificates", "libc6", "libgcc-s1", "libgomp1", "libssl3t64", "libstdc++6", "netbase", "tzdata",
    ]),
}
PATHS = "/usr/local/cargo/bin:/usr/local/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CHANGES = {
    "docker.io": ["ENV CARGO_HOME=/usr/local/cargo", f"ENV PATH={PATHS}"],
    "gcr.io": ["USER 65532", "WORKDIR /home/nonroot"],
}

SETTINGS = """
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"

[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]

[network]
network_backend = "netavark"
"""


class Engine:
    def __init__(self):
        PLACE.mkdir(parents=True, exist_ok=True)
        if not Path("/usr/bin/buildah").exists() or not Path("/usr/bin/mmdebstrap").exists():
            apt_install(*PACKAGES)
        if not (VENV / "bin/podman-compose").exists():
            subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
            pip = [VENV / "bin/pip", "install", "--quiet", "--disable-pip-version-check", COMPOSE]
            subprocess.run(pip, check=True)
        (PLACE / "containers.conf").write_text(SETTINGS)
        (PLACE / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{PLACE}/storage"\nrunroot = "{PLACE}/run"\n')
        self.environment = {
            **os.environ, "CONTAINERS_CONF": str(PLACE / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(PLACE / "storage.conf"), "OTEL_EXPORTER_OTLP_ENDPOINT": "",
        }

    def podman(self, *arguments, check=True):
        done = subprocess.run(["podman", *arguments], env=self.environment, capture_output=True, text=True)
        assert not check or done.returncode == 0, f"podman {arguments}: {done.stderr}"
        return done

    def compose(self, workspace, *arguments):
        done = subprocess.run(
            [VENV / "bin/podman-compose", *arguments], cwd=workspace, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, f"podman-compose {arguments}: {done.stderr}"
        return done.stdout

    def bases(self):
        """Makes the images that Dockerfiles begin with, unless they are there."""
        for name, (variant, packages) in BASES.items():
            if self.podman("image", "exists", name, check=False).returncode == 0:
                continue
            archive = PLACE / "base.tar"
            subprocess.run(
                ["mmdebstrap", "--quiet", f"--variant={variant}", f"--include={','.join(packages)}", "trixie", archive],
                check=True)
            changes = [f"--change={change}" for change in CHANGES[name.split("/")[0]]]
            self.podman("import", "--quiet", *changes, str(archive), name)
            archive.unlink()

    def build(self, workspace, service):
        """By the service's own Dockerfile, with this machine's toolchain and authorities where the image would have them."""
        toolchain = subprocess.run(["rustc", "--print", "sysroot"], check=True, capture_output=True, text=True).stdout.strip()
        command = [
            "buildah", "build", "--quiet", "--layers", "--format=docker", "--isolation=chroot", "--network=host",
            "--pull-never", f"--volume={toolchain}:/usr/local/rust:ro", f"--volume={CERTIFICATES}:{CERTIFICATES}:ro",
            "--tag", service, "--file", f"services/{service}/Dockerfile", ".",
        ]
        built = subprocess.run(command, cwd=workspace, env=self.environment, capture_output=True, text=True)
        assert built.returncode == 0, built.stderr[-3000:]

    def close(self):
        """Takes the storage's mount of itself away, so that the folder can be removed."""
        layers = PLACE / "storage/overlay"
        while layers.is_mount():
            subprocess.run(["umount", layers], check=True)

    def inspect(self, container, field):
        return self.podman("inspect", "--format", f"{{{{{field}}}}}", container).stdout.strip()
