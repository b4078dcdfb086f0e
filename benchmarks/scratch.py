"""A scratch database on a durable embedded server of its own, gone when the benchmark ends."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from config.embedded import places
from config.embedded.serving import serving


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

    django.setup()
    call_command("migrate", verbosity=0, skip_checks=True)


def _disconnect() -> None:
    from django.db import connections

    connections.close_all()
