"""From a file to recorded orders: read as a stream, cut into batches, one transaction a batch.

A file is inspected as a whole first, so that one that cannot be read writes nothing. Memory stays constant: at most
three batches are held, one of them read while the database works on another.
"""

import gc
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from django.db import transaction

from crm import feeds
from crm.feeds import Inspection, OrderRecord, Problem, Profile
from crm.imports.counts import Counts
from crm.imports.readahead import read_ahead
from crm.models import Channel
from crm.order_grades import without_repetition
from crm.order_staging import Staged, prepare
from crm.orders import record_prepared

# Large enough that the fixed cost of a batch disappears, small enough that progress moves and locks are short.
BATCH = 4000


@dataclass(frozen=True)
class Source:
    """A file and how it is to be read: by a profile, or as one of the exports that are recognised by their columns.

    ``encoding`` is that of an earlier inspection, and spares finding it out again.
    """

    path: Path
    channel: Channel
    profile: Profile | None = None
    encoding: str = ""
    name: str = ""  # What the file is called where people see it; its path says it otherwise.

    def inspect(self, at: datetime) -> Inspection:
        """Read the whole file without writing anything. Raises ``UnreadableFile``."""
        return feeds.inspect(
            self.path,
            fmt="csv" if self.profile else "auto",
            profile=self.profile,
            at=at,
            zone=self.channel.time_zone,
        )

    def items(self, at: datetime, start_line: int = 0) -> Iterator[OrderRecord | Problem]:
        """Stream the records and problems that begin at ``start_line`` or later, in the order of the file."""
        return feeds.read(
            self.path,
            fmt="csv" if self.profile else "auto",
            profile=self.profile,
            at=at,
            zone=self.channel.time_zone,
            start_line=start_line,
            encoding=self.encoding,
        )


@dataclass
class Batch:
    """Neighbouring items of a file. ``next_line`` is where the item after the last one begins, or later than it
    ends."""

    next_line: int
    last: bool
    rounds: list[Staged] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)


# Called inside the transaction of a batch, after its orders are recorded: what it saves is saved with them or not at
# all.
SaveBatch = Callable[[Batch], None]


def cut(items: Iterable[OrderRecord | Problem], *, start_line: int = 0, size: int = BATCH) -> Iterator[Batch]:
    """Cut a stream into batches of ``size`` items, ready for the database. An empty stream gives one empty batch, which
    is the last."""
    stream = iter(items)
    ahead = list(islice(stream, size))
    while True:
        following = list(islice(stream, size)) if len(ahead) == size else []
        batch = Batch(next_line=ahead[-1].line_no + 1 if ahead else start_line, last=not following)
        records = []
        for item in ahead:
            batch.counts.rows += item.rows
            if isinstance(item, Problem):
                batch.problems.append(item)
                batch.counts.rejected += item.rows
            else:
                records.append(item)
        batch.rounds = prepare(records)
        yield batch
        if batch.last:
            return
        ahead = following


def run_file(
    source: Source,
    *,
    at: datetime,
    read_at: datetime | None = None,
    start_line: int = 0,
    size: int = BATCH,
    save: SaveBatch | None = None,
    told: set[tuple[str, str]] | None = None,
) -> Counts:
    """Record a file that has been inspected, from ``start_line`` on, and return the figures of this run.

    ``at`` is when it is recorded; ``read_at`` is the instant that dates in the file are judged by, the same in every
    run of a job, so that a row is not refused in one and accepted in the next. ``save`` runs in the transaction of each
    batch; ``told`` has the codes and values of what an earlier run has remarked on. Raises ``UnreadableFile`` when the
    file is no longer what was inspected.
    """
    totals = Counts()
    begun = time.monotonic()
    items = source.items(read_at or at, start_line)
    told = set() if told is None else told
    for batch in _with_busy_interpreter(read_ahead(cut(items, start_line=start_line, size=size))):
        with transaction.atomic():
            if batch.rounds:
                name = source.name or source.path.name
                report = record_prepared(source.channel, batch.rounds, at=at, source=name)
                batch.counts.add_report(report)
                batch.problems += without_repetition(report.remarks, told)
            batch.counts.seconds = time.monotonic() - begun
            if save is not None:
                save(batch)
        begun = time.monotonic()
        totals.add(batch.counts)
    return totals


def _with_busy_interpreter(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yield the batches while the interpreter is set up for them.

    The garbage collector runs rarely: a batch is some hundred thousand small objects without a cycle among them, all
    freed by counting, and looking for cycles costs a fifth of an import and finds none. And threads take turns more
    often: whoever comes back from the database waits until the one that reads ahead gives way, at each round trip.
    """
    thresholds, interval = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(500_000, *thresholds[1:])
    sys.setswitchinterval(interval / 10)
    try:
        yield from batches
    finally:
        gc.set_threshold(*thresholds)
        sys.setswitchinterval(interval)
