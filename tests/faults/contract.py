"""What services answer, held against the documents that they serve, by schemathesis."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from commands import TARGET
from services import Service

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
VENV = TARGET / "faults" / "venv"

# The same requests each time.
SEED = 8
# For each operation and phase.
EXAMPLES = 50


def install():
    """Once, and again when other versions are pinned."""
    installed = VENV / "installed"
    if installed.is_file() and installed.read_bytes() == REQUIREMENTS.read_bytes():
        return
    subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    pip = [VENV / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS]
    subprocess.run(pip, check=True)
    installed.write_bytes(REQUIREMENTS.read_bytes())


async def documented(place):
    """8. requests made from each service's own OpenAPI document, fit and unfit: every answer is one that it documents, none
    is a 500, what fits is accepted, what does not is refused, and nobody gets in without a token."""
    scratch = place["scratch"]

    def service(name, calls=None, **options):
        settings = {"LOG__LEVEL": "warn"}
        if calls:
            token, callee = scratch / f"{calls.name}.token", calls.name.upper()
            token.write_text(calls.bearer)
            settings[f"TOKEN__{callee}_FILE"] = token
            settings[f"DISCOVERY__ADDRESSES__{callee}"] = f"http://127.0.0.1:{calls.port}"
            # A busy machine is no answer that anyone is to blame for.
            settings["SERVER__REQUEST_TIMEOUT_MS"] = 20_000
            settings[f"CALLS__{callee}__TOTAL_TIMEOUT_MS"] = 20_000
            settings[f"CALLS__{callee}__ATTEMPT_TIMEOUT_MS"] = 5_000
        return Service(place["binaries"], name, scratch, settings, **options)

    with service("inventory") as inventory, service("orders", inventory) as orders:
        with service("gateway", orders, stateless=True) as gateway:
            with service("catalog", gateway, protected=False) as catalog:
                all_four = (inventory, orders, gateway, catalog)
                return "; ".join(await asyncio.gather(*(asyncio.to_thread(compare, one) for one in all_four)))


def compare(service):
    report = service.scratch / f"{service.name}-contract.json"
    command = [
        VENV / "bin/schemathesis", "run", f"http://127.0.0.1:{service.port}/openapi.json", "--checks", "all",
        "--continue-on-failure", "--seed", str(SEED), "--max-examples", str(EXAMPLES), "--no-color",
        "--report-json-path", report,
    ]
    if service.bearer:
        command += ["--header", f"Authorization: Bearer {service.bearer}"]
    ran = subprocess.run(command, cwd=service.scratch, capture_output=True, text=True)
    if ran.returncode != 0:
        raise AssertionError(f"{service.name} and its document differ:\n{ran.stdout}{ran.stderr}")
    failed = [line for line in service.log_lines() if line["level"] == "ERROR"]
    if failed:
        raise AssertionError(f"{service.name} failed inside: {failed[:3]}")
    found = json.loads(report.read_text())
    operations, cases = found["operations"], found["test_cases"]
    if not found["complete"] or operations["tested"] < operations["total"]:
        raise AssertionError(f"{service.name} was not tested in full: {operations}")
    return f"{service.name} {cases['generated']} requests to {operations['tested']} operations"
