"""Clients of ours and pgbench's take turns at the same server, so that what else the machine does hits both alike."""

import multiprocessing
import re
import resource
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from django.db import connections

from benchmarks.ledger import proven
from config.embedded import places
from config.embedded.postgres import bin_dir

Act = Callable[[], object]
# Makes what one client does again and again; the number tells the clients apart. Called in the client's process.
Prepare = Callable[[int], Act]

ROUNDS, SECONDS, WARM_UP = 5, 3, 1
FEWER_ROUNDS = 2  # Of the numbers of clients that nothing is promised of: they show the trend.
PGBENCH_SCALE = 20  # Two million rows: more than the clients of any round would queue for.
_PROCESSES = multiprocessing.get_context("fork")


@dataclass(frozen=True, slots=True)
class Score:
    """Medians of interleaved rounds: our acts a second, pgbench's transactions a second, and the ratio of a round."""

    clients: int
    per_second: float
    yardstick: float
    ratio: float
    peak_mb: int
    p50: float  # How long half of all acts took at most, and 99 of a hundred, in seconds.
    p99: float


def against_pgbench(
    folder: Path,
    prepare: Prepare,
    clients: Sequence[int],
    *,
    promised: int,
    each: int = 1,
    script: str = "tpcb-like",
) -> dict[str, float | int]:
    """Let clients of ours and pgbench take turns on the server of ``folder``; prove afterwards that the ledger adds up.

    An act counts ``each``. The figures without a number are those of the ``promised`` number of clients. ``seconds`` is
    how long one client waits for one act.
    """
    connections.close_all()  # The clients are forks of this process, and must not share a connection with it.
    rounds = {count: ROUNDS if count == promised else FEWER_ROUNDS for count in clients}
    scores = contest(str(places.postgres_sockets(folder)), prepare, rounds=rounds, script=script)
    proven("the contest")
    [main] = [score for score in scores if score.clients == promised]
    figures: dict[str, float | int] = {
        "ratio": round(main.ratio * each, 3),
        "per_second": round(main.per_second * each),
        "seconds": round(main.clients / main.per_second, 5),
        "peak_mb": main.peak_mb,
        "p50_ms": round(main.p50 * 1000, 2),
        "p99_ms": round(main.p99 * 1000, 2),
        "p99_to_p50": round(main.p99 / main.p50, 2),
    }
    for score in scores:
        figures[f"ratio_{score.clients}"] = round(score.ratio * each, 3)
        figures[f"per_second_{score.clients}"] = round(score.per_second * each)
        figures[f"pgbench_{score.clients}"] = round(score.yardstick)
    return figures


def contest(folder: str, prepare: Prepare, *, rounds: Mapping[int, int], script: str = "tpcb-like") -> list[Score]:
    """Let as many processes of ours as pgbench has connections take turns with it, for each number of clients so many
    ``rounds``.

    ``folder`` is the socket folder of the server; pgbench gets a database of its own there.
    """
    _make_pgbench_database(folder)
    scores = []
    for count, times in rounds.items():
        with Clients.started(prepare, count) as ours:
            ours.run(WARM_UP)  # Plans, caches and connections are warm from here on.
            ours.forget()
            pairs = [(ours.run(SECONDS), _pgbench(folder, count, script=script)) for _ in range(times)]
            percentiles = quantiles(ours.durations, n=100)
            scores.append(
                Score(
                    count,
                    per_second=median(own for own, _ in pairs),
                    yardstick=median(other for _, other in pairs),
                    ratio=median(own / other for own, other in pairs),
                    peak_mb=ours.peak_mb(),
                    p50=percentiles[49],
                    p99=percentiles[98],
                )
            )
    return scores


class Clients:
    """Processes that wait at a barrier, act for a while and tell how often they did."""

    def __init__(self, pipes: list[Connection], processes: list[ForkProcess]) -> None:
        self._pipes = pipes
        self._processes = processes
        self.durations: list[float] = []  # Of every act since the last ``forget``, in seconds.
        self.found: list[Any] = []  # What those acts returned, where they returned anything.

    def forget(self) -> None:
        """Begin to count the time of acts anew."""
        self.durations.clear()
        self.found.clear()

    @classmethod
    @contextmanager
    def started(cls, prepare: Prepare, count: int) -> Iterator["Clients"]:
        """Start ``count`` of them, and end them with the block."""
        barrier = _PROCESSES.Barrier(count)
        pairs = [_PROCESSES.Pipe() for _ in range(count)]
        processes = [
            _PROCESSES.Process(target=_client, args=(prepare, number, far, barrier.wait), daemon=True)
            for number, (_, far) in enumerate(pairs)
        ]
        for process in processes:
            process.start()
        try:
            yield cls([near for near, _ in pairs], processes)
        finally:
            for process in processes:
                process.terminate()
                process.join()

    def run(self, seconds: float) -> float:
        """Acts a second of all clients together."""
        answers = self._ask(seconds)
        for _rate, durations, found in answers:
            self.durations += durations
            self.found += found
        return sum(rate for rate, _durations, _found in answers)

    def peak_mb(self) -> int:
        """The memory that the largest client ever had."""
        return round(max(memory for memory, *_none in self._ask(None)))

    def _ask(self, seconds: float | None) -> list[tuple[float, list[float], list[Any]]]:
        for pipe in self._pipes:
            pipe.send(seconds)
        answers = []
        for pipe, process in zip(self._pipes, self._processes, strict=True):
            if pipe not in wait([pipe, process.sentinel]):
                raise SystemExit("a client died; what it said stands above")
            answers.append(pipe.recv())
        return answers


def _client(prepare: Prepare, number: int, pipe: Connection, meet: Callable[[], int]) -> None:
    """Answer how many acts a second there were in so many seconds, how long each took and what it returned, or to None
    how much memory it took so far."""
    act = prepare(number)
    while True:
        seconds = pipe.recv()
        if seconds is None:
            pipe.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, [], []))
            continue
        meet()
        durations: list[float] = []
        found: list[object] = []
        begun = before = time.perf_counter()
        while before - begun < seconds:
            result = act()
            after = time.perf_counter()
            durations.append(after - before)
            if result is not None:
                found.append(result)
            before = after
        pipe.send((len(durations) / (before - begun), durations, found))


def _make_pgbench_database(folder: str) -> None:
    database = [f"--host={folder}", f"--username={places.DATABASE_USER}"]
    subprocess.run([str(bin_dir() / "createdb"), *database, "pgbench"], check=True, capture_output=True)
    command = [str(bin_dir() / "pgbench"), *database, "--initialize", f"--scale={PGBENCH_SCALE}", "pgbench"]
    subprocess.run(command, check=True, capture_output=True)


def _pgbench(folder: str, clients: int, *, script: str) -> float:
    """Transactions a second of pgbench, with one connection for each client."""
    command = [
        str(bin_dir() / "pgbench"), f"--host={folder}", f"--username={places.DATABASE_USER}", f"--builtin={script}",
        f"--client={clients}", f"--jobs={min(clients, 2)}", f"--time={SECONDS}", "--no-vacuum", "pgbench",
    ]  # fmt: skip
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"tps = ([\d.]+) \(without initial connection time\)", printed)
    if found is None:
        raise SystemExit(f"pgbench answered what was not expected:\n{printed}")
    return float(found[1])
