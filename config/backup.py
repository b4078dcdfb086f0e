"""Copies of the whole database, made and taken back by PostgreSQL's own programs."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from django.db import connection

from config.embedded.postgres import bin_dir
from config.embedded.process import ServerError


class BackupError(Exception):
    """A copy could not be made or taken back; the message says why, in the program's own words."""


def backup(path: Path) -> None:
    """Write a consistent copy of the database to ``path``, while the shop may be running.

    The copy holds personal data, so only its owner may read it. An existing file is not overwritten. Raises
    BackupError.
    """
    if path.exists():
        raise BackupError(f"{path} exists; name another file.")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.part")
    draft.touch(mode=0o600)
    try:
        _run("pg_dump", ["--format=custom", "--no-owner", "--no-privileges", f"--file={draft}"])
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)


def restore(path: Path) -> None:
    """Fill the empty database from the copy at ``path``, whole or not at all. Raises BackupError."""
    if not path.is_file():
        raise BackupError(f"{path} is not there.")
    tables = connection.introspection.table_names()
    if tables:
        raise BackupError(
            f"The database holds {len(tables)} tables. A copy is restored into an empty database only: "
            "set VAR_DIR to a new folder, or DATABASE_URL to a new database."
        )
    name = connection.settings_dict["NAME"]
    # pg_trgm may be there already, from the embedded server's template: --clean --if-exists passes over it.
    _run(
        "pg_restore",
        [
            "--single-transaction",
            "--exit-on-error",
            "--clean",
            "--if-exists",
            "--no-owner",
            f"--dbname={name}",
            str(path),
        ],
    )


def _run(program: str, arguments: Sequence[str]) -> None:
    found = shutil.which(program, path=os.pathsep.join([*_embedded(), os.environ.get("PATH", os.defpath)]))
    if found is None:
        raise BackupError(f"{program} is not on the PATH; install PostgreSQL's client programs.")
    settings = connection.settings_dict
    environment = os.environ | {
        "PGHOST": str(settings["HOST"]),
        "PGPORT": str(settings["PORT"]),
        "PGUSER": str(settings["USER"]),
        "PGPASSWORD": str(settings["PASSWORD"]),
        "PGDATABASE": str(settings["NAME"]),
    }
    done = subprocess.run([found, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupError(done.stderr.strip() or f"{program} ended with {done.returncode}.")


def _embedded() -> list[str]:
    """Where the programs of the embedded server are. They go first: a newer pg_dump reads an older server, but not the
    other way round."""
    try:
        return [str(bin_dir())]
    except ServerError:
        return []
