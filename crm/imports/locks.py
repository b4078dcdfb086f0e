"""One worker per job: of an import, or of whatever else goes on for long.

A session-level advisory lock lives as long as its database connection: a worker that is killed frees it at once,
without anybody cleaning up. The lock only spares work. What keeps two workers from recording a batch twice is that
every batch moves the job's position on from the value it was read at (see ``crm.imports.jobs``).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

# The first half of the lock's number, so that it meets no other advisory lock of this database. Jobs of another sort
# have another one: backtests 0x1B0C and grants 0x1B0D, of the upper floor.
IMPORTS = 0x1B0B
PREVIEWS = 0x1B0E
MEMBER_LISTS = 0x1B0F
DATA_FILES = 0x1B10


@contextmanager
def job_lock(job_id: int, sort: int = IMPORTS) -> Iterator[bool]:
    """Hold the lock of a job for the duration of the block; gives False when another session holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [sort, job_id])
        held = bool(cursor.fetchone()[0])
    try:
        yield held
    finally:
        # After a lost connection there is nothing to free: the lock went with it.
        if held and connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [sort, job_id])


def locked_jobs(sort: int = IMPORTS) -> set[int]:
    """Return the jobs that some live session is working on."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND classid = %s::oid"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND granted",
            [sort],
        )
        return {row[0] for row in cursor.fetchall()}
