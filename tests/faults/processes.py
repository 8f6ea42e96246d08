"""Processes that end with this one, on whichever way that goes: a test that breaks while it sets up leaves none behind."""

import atexit
import os
import signal
import subprocess
import sys

STARTED = []


def start(command, **options):
    """Like `subprocess.Popen`."""
    process = subprocess.Popen(command, **options)
    STARTED.append((process, options.get("start_new_session", False)))
    return process


@atexit.register
def end_all():
    for process, leads_its_own in STARTED:
        if process.poll() is None:
            (os.killpg if leads_its_own else os.kill)(process.pid, signal.SIGKILL)
            process.wait()


# Told to stop, Python would end without a word to the above.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
