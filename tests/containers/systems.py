"""What is put into containers, and what must hold there."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from commands import MSVC
from engine import Engine
from parts import in_turn

# With what each service is made, callees before callers.
SHOP = {
    "inventory": ["--store", "none", "--auth", "none", "--tls", "mtls"],
    "orders": ["--calls", "inventory"],
}
EVENTS = {
    "warehouse": ["--auth", "none", "--broker", "kafka"],
    "stock": ["--protocol", "events", "--consumes", "warehouse", "--broker", "kafka", "--store", "none"],
}


class Place:
    def __init__(self, scratch, services):
        self.engine, self.services = Engine(), services
        self.engine.bases()
        # Podman-compose takes the paths of included files from the first file's directory, Docker from their own: this makes
        # `../../certificates` the same place for both.
        parent = scratch / "of" / "both"
        parent.mkdir(parents=True)
        self.workspace = parent / "shop"
        (scratch / "of" / "certificates").symlink_to(self.workspace / "certificates")
        for name, options in services.items():
            first = not self.workspace.exists()
            command = [*MSVC, "new", "--quiet", name, *options, *(["--workspace", "shop"] if first else [])]
            subprocess.run(command, cwd=parent if first else self.workspace, check=True)
        self.took, self.token = {}, None
        for name in services:
            began = time.monotonic()
            self.engine.build(self.workspace, name)
            self.took[name] = time.monotonic() - began

    def compose(self, *arguments):
        return self.engine.compose(self.workspace, *arguments)

    def container(self, service):
        return f"shop_{service}_1"

    def ports(self, service):
        """Of this machine, where its traffic and its admin port are."""
        listed = self.engine.podman("port", self.container(service)).stdout.split("\n")
        ports = [line.rsplit(":", 1) for line in listed if line]
        assert all(host.endswith(" 127.0.0.1") for host, _ in ports), listed
        return sorted(int(port) for _, port in ports)

    def until(self, service, path, seconds=30):
        """Its admin port answers 200."""
        admin, began = self.ports(service)[-1], time.monotonic()
        while (answer := get(f"http://127.0.0.1:{admin}{path}"))[0] != 200:
            assert time.monotonic() - began < seconds, f"{service}: {answer} {self.log(service)}"
            time.sleep(0.1)
        return time.monotonic() - began

    def log(self, service):
        return self.engine.podman("logs", self.container(service), check=False).stdout[-2000:]

    def close(self):
        self.compose("down", "--volumes")
        self.engine.podman("rmi", "--force", *self.services)
        self.engine.close()


def get(url, headers=None, body=None):
    request = urllib.request.Request(url, body and json.dumps(body).encode(), headers or {})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError as error:
        return 0, str(error)


def images_hold_the_service_and_nothing_to_work_with(place):
    """The images: a user without rights, a health check, the service and no shell."""
    sizes = []
    for service in place.services:
        assert place.engine.inspect(service, ".Config.User") == "65532:65532"
        assert "healthcheck" in place.engine.inspect(service, ".HealthCheck.Test")
        assert place.engine.inspect(service, ".Config.StopSignal") in ("SIGTERM", "15")
        shell = place.engine.podman("run", "--rm", "--network=none", "--entrypoint=/bin/sh", service, check=False)
        assert shell.returncode == 127, f"there is a shell: {shell}"
        megabytes = int(place.engine.inspect(service, ".Size")) / 1e6
        sizes.append(f"{service} {megabytes:.0f} MB, built in {place.took[service]:.0f} s")
    return "; ".join(sizes)


def they_run_with_what_their_compose_file_leaves_them(place):
    """Compose starts them: nothing to write but their own data, no capabilities, no way to more, memory and processes bound."""
    certificates = place.workspace / "crates/chassis-tls/dev-certificates.sh"
    for service in place.services:
        if certificates.exists():
            subprocess.run(["sh", certificates, service], cwd=place.workspace, check=True, capture_output=True)
    for service, options in place.services.items():
        if "--auth" not in options and "events" not in options:
            made = place.compose("run", "-T", "--rm", service, "dev-token", "--key-file", f"/var/lib/{service}/dev.key")
            place.token = made.strip().splitlines()[-1]
    place.compose("up", "--detach", "--no-build", "--no-deps", *place.services)
    took = [f"{service} {place.until(service, '/startupz'):.1f} s" for service in place.services]
    for service in place.services:
        container = place.container(service)
        found = [place.engine.inspect(container, field) for field in (
            ".HostConfig.ReadonlyRootfs", ".EffectiveCaps", ".HostConfig.SecurityOpt", ".HostConfig.Memory", ".HostConfig.PidsLimit")]
        assert found == ["true", "[]", "[no-new-privileges]", str(256 << 20), "256"], found
        status = Path(f"/proc/{place.engine.inspect(container, '.State.Pid')}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert fields["Uid"].split() == ["65532"] * 4 and int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
        assert fields["NoNewPrivs"] == "1"
        # Its health check says what its readiness says.
        is_healthy = place.engine.podman("healthcheck", "run", container, check=False).returncode == 0
        assert is_healthy == (get(f"http://127.0.0.1:{place.ports(service)[-1]}/readyz")[0] == 200), service
    return "started: " + ", ".join(took)


def a_request_goes_from_one_to_the_other(place):
    """orders, called with a token, keeps an item on its volume and asks inventory, which it finds by its name and which asks for
    its certificate."""
    for service in place.services:
        place.until(service, "/readyz")
    port = place.ports("orders")[0]
    headers = {"authorization": f"Bearer {place.token}", "content-type": "application/json"}
    assert get(f"http://127.0.0.1:{port}/v1/items")[0] == 401, "it asks for a token"
    status, answer = get(f"http://127.0.0.1:{port}/v1/items", headers, {"name": "kept", "quantity": 1})
    assert status == 201, (status, answer)
    status, answer = get(f"http://127.0.0.1:{port}/v1/inventory/echo", headers, {"message": "from afar"})
    assert status == 200 and b"from afar" in answer, (status, answer, place.log("orders"))
    return answer.decode()


def they_stop_when_told_to_and_keep_what_they_have(place):
    """They are told to stop: they end with 0 and have written nowhere but to their volumes; started again, all is there."""
    took = []
    for service in place.services:
        container = place.container(service)
        changed = [line.split()[1] for line in place.engine.podman("diff", container).stdout.splitlines()]
        assert all(f"{path}/".startswith(MADE_BY_PODMAN) for path in changed), changed
        began = time.monotonic()
        place.engine.podman("stop", "--time", "30", container)
        took.append(time.monotonic() - began)
        assert place.engine.inspect(container, ".State.ExitCode") == "0", place.log(service)
    place.compose("up", "--detach", "--no-build", "--no-deps", *place.services)
    place.until("orders", "/readyz")
    headers = {"authorization": f"Bearer {place.token}"}
    status, answer = get(f"http://127.0.0.1:{place.ports('orders')[0]}/v1/items", headers)
    assert status == 200 and b"kept" in answer, (status, answer)
    return f"stopped within {max(took):.1f} s"


def they_live_without_their_broker(place):
    """No broker is there: they live, and those that publish are ready."""
    for service in place.services:
        place.until(service, "/livez")
    place.until("warehouse", "/readyz")
    admin = place.ports("stock")[-1]
    status, answer = get(f"http://127.0.0.1:{admin}/readyz")
    assert status == 503, answer
    return answer.decode()


# What it mounts into a container, or makes there before the start.
MADE_BY_PODMAN = ("/dev/", "/etc/", "/proc/", "/run/", "/sys/")

BUILT = [images_hold_the_service_and_nothing_to_work_with, they_run_with_what_their_compose_file_leaves_them]
SYSTEMS = {
    "shop": lambda scratch: in_turn(
        Place(scratch, SHOP), [*BUILT, a_request_goes_from_one_to_the_other, they_stop_when_told_to_and_keep_what_they_have]),
    "events": lambda scratch: in_turn(Place(scratch, EVENTS), [*BUILT, they_live_without_their_broker]),
}
