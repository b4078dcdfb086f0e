"""The embedded servers: they run while somebody uses them, lose nothing committed, and leave nothing behind."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from config.embedded import launch
from config.embedded.keeper import open_lock
from config.embedded.lease import Lease
from config.embedded.postgres import Postgres
from config.embedded.process import Identity, ServerError, open_to, private_folder
from tests.config.servers import connect, find, processes, python, wait_until

HOLD = """
import sys, time
from pathlib import Path
from config.embedded.lease import Lease
with Lease("postgres", Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline() if len(sys.argv) > 2 else time.sleep(600)
"""


def test_a_server_runs_as_long_as_its_lease(var_dir: Path) -> None:
    with Lease("postgres", var_dir, throwaway=True), Lease("valkey", var_dir, throwaway=True):
        with connect(var_dir) as client:
            assert client.execute("SELECT 1").fetchone() == (1,)
        assert find(var_dir, "valkey-server")
    assert not processes(var_dir)
    assert not (var_dir / "postgres" / "data").exists(), "A throwaway server leaves no data."


@pytest.mark.django_db
def test_the_database_knows_chinese_letters_and_the_extensions() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT similarity('林小鹿的店', '林小鹿') > 0, array_agg(extname) FROM pg_extension")
        alike, names = cursor.fetchone()
    assert alike
    assert {"btree_gist", "pg_stat_statements", "pg_trgm"} <= set(names)


def test_whoever_comes_second_keeps_the_server_when_the_first_leaves(var_dir: Path) -> None:
    first, second = Lease("postgres", var_dir, throwaway=True), Lease("postgres", var_dir, throwaway=True)
    with second:
        with first:
            server = find(var_dir, "bin/postgres")
        with connect(var_dir) as client:
            assert client.execute("SELECT 1").fetchone() == (1,)
        assert find(var_dir, "bin/postgres") == server
    assert not processes(var_dir)


def test_leases_taken_and_given_back_all_at_once_never_lose_the_server(var_dir: Path) -> None:
    script = """
import sys
from pathlib import Path
from config.embedded.lease import Lease
from tests.config.servers import connect
var_dir = Path(sys.argv[1])
for _ in range(3):
    with Lease("postgres", var_dir), connect(var_dir) as client:
        assert client.execute("SELECT count(*) FROM generate_series(1, 10000)").fetchone() == (10000,)
"""
    commands = [python(var_dir, "-c", script, str(var_dir)) for _ in range(3)]
    outputs = [command.communicate()[0] for command in commands]
    assert [command.returncode for command in commands] == [0] * 3, outputs


def test_nothing_runs_on_when_the_holder_is_killed(var_dir: Path) -> None:
    holder = python(var_dir, "-c", HOLD, str(var_dir))
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.communicate()
    wait_until(lambda: not processes(var_dir))


@pytest.mark.parametrize("victim", ["config.embedded.keeper", "bin/postgres"])
def test_a_server_that_was_killed_comes_back_with_all_that_was_committed(var_dir: Path, victim: str) -> None:
    with Lease("postgres", var_dir) as lease:
        with connect(var_dir) as client:
            client.execute("CREATE TABLE points (amount int)")
            client.execute("INSERT INTO points VALUES (42)")
        killed = find(var_dir, victim)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: killed not in processes(var_dir))
        lease.wait()
        wait_until(lambda: amount(var_dir) == 42)


def amount(var_dir: Path) -> int | None:
    """Return what the table holds, None while the server is on its way."""
    try:
        with connect(var_dir) as client:
            row = client.execute("SELECT amount FROM points").fetchone()
    except psycopg.OperationalError:
        return None
    return row[0] if row else None


def test_a_deep_folder_works_too(var_dir: Path) -> None:
    deep = var_dir / ("long-name-" * 9)
    with Lease("postgres", deep, throwaway=True), Lease("valkey", deep, throwaway=True), connect(deep) as client:
        assert client.execute("SELECT 1").fetchone() == (1,)


def test_a_server_that_cannot_start_says_why(var_dir: Path) -> None:
    data = var_dir / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("9\n")
    with pytest.raises(ServerError, match="was made by PostgreSQL 9, and the programs installed now are version"):
        Lease("postgres", var_dir).__enter__()


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root can become somebody else.")
def test_root_without_namespaces_runs_the_server_as_another_account(var_dir: Path) -> None:
    var_dir.chmod(0o711)
    server = Postgres(var_dir, durable=False, identity=Identity(account=pwd.getpwnam("nobody")))
    lock = open_lock(var_dir / "lock")
    try:
        server.start(lock)
        assert server.process
        assert Path(f"/proc/{server.process.pid}").stat().st_uid == pwd.getpwnam("nobody").pw_uid
        with connect(var_dir) as client:
            assert client.execute("SELECT 1").fetchone() == (1,)
    finally:
        server.stop()
        os.close(lock)


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root can become somebody else.")
def test_a_folder_the_account_cannot_reach_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "var" / "postgres").mkdir(parents=True)
    closed.chmod(0o700)
    with pytest.raises(ServerError, match="is closed to that account"):
        open_to(closed / "var" / "postgres", Identity(account=pwd.getpwnam("nobody")))


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root can make a folder of somebody else.")
def test_a_socket_folder_that_somebody_else_made_in_tmp_is_refused(var_dir: Path) -> None:
    var_dir.chmod(0o1777)
    trap = var_dir / "pointkeeper-0-trap"
    trap.mkdir()
    shutil.chown(trap, "nobody")
    with pytest.raises(ServerError, match="is not a folder of this user"):
        private_folder(trap)


def test_a_child_whose_parent_is_gone_already_ends_at_once() -> None:
    init = "1"  # Anybody but this process.
    options = ["--parent", init, "--signal", str(int(signal.SIGKILL))]
    child = subprocess.run([sys.executable, "-I", "-S", launch.__file__, *options, "--", "true"], check=False)
    assert child.returncode == -signal.SIGKILL
