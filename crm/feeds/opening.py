"""Opening a file of orders: find out what it is, look it over, read it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import Literal, TypeAlias

from crm.feeds import taobao
from crm.feeds.bytestreams import ZIP_MAGICS
from crm.feeds.csv_profile import ProfileFeed
from crm.feeds.decoding import WrongEncoding, detect_encoding, open_text_table, possible_encodings, undecodable
from crm.feeds.profile import Profile
from crm.feeds.records import Problem, UnreadableFile
from crm.feeds.rowwise import Feed, Item
from crm.feeds.tables import Columns, Table
from crm.feeds.workbooks import is_workbook, open_workbook

Format: TypeAlias = Literal["auto", "taobao", "csv"]
SAMPLE_ROWS = 5
PROBLEMS_KEPT = 50
_NAMES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file holds, found by reading all of it and writing nothing."""

    kind: str  # "taobao_orders", "taobao_details", "taobao_refunds" or "csv".
    encoding: str  # As found: "utf-8", "utf-8-sig", "utf-16", "gb18030", or the profile's; "xlsx" for a workbook.
    delimiter: str
    header: tuple[str, ...]
    rows: int  # Rows that are not blank, the header not counted.
    records: int
    rejected_rows: int
    samples: tuple[tuple[str, ...], ...]  # The first rows as they stand in the file.
    problem_counts: dict[str, int]  # Code → how many problems.
    problems: tuple[Problem, ...]  # The first ones.
    recognised: tuple[str, ...]  # Columns that we have a field for.
    unknown: tuple[str, ...]  # Columns that are kept as they are.
    first_placed_at: datetime | None = None
    last_placed_at: datetime | None = None


def inspect(
    path: Path | str,
    *,
    fmt: Format = "auto",
    profile: Profile | None = None,
    at: datetime,
    zone: str = taobao.ZONE,
    samples: int = SAMPLE_ROWS,
) -> Inspection:
    """Read the whole file without writing anything and say what is in it.

    ``at`` is the instant of reading, ``zone`` the time zone that a Taobao file's times are in (a profile has its own).
    With ``fmt="auto"`` a file with the columns of a Taobao export is read as one, any other by the profile.
    Raises ``UnreadableFile`` when the file as a whole cannot be read.
    """
    path = Path(path)
    if _is_packed_workbook(path):
        table: Table = open_workbook(path)
        return _look_over(table, _feed(table, fmt, profile, at, zone, keep_rest=False), samples)
    failures = []
    for encoding in _encodings(path, profile):
        try:
            table = open_text_table(path, encoding, profile.delimiter if profile else "")
            return _look_over(table, _feed(table, fmt, profile, at, zone, keep_rest=False), samples)
        except WrongEncoding as failure:
            # The file is decoded on the way, so this try may have come far; the next one starts from the beginning.
            failures.append(failure)
            if failure.convinced:
                break
    raise undecodable(failures)


def read(
    path: Path | str,
    *,
    fmt: Format = "auto",
    profile: Profile | None = None,
    at: datetime,
    zone: str = taobao.ZONE,
    start_line: int = 0,
    encoding: str = "",
) -> Iterator[Item]:
    """Yield the records and problems of a file as a stream.

    Records that begin before ``start_line`` are left out: give the ``line_no`` of the last one that was stored, plus
    one, to go on after it. ``encoding`` is that of an earlier ``inspect``; without it the file is decoded twice, once
    to find out. The other arguments are those of ``inspect``, which should come first: it raises ``UnreadableFile``
    before anything is written, while this function can only raise it where it comes to the damage.
    """
    path = Path(path)
    if _is_packed_workbook(path):
        table: Table = open_workbook(path)
    else:
        wanted = profile.encoding if profile else ""
        delimiter = profile.delimiter if profile else ""
        table = _open_checked(path, encoding or wanted or detect_encoding(path), delimiter)
    try:
        yield from _feed(table, fmt, profile, at, zone, keep_rest=True).read(table.rows(), start_line)
    except WrongEncoding as failure:
        raise failure.as_unreadable() from None


def open_table(path: Path) -> Table:
    """Open a file that is no order file as a table; what its columns mean is the caller's business.

    The whole text is decoded first, so that its encoding is known. Raises ``UnreadableFile``, as reading its rows does.
    """
    return open_workbook(path) if _is_packed_workbook(path) else _open_checked(path, detect_encoding(path), "")


def _open_checked(path: Path, encoding: str, delimiter: str) -> Table:
    try:
        return open_text_table(path, encoding, delimiter)
    except WrongEncoding as failure:
        raise failure.as_unreadable() from None


def _is_packed_workbook(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            zipped = file.read(4) in ZIP_MAGICS
    except OSError as error:
        raise UnreadableFile("cannot_open", reason=error.strerror or str(error)) from None
    return zipped and is_workbook(path)


def _encodings(path: Path, profile: Profile | None) -> tuple[str, ...]:
    return (profile.encoding,) if profile and profile.encoding else possible_encodings(path)


def _feed(table: Table, fmt: Format, profile: Profile | None, at: datetime, zone: str, *, keep_rest: bool) -> Feed:
    """Choose the feed by format and header. Raises ``UnreadableFile`` with the columns that are missing."""
    columns = Columns(table.header)
    found = ", ".join(table.header[:_NAMES_SHOWN])
    if fmt != "csv" and (feed := taobao.feed(columns, at, zone, keep_rest=keep_rest)):
        return feed
    if fmt == "taobao" or (fmt == "auto" and profile is None):
        kind, missing = taobao.resembles(columns)
        raise UnreadableFile("unknown_columns", kind=kind, missing=", ".join(missing), found=found)
    if profile is None:
        raise UnreadableFile("no_profile")
    if missing := ProfileFeed.missing_columns(columns, profile):
        raise UnreadableFile("missing_columns", profile=profile.code, missing=", ".join(missing), found=found)
    return ProfileFeed(columns, profile, at)


def _look_over(table: Table, feed: Feed, samples: int) -> Inspection:
    rows = table.rows()
    first = list(islice(rows, samples))
    shown = tuple(tuple(cells) for _line_no, cells in first)
    row_count = records = rejected = 0
    counts: Counter[str] = Counter()
    problems: list[Problem] = []
    earliest: datetime | None = None
    latest: datetime | None = None
    for item in feed.read(chain(first, rows)):
        row_count += item.rows
        if isinstance(item, Problem):
            rejected += item.rows
            counts[item.code] += 1
            if len(problems) < PROBLEMS_KEPT:
                problems.append(item)
            continue
        records += 1
        if (placed_at := item.placed_at) is not None:
            if earliest is None or placed_at < earliest:
                earliest = placed_at
            if latest is None or placed_at > latest:
                latest = placed_at
    if not row_count:
        raise UnreadableFile("only_header")
    return Inspection(
        kind=feed.kind,
        encoding=table.encoding,
        delimiter=table.delimiter,
        header=table.header,
        rows=row_count,
        records=records,
        rejected_rows=rejected,
        samples=shown,
        problem_counts=dict(counts),
        problems=tuple(problems),
        recognised=feed.recognised,
        unknown=tuple(name for name in table.header if name and name not in feed.recognised),
        first_placed_at=earliest,
        last_placed_at=latest,
    )
