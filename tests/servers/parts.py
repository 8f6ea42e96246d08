"""Scenarios, part by part: what holds and what is broken."""

import subprocess
import sys
import tempfile
import time
import traceback
from functools import partial
from pathlib import Path


def main(parts):
    """Runs those that the command line names, or all. Each makes its scenarios in a scratch folder of its own."""
    chosen = sys.argv[1:] or list(parts)
    if not set(chosen) <= set(parts):
        sys.exit("known parts: " + ", ".join(parts))
    passed = failed = 0
    for part in chosen:
        with tempfile.TemporaryDirectory() as scratch:
            print(f"\n== {part}", flush=True)
            # Servers that run as users of their own read certificates there.
            Path(scratch).chmod(0o755)
            for scenario in parts[part](Path(scratch)):
                began = time.monotonic()
                print(f"\n{scenario.__doc__}", flush=True)
                try:
                    print(f"   holds: {scenario()} [{time.monotonic() - began:.0f} s]", flush=True)
                    passed += 1
                except Exception as error:
                    failed += 1
                    print(f"   BROKEN: {error or type(error).__name__}", flush=True)
                    if not isinstance(error, AssertionError | subprocess.CalledProcessError):
                        traceback.print_exc()
    print(f"\n{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


def in_turn(place, every):
    """Scenarios of one place, which is closed after the last."""
    for scenario in every:
        bound = partial(scenario, place)
        bound.__doc__ = scenario.__doc__
        yield bound
    place.close()
