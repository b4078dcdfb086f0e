"""What the tests of the embedded servers share: commands, connections and processes of a shop of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg

from config.embedded import places
from config.embedded.lease import PROJECT

# The settings of the test run, which a shop of its own must not see.
OF_THE_TESTS = ("BROKER_URL", "CACHE_URL", "DATABASE_URL", "DJANGO_SETTINGS_MODULE", "MAKELEVEL", "STATIC_BACKEND")
PATIENCE_SECONDS = 90


def environment(var_dir: Path, **more: str) -> dict[str, str]:
    """Return the environment of somebody who runs a shop in ``var_dir``."""
    own = {name: value for name, value in os.environ.items() if name not in OF_THE_TESTS}
    return own | {"VAR_DIR": str(var_dir), **more}


def python(var_dir: Path, *arguments: str, **more: str) -> "subprocess.Popen[str]":
    """Start this Python with arguments, in the project's folder, its output readable."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env=environment(var_dir, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(var_dir: Path, *arguments: str, **more: str) -> tuple[int, str]:
    """Run this Python to its end; return its exit status and everything it printed."""
    process = python(var_dir, *arguments, **more)
    try:
        output, _nothing = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
    return process.returncode, output


def connect(var_dir: Path) -> psycopg.Connection:
    """Return a connection to the embedded database."""
    return psycopg.connect(
        host=str(places.postgres_sockets(var_dir)),
        port=places.DATABASE_PORT,
        user=places.DATABASE_USER,
        dbname=places.DATABASE_NAME,
        autocommit=True,
    )


def processes(var_dir: Path) -> dict[int, str]:
    """Return the process ids and command lines of every living process that belongs to ``var_dir``."""
    return dict(_processes(str(var_dir)))


def _processes(var_dir: str) -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            variables = (entry / "environ").read_bytes().decode(errors="replace").split("\0")
            folder = str((entry / "cwd").readlink())
        except OSError:
            continue  # It ended while we looked.
        if command and (var_dir in command or folder.startswith(var_dir) or f"VAR_DIR={var_dir}" in variables):
            yield int(entry.name), command


def find(var_dir: Path, words: str) -> int:
    """Return the oldest process of ``var_dir`` whose command line contains ``words``."""
    return min(pid for pid, command in processes(var_dir).items() if words in command)


def wait_until(condition: Callable[[], object]) -> None:
    """Return when ``condition`` holds; fail when it does not in good time."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "It did not happen in time."
        time.sleep(0.02)
