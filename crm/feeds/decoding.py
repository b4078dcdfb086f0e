"""From a delimited text file to rows of cells, in constant memory whatever the size of the file.

The encoding is never guessed silently: UTF-8 is tried on the whole file, then GB18030 (of which GBK is a part), and the
table names the one that held. A file that is neither is refused, with the line.
"""

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from crm.feeds.bytestreams import MAX_LINE_BYTES, open_bytes, whole_lines
from crm.feeds.records import UnreadableFile
from crm.feeds.tables import Row, header_of

DELIMITERS = ",\t;"
MAX_RECORD_BYTES = MAX_LINE_BYTES
# GBK text rarely decodes as UTF-8 for more than a character or two. When this many bytes beyond one a character did,
# the file is UTF-8 with a damaged place, and reading it as GBK would fill the database with garbage.
CONVINCING_BYTES = 30


class WrongEncoding(Exception):
    """The file is not in the encoding it was being read in; ``line`` is where that showed."""

    def __init__(self, encoding: str, line: int, *, convinced: bool, at_end: bool) -> None:
        super().__init__(encoding)
        self.encoding = encoding
        self.line = line
        self.convinced = convinced  # All that came before was so clearly in this encoding that no other can be meant.
        self.at_end = at_end  # The last character of the file is cut in two.

    def as_unreadable(self) -> UnreadableFile:
        """Say the same as a final refusal."""
        if self.at_end:
            return UnreadableFile("truncated")
        return UnreadableFile("encoding", encodings=self.encoding, line=self.line)


def possible_encodings(path: Path) -> tuple[str, ...]:
    """Name the encodings to try on a file, in this order. Raises ``UnreadableFile`` when it is not a text file."""
    with open_bytes(path) as (stream, known):
        if known:
            return (known,)
        return ("utf-8-sig",) if stream.read(3) == codecs.BOM_UTF8 else ("utf-8", "gb18030")


def detect_encoding(path: Path) -> str:
    """Decode the whole file and name the encoding that held. Raises ``UnreadableFile`` when none did."""
    failures = []
    for encoding in possible_encodings(path):
        try:
            for _first_line, _text in _decoded(path, encoding):
                pass
        except WrongEncoding as failure:
            failures.append(failure)
            if failure.convinced:
                break
        else:
            return encoding
    raise undecodable(failures)


def undecodable(failures: list[WrongEncoding]) -> UnreadableFile:
    """Make one refusal of several failed tries: the place where the try that came furthest failed."""
    furthest = max(failures, key=lambda failure: (failure.convinced, failure.at_end, failure.line))
    if furthest.at_end:
        return furthest.as_unreadable()
    tried = ", ".join(failure.encoding.removesuffix("-sig").upper() for failure in failures)
    return UnreadableFile("encoding", encodings=tried, line=furthest.line)


def _decoded(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """Yield blocks of whole lines as text, each with the number of its first line. Raises ``WrongEncoding``."""
    codec = "utf-8" if encoding in ("utf-8-sig", "utf-16") else encoding
    extra_bytes = 0
    with open_bytes(path) as (stream, _known):
        for first_line, block in whole_lines(stream):
            mark = len(codecs.BOM_UTF8) if first_line == 1 and encoding == "utf-8-sig" else 0
            try:
                text = block[mark:].decode(codec)
            except UnicodeDecodeError as error:
                good = block[mark : mark + error.start]
                if codec == "utf-8":
                    extra_bytes += len(good) - len(good.decode(codec))
                convinced = codec == "utf-8" and (encoding != "utf-8" or extra_bytes >= CONVINCING_BYTES)
                line = first_line + good.count(b"\n")
                # Only the last block of a file can end without a line end, and only there a character can be half.
                at_end = (
                    mark + error.end == len(block) and (convinced or codec != "utf-8") and error.end - error.start < 4
                )
                raise WrongEncoding(encoding, line, convinced=convinced, at_end=at_end) from None
            extra_bytes += len(block) - len(text)
            yield first_line, text


@dataclass(slots=True)
class _Lines:
    """The lines of a file, for ``csv.reader``; knows how far the reader has come with them."""

    path: Path
    encoding: str
    done: int = 0  # The last line of the last complete record.
    ended: bool = False  # The reader asked for a line and there was none.

    def __iter__(self) -> Iterator[str]:
        # Chained in C: a generator of our own would cost as much a line as the reader does.
        return chain.from_iterable(self._blocks())

    def _blocks(self) -> Iterator[io.StringIO]:
        done_before, unfinished = -1, 0
        for _first_line, text in _decoded(self.path, self.encoding):
            unfinished = unfinished + len(text) if self.done == done_before else 0
            if unfinished > MAX_RECORD_BYTES:
                raise UnreadableFile("record_too_long", line=self.done + 1)
            done_before = self.done
            yield io.StringIO(text, newline="")
        self.ended = True


def _records(path: Path, encoding: str, delimiter: str) -> Iterator[Row]:
    """Yield every record that is not a blank line, with the number of the line where it begins."""
    lines = _Lines(path, encoding)
    reader = csv.reader(lines, delimiter=delimiter)
    begin = 1
    try:
        for cells in reader:
            if lines.ended:
                # The reader gives out an unfinished record only when the file ends inside a quoted cell.
                raise UnreadableFile("unclosed_quote", line=begin)
            if cells:
                yield begin, cells
            lines.done = reader.line_num
            begin = lines.done + 1
    except csv.Error:
        # The reader's only complaint about lines such as these is a cell longer than its limit of 128 KiB.
        raise UnreadableFile("record_too_long", line=begin) from None


def _sniff_delimiter(path: Path, encoding: str) -> str:
    """Take the delimiter that cuts the first line that is not blank into the most cells."""
    for first_line, text in _decoded(path, encoding):
        for line_no, line in enumerate(io.StringIO(text, newline=""), start=first_line):
            if line.strip():
                try:
                    return max(DELIMITERS, key=lambda mark: len(next(csv.reader([line], delimiter=mark))))
                except csv.Error:
                    # A delimiter that does not occur in a very long line leaves one cell, longer than any may be.
                    raise UnreadableFile("record_too_long", line=line_no) from None
    raise UnreadableFile("empty")


@dataclass(frozen=True, slots=True)
class TextTable:
    """A delimited text file as header and rows."""

    path: Path
    encoding: str
    delimiter: str
    header: tuple[str, ...]

    def rows(self) -> Iterator[Row]:
        """Yield each row after the header with the number of the line where it begins.

        Raises ``WrongEncoding`` and ``UnreadableFile`` when it comes to the place that shows it.
        """
        records = _records(self.path, self.encoding, self.delimiter)
        next(records)
        yield from records


def open_text_table(path: Path, encoding: str, delimiter: str = "") -> TextTable:
    """Open a delimited text file whose encoding is known; without a delimiter it is taken from the header.

    Raises ``UnreadableFile``, and ``WrongEncoding`` when the first lines are not in that encoding.
    """
    delimiter = delimiter or _sniff_delimiter(path, encoding)
    for line_no, cells in _records(path, encoding, delimiter):
        return TextTable(path, encoding, delimiter, header_of(cells, line_no))
    raise UnreadableFile("empty")
