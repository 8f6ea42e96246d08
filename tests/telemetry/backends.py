"""A real collector and a real log store, built from source, on ports of their own."""

import json
import os
import re
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

from commands import TARGET
import processes
from services import free_port

HERE = Path(__file__).resolve().parent
TOOLS = TARGET / "telemetry"
BUILDER = "go.opentelemetry.io/collector/cmd/builder@v0.165.0"
LOG_STORE = "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs@v1.52.1"


def install():
    """Builds what is not there yet. It fails when it cannot: a check that did not run is no check."""
    wanted = "\n".join([BUILDER, LOG_STORE, (HERE / "builder.yaml").read_text()])
    installed = TOOLS / "installed"
    if installed.exists() and installed.read_text() == wanted:
        return
    TOOLS.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GOBIN": str(TOOLS), "GOFLAGS": "-buildvcs=false"}
    for module in [BUILDER, LOG_STORE]:
        print(f"  Installing {module}", flush=True)
        subprocess.run(["go", "install", module], env=environment, check=True)
    print("  Building the collector", flush=True)
    command = [TOOLS / "builder", "--config", HERE / "builder.yaml"]
    built = subprocess.run(command, cwd=TOOLS, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert built.returncode == 0, built.stdout
    installed.write_text(wanted)


class Process:
    """A process with a log. Use as a context; it is gone afterwards."""

    def __init__(self, name, command, scratch, environment=None):
        self.name, self.command = name, [str(part) for part in command]
        self.log = scratch / f"{name}.log"
        self.environment = {**os.environ, **(environment or {})}

    def __enter__(self):
        with open(self.log, "ab") as log:
            self.process = processes.start(self.command, env=self.environment, stdout=log, stderr=log)
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.process.terminate()
        self.process.wait(20)

    def text(self):
        return self.log.read_text()


class LogStore(Process):
    def __init__(self, scratch):
        self.url = f"http://127.0.0.1:{free_port()}"
        listen = f"-httpListenAddr={self.url.removeprefix('http://')}"
        super().__init__("logs", [TOOLS / "victoria-logs", listen, f"-storageDataPath={scratch / 'logs'}"], scratch)

    def query(self, query):
        """The lines that a LogsQL query finds."""
        form = urllib.parse.urlencode({"query": query}).encode()
        with urllib.request.urlopen(f"{self.url}/select/logsql/query", form, timeout=5) as answer:
            return [json.loads(line) for line in answer.read().splitlines()]


class Collector(Process):
    """Runs the configuration that a new workspace comes with; only addresses are its own."""

    def __init__(self, config, log_store, scratch):
        address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{address}"
        environment = {"COLLECTOR_ADDRESS": address, "LOG_STORE_URL": log_store.url, "COLLECTOR_VERBOSITY": "detailed"}
        super().__init__("collector", [TOOLS / "collector/collector", "--config", config], scratch, environment)

    def spans(self, trace_id):
        """The spans of a trace, as the collector prints them."""
        found = []
        service, span = None, None
        for line in self.text().splitlines():
            if line.startswith("ResourceSpans #"):
                service, span = None, None
            elif line.startswith("Span #"):
                span = {"service": service}
                found.append(span)
            elif field := re.fullmatch(r"\s+-> ([\w.]+): \w+\((.*)\)", line):
                if span is not None:
                    span[field[1]] = field[2]
                elif field[1] == "service.name":
                    service = field[2]
            elif span is not None and (field := re.fullmatch(r"\s+([A-Z][\w ]*?)\s*: ?(.*)", line)):
                span[field[1]] = field[2]
        return [span for span in found if span.get("Trace ID") == trace_id]


def until(find, what, seconds=20):
    """What `find` finds, once it finds something."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        try:
            if found := find():
                return found
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{what}: not in {seconds} s")
