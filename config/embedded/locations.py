"""Where the database, the broker and the cache are reached. Importing or calling this starts nothing.

Every function takes the URL the operator set, which wins, and the folder of the embedded servers, used without one.
"""

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from config.embedded.places import (
    DATABASE_NAME,
    DATABASE_PORT,
    DATABASE_USER,
    postgres_sockets,
    valkey_socket,
)

BROKER_DB = 0
CACHE_DB = 1
ENGINE = "config.postgresql"


def secret_key(var_dir: Path) -> str:
    """Return the key kept in ``var_dir/secret-key``, made at the first call, readable by its owner only."""
    path = var_dir / "secret-key"
    try:
        return path.read_text()
    except FileNotFoundError:
        pass
    var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"secret-key.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(50))
    try:
        # A link fails where a file is: of two commands that make the key at once, both then read the first one's.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text()


def is_generated(key: str, var_dir: Path) -> bool:
    """Tell whether ``key`` is the one ``secret_key`` made; unlike that, this makes nothing."""
    path = var_dir / "secret-key"
    return path.exists() and path.read_text() == key


def database(database_url: str, var_dir: Path, *, pool: bool) -> dict[str, Any]:
    """Return the ``DATABASES`` entry for ``database_url``, or for the embedded server when that is empty.

    Connections persist for ten minutes, or come from a pool (one per process) when ``pool`` is true.
    """
    entry: dict[str, Any]
    if database_url:
        entry = dict(dj_database_url.parse(database_url))
        if entry["ENGINE"] != "django.db.backends.postgresql":
            raise ImproperlyConfigured(
                "DATABASE_URL must name a PostgreSQL database: postgres://user:password@host/name"
            )
    else:
        entry = {
            "NAME": DATABASE_NAME,
            "USER": DATABASE_USER,
            "PASSWORD": "",
            "HOST": str(postgres_sockets(var_dir)),
            "PORT": DATABASE_PORT,
        }
    entry["ENGINE"] = ENGINE
    options: dict[str, Any] = {"prepare_threshold": 5, "server_side_binding": True}
    if pool:
        options["pool"] = {"min_size": 1, "max_size": 8, "timeout": 10}
    entry["OPTIONS"] = options | entry.get("OPTIONS", {})
    entry["CONN_MAX_AGE"] = 0 if pool else 600  # Django refuses persistent connections beside a pool.
    entry["CONN_HEALTH_CHECKS"] = True
    return entry


def broker(broker_url: str, var_dir: Path) -> str:
    """Return the broker's address for Celery."""
    return broker_url or f"redis+socket://{quote(str(valkey_socket(var_dir)))}?virtual_host={BROKER_DB}"


def cache(url: str, var_dir: Path, *, broker_url: str = "") -> str:
    """Return the cache's address for Django: ``url``, or the database after the broker's on the broker's server.

    Cache and queue never share a database, because clearing a cache empties the database it lies in.
    """
    if url:
        return url
    if not broker_url:
        return f"unix://{quote(str(valkey_socket(var_dir)))}?db={CACHE_DB}"
    parts = urlsplit(broker_url)
    number = parts.path.strip("/") or "0"
    if parts.scheme not in ("redis", "rediss") or not number.isdecimal():
        raise ImproperlyConfigured("Set CACHE_URL as well: the cache's place cannot be told from this BROKER_URL")
    return parts._replace(path=f"/{int(number) + 1}").geturl()
