"""A Consul agent. Debian has packages of it up to bullseye; they are unpacked below the target folder and not installed."""

import json
import os
import signal
import subprocess
import time
import urllib.request

from commands import TARGET
import processes
from services import free_port

PLACE = TARGET / "servers" / "consul"
BINARY = PLACE / "usr/bin/consul"


def install():
    if BINARY.exists():
        return
    (PLACE / "lists/partial").mkdir(parents=True, exist_ok=True)
    (PLACE / "sources.list").write_text("deb http://deb.debian.org/debian bullseye main\n")
    apt = ["apt-get", "-qq", "-o", f"Dir::Etc::SourceList={PLACE}/sources.list", "-o", "Dir::Etc::SourceParts=/dev/null",
           "-o", f"Dir::State::Lists={PLACE}/lists", "-o", f"Dir::Cache={PLACE}", "-o", "APT::Sandbox::User=root"]
    subprocess.run([*apt, "update"], check=True)
    subprocess.run([*apt, "download", "consul"], cwd=PLACE, check=True)
    [package] = PLACE.glob("consul_*.deb")
    subprocess.run(["dpkg", "-x", package, PLACE], check=True)


class Consul:
    option = "consul"
    # How long it may take until callers know, in seconds, and until a dead instance is dropped: with a TTL of 3 s.
    news, patience = 5, 15
    # What services are started with.
    around = []
    leaves_at_once = True

    def __init__(self, scratch):
        install()
        self.scratch, self.port = scratch, free_port()
        self.process = None

    def settings(self, *_):
        return {
            "CONSUL__AGENT": f"http://127.0.0.1:{self.port}", "ADVERTISED__TTL_MS": 3000,
            "DISCOVERY__REFRESH_MS": 1000,
        }

    def start(self):
        """An agent that keeps nothing on disk."""
        others = [f"-{name}-port={free_port()}" for name in ("server", "serf-lan", "serf-wan")]
        with open(self.scratch / "consul.log", "ab") as log:
            self.process = processes.start(
                [BINARY, "agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1", f"-http-port={self.port}", "-dns-port=-1",
                 "-grpc-port=-1", *others], stdout=log, stderr=log)
        began = time.monotonic()
        while not self.leads():
            assert self.process.poll() is None and time.monotonic() - began < 20, "the agent does not start"
            time.sleep(0.05)

    def leads(self):
        try:
            return self.get("/v1/status/leader") != ""
        except OSError:
            return False

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return json.load(answer)

    def version(self):
        return "Consul " + self.get("/v1/agent/self")["Config"]["Version"]

    def healthy(self, service):
        """Ports of the instances that it has callers go to."""
        return sorted(entry["Service"]["Port"] for entry in self.get(f"/v1/health/service/{service}?passing=1"))

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.kill()
