"""Reading the next batch while the database works on this one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def read_ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield what ``items`` yields, always one item ahead in a thread of its own, so that parsing a file and waiting for
    the database overlap. ``items`` must not touch the database: connections belong to threads. What it raises is raised
    here, at its place."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead") as reader:
        ahead = reader.submit(_next, items)
        while item := ahead.result():
            ahead = reader.submit(_next, items)
            yield item[0]


def _next(items: Iterator[T]) -> tuple[T] | None:
    """The next item in a tuple, so that no item can be mistaken for the end."""
    for item in items:
        return (item,)
    return None
