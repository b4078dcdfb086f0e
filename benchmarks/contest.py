"""Clients of ours and pgbench's take turns at the same server, so that what else the machine does hits both alike."""

import multiprocessing
import re
import resource
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from statistics import median

from config.embedded import places
from config.embedded.postgres import bin_dir

Act = Callable[[], object]
# Makes what one client does again and again; the number tells the clients apart. Called in the client's process.
Prepare = Callable[[int], Act]

PGBENCH_SCALE = 20  # Two million rows: more than the clients of any round would queue for.
_PROCESSES = multiprocessing.get_context("fork")
_STOP = 0.0


@dataclass(frozen=True, slots=True)
class Score:
    """Medians of interleaved rounds: our acts a second, pgbench's transactions a second, and the ratio of a round."""

    clients: int
    per_second: float
    yardstick: float
    ratio: float
    milliseconds: float
    peak_mb: int


def contest(
    folder: str, prepare: Prepare, *, clients: Sequence[int], rounds: int, seconds: float, script: str = "tpcb-like"
) -> list[Score]:
    """Let ``clients`` processes of ours and as many connections of pgbench take turns, for each number of clients.

    ``folder`` is the socket folder of the server; pgbench gets a database of its own there. Close the connections of
    this process first: the clients are forks of it.
    """
    pgbench = partial(_pgbench, folder, script=script, seconds=seconds)
    _make_pgbench_database(folder)
    scores = []
    for count in clients:
        with _Clients.started(prepare, count) as ours:
            ours.run(0.5)  # Plans, caches and connections are warm from here on.
            pairs = [(ours.run(seconds), pgbench(count)) for _ in range(rounds)]
            peak = ours.peak_mb()
        per_second = median(own for own, _ in pairs)
        scores.append(
            Score(
                count, per_second, median(other for _, other in pairs), median(own / other for own, other in pairs),
                1000 * count / per_second, peak,
            )
        )  # fmt: skip
    return scores


def table(scores: Sequence[Score]) -> dict[str, float | int]:
    """The scores as one flat object, a group of names for each number of clients."""
    rows: dict[str, float | int] = {}
    for score in scores:
        rows[f"ratio_{score.clients}"] = round(score.ratio, 3)
        rows[f"per_second_{score.clients}"] = round(score.per_second)
        rows[f"pgbench_{score.clients}"] = round(score.yardstick)
    return rows


class _Clients:
    """Processes that wait at a barrier, act for a while and tell how often they did."""

    def __init__(self, pipes: list[Connection]) -> None:
        self.pipes = pipes

    @classmethod
    @contextmanager
    def started(cls, prepare: Prepare, count: int) -> Iterator["_Clients"]:
        barrier = _PROCESSES.Barrier(count)
        pairs = [_PROCESSES.Pipe() for _ in range(count)]
        processes = [
            _PROCESSES.Process(target=_client, args=(prepare, number, far, barrier.wait), daemon=True)
            for number, (_, far) in enumerate(pairs)
        ]
        for process in processes:
            process.start()
        clients = cls([near for near, _ in pairs])
        try:
            yield clients
        finally:
            for pipe in clients.pipes:
                pipe.send(_STOP)
            for process in processes:
                process.join()

    def run(self, seconds: float) -> float:
        """Acts a second of all clients together."""
        return sum(self._ask(seconds))

    def peak_mb(self) -> int:
        """The memory that the largest client ever had."""
        return round(max(self._ask(-1.0)))

    def _ask(self, question: float) -> list[float]:
        for pipe in self.pipes:
            pipe.send(question)
        return [pipe.recv() for pipe in self.pipes]


def _client(prepare: Prepare, number: int, pipe: Connection, wait: Callable[[], int]) -> None:
    act = prepare(number)
    while (seconds := pipe.recv()) != _STOP:
        if seconds < 0:
            pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
            continue
        wait()
        acts = 0
        begun = time.perf_counter()
        while (passed := time.perf_counter() - begun) < seconds:
            act()
            acts += 1
        pipe.send(acts / passed)


def _make_pgbench_database(folder: str) -> None:
    database = [f"--host={folder}", f"--username={places.DATABASE_USER}"]
    subprocess.run([bin_dir() / "createdb", *database, "pgbench"], check=True, capture_output=True)
    command = [bin_dir() / "pgbench", *database, "--initialize", f"--scale={PGBENCH_SCALE}", "pgbench"]
    subprocess.run(command, check=True, capture_output=True)


def _pgbench(folder: str, clients: int, *, script: str, seconds: float) -> float:
    """Transactions a second of pgbench, with one connection for each client."""
    command = [
        bin_dir() / "pgbench", f"--host={folder}", f"--username={places.DATABASE_USER}", f"--builtin={script}",
        f"--client={clients}", f"--jobs={min(clients, 2)}", f"--time={round(max(seconds, 1))}", "--no-vacuum", "pgbench",
    ]  # fmt: skip
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"tps = ([\d.]+) \(without initial connection time\)", printed)
    if found is None:
        raise SystemExit(f"pgbench answered what was not expected:\n{printed}")
    return float(found[1])
