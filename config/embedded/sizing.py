"""How much memory and disk the embedded PostgreSQL may take of the machine it runs on. Standard library only.

Nights, imports and audits go over tables that grow with the shop. As long as what they touch stays in the server's own
memory they cost what the rows cost; from then on each page is read again, and written out again, many times over.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

MEGABYTE = 1 << 20
# A quarter of the memory is the usual share; the web server, the worker and the system's own cache live beside it.
SHARE_OF_MEMORY = 4
BUFFERS = (128 * MEGABYTE, 4096 * MEGABYTE)
# Between two checkpoints each page that changes is written whole, once. The fewer checkpoints in a night, the less is
# written; what the log takes meanwhile must not fill the disk.
SHARE_OF_DISK = 20
LOG = (512 * MEGABYTE, 8192 * MEGABYTE)
# "No limit" is a word in one version of control groups and a very large number in the other.
UNLIMITED = 1 << 60


def settings(memory: int, free_disk: int) -> dict[str, str]:
    """The settings of the server that depend on the memory it may count on and on what its disk has free, in bytes."""
    return {
        "shared_buffers": _megabytes(memory // SHARE_OF_MEMORY, BUFFERS),
        # What the planner may expect to find in memory, the system's cache included. Nothing is taken for it.
        "effective_cache_size": _megabytes(memory // 2, (256 * MEGABYTE, UNLIMITED)),
        "max_wal_size": _megabytes(free_disk // SHARE_OF_DISK, LOG),
    }


def memory(root: Path = Path("/")) -> int:
    """Bytes of memory there are: the machine's, or what the container was given if that is less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_limits(root)])


def free_disk(folder: Path) -> int:
    """Bytes that are free where a folder is, or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _limits(root: Path) -> Iterator[int]:
    """What the control groups of this process allow, each group and all above it: in version 2 and in version 1."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, group = line.split(":", 2)
        if not controllers:
            top, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            top, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        # A container sees its own group at the top, whatever path the host knows it by.
        for place in (group.strip("/"), *map(str, Path(group.strip("/")).parents), ""):
            for text in _lines(top / place / name):
                if text.isdecimal() and 0 < int(text) < UNLIMITED:
                    yield int(text)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []


def _megabytes(wanted: int, bounds: tuple[int, int]) -> str:
    least, most = bounds
    return f"{min(max(wanted, least), most) // MEGABYTE}MB"
