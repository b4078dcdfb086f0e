"""A scratch database on a durable embedded server of its own, gone when the benchmark ends.

Eighty migrations take half a minute on a busy machine, so a copy of the empty database is kept for as long as no
migration changes.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from config.embedded import places
from config.embedded.serving import serving

_PROJECT = Path(__file__).resolve().parent.parent
_APPS = ("crm", "loyalty", "redemption")


@contextmanager
def scratch_database() -> Iterator[Path]:
    """Start a server, point Django at it, migrate; yields a folder for files. ``DATABASE_URL`` in the environment is
    not used: a benchmark never touches a shop's data."""
    folder = Path(tempfile.mkdtemp(prefix="pk-bench-"))
    try:
        with serving(folder):
            sockets = quote(str(places.postgres_sockets(folder)), safe="")
            os.environ |= {
                "DATABASE_URL": f"postgres://{places.DATABASE_USER}@{sockets}:{places.DATABASE_PORT}/{places.DATABASE_NAME}",
                "BROKER_URL": f"redis+socket://{quote(str(places.valkey_socket(folder)))}?virtual_host=0",
                "CACHE_URL": f"unix://{quote(str(places.valkey_socket(folder)))}?db=1",
                "DJANGO_SETTINGS_MODULE": "config.settings",
                "LOG_LEVEL": "WARNING",
                "VAR_DIR": str(folder),
            }
            _migrate()
            yield folder
            _disconnect()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _migrate() -> None:
    import django
    from django.core.management import call_command

    from config.backup import backup, restore

    django.setup()
    copy = _PROJECT / "var" / "benchmarks" / f"empty-{_migrations()}.dump"
    if copy.exists():
        restore(copy)
        return
    call_command("migrate", verbosity=0, skip_checks=True)
    for old in copy.parent.glob("empty-*.dump"):
        old.unlink(missing_ok=True)
    # Two benchmarks that start together both make one; whoever is last leaves his.
    draft = copy.with_name(f"{os.getpid()}-{copy.name}")
    backup(draft)
    draft.replace(copy)


def _migrations() -> str:
    """What the tables are made of: every migration, and the SQL that they read."""
    found = sorted(path for app in _APPS for path in (_PROJECT / app).glob("*/*") if path.suffix in {".py", ".sql"})
    whole = hashlib.sha256()
    for path in found:
        if path.parent.name in {"migrations", "sql", "models"}:
            whole.update(path.read_bytes())
    return whole.hexdigest()[:16]


def _disconnect() -> None:
    from django.db import connections

    connections.close_all()
