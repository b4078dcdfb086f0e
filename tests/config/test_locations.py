"""Where the servers are: what the settings are told, with and without URLs."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.embedded import locations, places

VAR = Path("/srv/shop/var")


def test_the_secret_key_is_made_once_and_is_for_its_owner_only(tmp_path: Path) -> None:
    key = locations.secret_key(tmp_path / "var")
    assert len(key) >= 50
    assert locations.secret_key(tmp_path / "var") == key
    assert stat.S_IMODE((tmp_path / "var" / "secret-key").stat().st_mode) == 0o600


def test_commands_that_start_at_once_agree_on_one_secret_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(locations.secret_key, [tmp_path] * 8))
    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret-key"]


def test_without_a_url_the_database_is_reached_through_the_embedded_socket() -> None:
    entry = locations.database("", VAR, pool=False)
    assert (entry["HOST"], entry["NAME"]) == ("/srv/shop/var/postgres/run", "pointkeeper")
    assert entry["CONN_MAX_AGE"] == 600
    assert entry["CONN_HEALTH_CHECKS"]


def test_a_database_url_wins_and_keeps_its_own_options() -> None:
    entry = locations.database("postgres://lin:pw@db.example:5433/points?sslmode=require", VAR, pool=False)
    assert (entry["HOST"], entry["PORT"], entry["NAME"], entry["USER"]) == ("db.example", 5433, "points", "lin")
    assert entry["OPTIONS"] == {"prepare_threshold": 5, "server_side_binding": True, "sslmode": "require"}


def test_a_pool_replaces_persistent_connections() -> None:
    entry = locations.database("", VAR, pool=True)
    assert entry["CONN_MAX_AGE"] == 0
    assert entry["OPTIONS"]["pool"]["max_size"] == 8


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="PostgreSQL"):
        locations.database("mysql://lin@db.example/points", VAR, pool=False)


def test_broker_and_cache_are_two_databases_of_the_embedded_server() -> None:
    assert locations.broker("", VAR) == "redis+socket:///srv/shop/var/valkey/run/valkey.sock?virtual_host=0"
    assert locations.cache("", VAR) == "unix:///srv/shop/var/valkey/run/valkey.sock?db=1"


def test_the_cache_takes_the_database_after_the_brokers() -> None:
    assert locations.cache("", VAR, broker_url="redis://:pw@q.example:6380/3") == "redis://:pw@q.example:6380/4"
    assert locations.cache("", VAR, broker_url="rediss://q.example") == "rediss://q.example/1"


def test_a_cache_url_wins() -> None:
    assert locations.cache("redis://c.example/7", VAR, broker_url="redis://q.example/3") == "redis://c.example/7"


@pytest.mark.parametrize("broker_url", ["amqp://q.example//", "redis+socket:///run/q.sock", "redis://q.example/queue"])
def test_a_broker_that_does_not_tell_the_caches_place_asks_for_cache_url(broker_url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="CACHE_URL"):
        locations.cache("", VAR, broker_url=broker_url)


def test_a_long_path_gets_a_short_socket_folder_of_its_own() -> None:
    deep, other = Path("/srv") / ("x" * 90), Path("/srv") / ("y" * 90)
    folder = places.postgres_sockets(deep)
    assert len(str(folder)) <= places.LONGEST_SOCKET_FOLDER
    assert folder == places.postgres_sockets(deep)
    assert folder not in {places.postgres_sockets(other), places.valkey_socket(deep).parent}
