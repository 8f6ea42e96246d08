"""A Eureka server: `eureka/` is a Spring Cloud application of one class, which Maven builds."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from commands import TARGET
from engines import apt_install
import processes
from services import free_port

SOURCE = Path(__file__).resolve().parent / "eureka"
PLACE = TARGET / "servers" / "eureka"
JAR = PLACE / "target" / "registry.jar"


def install():
    if not shutil.which("mvn"):
        apt_install("maven", "default-jdk-headless")
    newest = max(file.stat().st_mtime for file in SOURCE.rglob("*") if file.is_file())
    if not JAR.exists() or JAR.stat().st_mtime < newest:
        shutil.copytree(SOURCE, PLACE, dirs_exist_ok=True)
        subprocess.run(["mvn", "--quiet", "--batch-mode", "package"], cwd=PLACE, check=True)


class Eureka:
    option = "eureka"
    # How long it may take until callers know, in seconds, and until a dead instance is dropped, which is twice its lease.
    news, patience = 10, 30
    # What services are started with.
    around = []
    # Callers fetch each second: some calls meet an instance that has gone meanwhile.
    leaves_at_once = False

    def __init__(self, scratch):
        install()
        self.scratch, self.port = scratch, free_port()
        self.process = None

    def settings(self, *_):
        # The first server is not there.
        servers = f"http://127.0.0.1:1/eureka, http://127.0.0.1:{self.port}/eureka/"
        return {
            "EUREKA__SERVERS": servers, "ADVERTISED__RENEW_MS": 1000, "EUREKA__FETCH_MS": 1000,
            "DISCOVERY__REFRESH_MS": 1000,
        }

    def start(self):
        """A server that keeps no answer for long, and drops instances that say nothing."""
        server = {"enable-self-preservation": "false", "eviction-interval-timer-in-ms": 500,
                  "response-cache-update-interval-ms": 500, "use-read-only-response-cache": "false"}
        with open(self.scratch / "eureka.log", "ab") as log:
            self.process = processes.start(
                ["java", "-jar", JAR, "--server.address=127.0.0.1", f"--server.port={self.port}",
                 *(f"--eureka.server.{key}={value}" for key, value in server.items())], stdout=log, stderr=log)
        began = time.monotonic()
        while self.get("/apps") is None:
            assert self.process.poll() is None and time.monotonic() - began < 90, "the server does not start"
            time.sleep(0.1)

    def get(self, path):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/eureka{path}", headers={"accept": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return {}
            raise
        except OSError:
            return None

    def version(self):
        found = (re.search(r"/eureka-core-([0-9.]+)\.jar$", name) for name in zipfile.ZipFile(JAR).namelist())
        return "Netflix Eureka " + next(match[1] for match in found if match)

    def healthy(self, service):
        """Ports of the instances that it has callers go to."""
        application = (self.get(f"/apps/{service.upper()}") or {}).get("application", {})
        return sorted(instance["port"]["$"] for instance in application.get("instance", []) if instance["status"] == "UP")

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.kill()
