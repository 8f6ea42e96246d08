"""Generated services as real processes, and what can be seen of them from outside."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import processes
from commands import MSVC, release



def build(scratch, name="shop", options=()):
    """`gateway` calls `orders` calls `inventory`, and `catalog`, which asks for no tokens, calls `gateway`: generated and
    built in release mode. Returns where the binaries are."""
    msvc = [*MSVC, "new", "--quiet", *options]
    subprocess.run([*msvc, "inventory", "--workspace", name], cwd=scratch, check=True)
    workspace = scratch / name
    subprocess.run([*msvc, "orders", "--calls", "inventory"], cwd=workspace, check=True)
    subprocess.run([*msvc, "gateway", "--calls", "orders", "--store", "none"], cwd=workspace, check=True)
    subprocess.run([*msvc, "catalog", "--calls", "gateway", "--auth", "none"], cwd=workspace, check=True)
    # As its owner would: it asks for what orders passes on, so that the calls are three deep.
    client = workspace / "services/gateway/src/clients/orders.rs"
    text = client.read_text()
    assert text.count('get("/v1/items")') == 1, "the client asks for items once"
    client.write_text(text.replace('get("/v1/items")', 'get("/v1/inventory/items")'))
    binaries = scratch / f"{name}-binaries"
    release(workspace, binaries, ("inventory", "orders", "gateway", "catalog"))
    return binaries


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Service:
    """One process. Use as a context; it is gone afterwards."""

    def __init__(self, binaries, name, scratch, settings=None, replica="", stateless=False, protected=True):
        self.name, self.scratch, self.protected = name, scratch, protected
        self.binary = binaries / name
        self.command = [self.binary]
        self.port, self.admin = free_port(), free_port()
        self.log_path = scratch / f"{name}{replica}-{self.port}.log"
        key, database = scratch / "key", scratch / f"{name}{replica}-data" / "items.db"
        prefix = name.upper()
        self.environment = {
            f"{prefix}__{key}": str(value)
            for key, value in {
                "SERVER__HOST": "127.0.0.1", "SERVER__PORT": self.port,
                "ADMIN__HOST": "127.0.0.1", "ADMIN__PORT": self.admin,
                **({"AUTH__KEY_FILE": key} if protected else {}), **({} if stateless else {"STORE__PATH": database}),
                **(settings or {}),
            }.items()
        }
        self.database = database
        self.process = None

    def token(self):
        """A token that this service accepts."""
        if not self.protected:
            return ""
        command = [self.binary, "dev-token", "--key-file", self.scratch / "key"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def __enter__(self):
        self.bearer = self.token()
        self.start()
        return self

    def launch(self):
        self.log = open(self.log_path, "ab")
        environment = {**os.environ, **self.environment}
        # Signals as they are here: SIGXFSZ ignored, so that a file that may not grow is an error and no end.
        self.process = processes.start(
            self.command, env=environment, stdout=self.log, stderr=self.log, restore_signals=False)

    def start(self):
        self.launch()
        self.until("/readyz", 200)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def admin_get(self, path, timeout=5):
        """Status and text of a path on the admin port; status 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def until(self, path, status, seconds=10):
        """Waits for a status on the admin port and returns how long it took."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}: {self.log_text()[-2000:]}")
            if self.admin_get(path)[0] == status:
                return time.monotonic() - began
            time.sleep(0.01)
        raise AssertionError(f"{self.name} {path} was never {status} in {seconds} s")

    def metric(self, name, **labels):
        """The sum of the series of a metric that have these labels."""
        total = 0.0
        for line in self.admin_get("/metrics")[1].splitlines():
            match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if match and match[1] == name:
                found = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
                if all(found.get(key) == value for key, value in labels.items()):
                    total += float(match[3])
        return total

    def memory(self):
        """Resident, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def ended(self, seconds=40):
        """Waits for the end and returns the exit status."""
        return self.process.wait(seconds)

    def log_text(self):
        return self.log_path.read_text()

    def log_lines(self):
        """What was logged; every line must be JSON."""
        return [json.loads(line) for line in self.log_text().splitlines()]
