"""The servers of the tests: a pytest plugin, loaded by ``addopts`` before pytest-django reads the settings.

A run has a throwaway PostgreSQL and a throwaway Valkey, and so has each worker of xdist: what is sealed depends on the
oldest transaction of the whole server, and servers are killed in some tests. The migrations run once, into a template
database; every test that commits gets a copy of it, which takes a few hundredths of a second. The next run begins with
a dump of that template, for as long as no migration has changed. The settings hear of all that through the environment,
as in a deployment.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from config.embedded import places
from config.embedded.postgres import bin_dir
from config.embedded.serving import serving

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
DATABASE = "test_pointkeeper"
TEMPLATE = "template_pointkeeper"
# What a developer may have set for his own shop is none of the tests' business.
FOREIGN = ("ALLOWED_HOSTS", "DATABASE_POOL", "DEBUG", "DEMO", "EMAIL_URL", "HTTPS", "LOG_LEVEL", "SECRET_KEY")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Start the servers and tell the settings where they are."""
    servers = ExitStack()
    early_config.add_cleanup(servers.close)
    folder = Path(tempfile.mkdtemp(prefix="pk-test-", dir="/tmp"))
    servers.callback(shutil.rmtree, folder, ignore_errors=True)
    if not starts_workers(early_config):
        servers.enter_context(serving(folder, throwaway=True))
    os.environ.update(environment(folder))
    for name in FOREIGN:
        os.environ.pop(name, None)


def starts_workers(early_config: pytest.Config) -> bool:
    """Say whether this process only hands the tests out to others."""
    return not WORKER and bool(getattr(early_config.known_args_namespace, "numprocesses", None))


def environment(folder: Path) -> dict[str, str]:
    """Return the settings' environment of these servers."""
    var_dir = folder / "var"
    (var_dir / "static").mkdir(parents=True, exist_ok=True)  # Whitenoise warns of a missing one.
    valkey = quote(str(places.valkey_socket(folder)))
    return {
        "VAR_DIR": str(var_dir),
        "DATABASE_URL": f"postgres://{places.DATABASE_USER}@{quote(str(places.postgres_sockets(folder)), safe='')}"
        f":{places.DATABASE_PORT}/{DATABASE}",
        "BROKER_URL": f"redis+socket://{valkey}?virtual_host=0",
        "CACHE_URL": f"unix://{valkey}?db=1",
        "STATIC_BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage",
    }


def make_template(kept: Path) -> None:
    """Put what the migrations make into the template database, from ``kept`` if it is there."""
    with administration() as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        with (kept / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # One worker migrates, the others wait for its dump.
            dump = kept_dump(kept)
            if not dump.exists():
                migrate()
                for old in kept.glob("*.sql"):
                    old.unlink()
                run("pg_dump", "--file", str(dump.with_suffix(".part")))
                dump.with_suffix(".part").rename(dump)
            else:
                run("psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--single-transaction", "--file", str(dump))
        names = (sql.Identifier(DATABASE), sql.Identifier(TEMPLATE))
        server.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(*names))


def kept_dump(kept: Path) -> Path:
    """Return where the dump of a migrated, empty database lies, once ``make_template`` has been through."""
    return kept / f"{state_of_migrations()}.sql"


def migrate() -> None:
    """Run the migrations into this worker's database."""
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0, interactive=False)
    connection.close()


def state_of_migrations() -> str:
    """Return a digest of all that decides what the migrations leave behind.

    The models are among it because permissions are made of them, the lock file because other people's migrations are.
    """
    root = Path(__file__).resolve().parent.parent
    patterns = ("*/migrations/**/*.py", "*/sql/**/*.sql", "*/models/**/*.py", "*/apps.py", "config/settings.py")
    files = sorted(path for pattern in patterns for path in root.glob(pattern))
    digest = hashlib.sha256()
    digest.update(str(bin_dir().resolve()).encode())  # A dump of one release need not please another.
    for path in [*files, root / "requirements-dev.txt"]:
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:32]


def run(program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs on this worker's database."""
    from django.conf import settings

    server = settings.DATABASES["default"]
    place = {"PGHOST": server["HOST"], "PGPORT": str(server["PORT"]), "PGUSER": server["USER"]}
    subprocess.run(
        [str(bin_dir() / program), *arguments],
        check=True, stdout=subprocess.DEVNULL, env=os.environ | place | {"PGDATABASE": DATABASE},
    )  # fmt: skip


def copy_template() -> None:
    """Make this worker's database afresh: migrated and otherwise empty."""
    from django.db import connections

    connections.close_all()
    name = sql.Identifier(DATABASE)
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
