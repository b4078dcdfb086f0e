"""The servers of the tests: a pytest plugin, loaded by ``addopts`` before pytest-django reads the settings.

One throwaway PostgreSQL and one Valkey serve a whole run, xdist's workers included. The migrations run once, into a
template database; every worker, and every test that commits, gets a copy of it, which takes a few hundredths of a
second. The settings hear of all that through the environment, as in a deployment.
"""

import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from config.embedded import places
from config.embedded.serving import serving

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
TEMPLATE = "template_pointkeeper"
TEMPLATE_LOCK = 42  # An advisory lock: one worker migrates, the others wait.
# What a developer may have set for his own shop is none of the tests' business.
FOREIGN = ("ALLOWED_HOSTS", "DATABASE_POOL", "DEBUG", "DEMO", "EMAIL_URL", "HTTPS", "LOG_LEVEL", "SECRET_KEY")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Start the servers (xdist's workers find them started) and tell the settings where they are."""
    if not WORKER:
        servers = ExitStack()
        early_config.add_cleanup(servers.close)
        folder = Path(tempfile.mkdtemp(prefix="pk-test-", dir="/tmp"))
        servers.callback(shutil.rmtree, folder, ignore_errors=True)
        servers.enter_context(serving(folder, throwaway=True))
        os.environ["TEST_SERVERS"] = str(folder)
    os.environ.update(environment(Path(os.environ["TEST_SERVERS"])))
    for name in FOREIGN:
        os.environ.pop(name, None)


def environment(folder: Path) -> dict[str, str]:
    """Return the settings' environment for this worker: shared servers, but a place of its own for everything else."""
    number = int(WORKER.removeprefix("gw") or 0)
    var_dir = folder / (WORKER or "main")
    (var_dir / "static").mkdir(parents=True, exist_ok=True)  # Whitenoise warns of a missing one.
    valkey = quote(str(places.valkey_socket(folder)))
    return {
        "VAR_DIR": str(var_dir),
        "DATABASE_URL": f"postgres://{places.DATABASE_USER}@{quote(str(places.postgres_sockets(folder)), safe='')}"
        f":{places.DATABASE_PORT}/{database_name()}",
        "BROKER_URL": f"redis+socket://{valkey}?virtual_host={2 * number}",
        "CACHE_URL": f"unix://{valkey}?db={2 * number + 1}",
        "STATIC_BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage",
    }


def database_name() -> str:
    """Return the name of this worker's database."""
    return f"test_{WORKER or 'main'}"


def make_template() -> None:
    """Run the migrations into the template database, unless another worker has done so."""
    from django.core.management import call_command
    from django.db import connection

    with administration() as server:
        server.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
        if server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone():
            return
        draft = database_name()
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(draft)))
        call_command("migrate", verbosity=0, interactive=False)
        connection.close()
        server.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(draft), sql.Identifier(TEMPLATE))
        )


def copy_template() -> None:
    """Make this worker's database afresh: migrated and otherwise empty."""
    from django.db import connections

    connections.close_all()
    name = sql.Identifier(database_name())
    with administration() as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(TEMPLATE)))


def administration() -> psycopg.Connection:
    """Return a connection from which databases can be made."""
    from django.conf import settings

    server = settings.DATABASES["default"]
    return psycopg.connect(
        host=server["HOST"], port=server["PORT"], user=server["USER"], dbname="postgres", autocommit=True
    )
