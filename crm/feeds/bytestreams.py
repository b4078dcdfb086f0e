"""A file as a stream of bytes that stand for text: unpacked, refused when it is no text, cut into whole lines."""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from crm.feeds.records import UnreadableFile

BLOCK_BYTES = 256 * 1024
MAX_LINE_BYTES = 1024 * 1024
# A .gz that unpacks to more than this many times its size is an attack, not an export, unless it stays small.
MAX_EXPANSION = 200
ALWAYS_ALLOWED_BYTES = 64 * 1024 * 1024

GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MAGICS = (
    *((magic, "zip_archive") for magic in ZIP_MAGICS),
    (b"\xd0\xcf\x11\xe0", "old_excel"),
    (b"\x09\x08\x10\x00", "old_excel"),
    (b"%PDF", "pdf"),
    (b"\x89PNG", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF8", "image"),
    (b"Rar!", "other_archive"),
    (b"7z\xbc\xaf", "other_archive"),
    (b"BZh", "other_archive"),
    (b"\xfd7zXZ", "other_archive"),
    (b"\x28\xb5\x2f\xfd", "other_archive"),
    (GZIP_MAGIC, "other_archive"),  # Only looked for inside a .gz, where it would be packed twice.
)
_HTML_STARTS = (b"<html", b"<!doctype html", b"<table", b"<meta", b"<?xml")


class ByteStream(Protocol):
    """What is read from: bytes in pieces, ``b""`` at the end."""

    def read(self, size: int, /) -> bytes: ...


class _Unpacked:
    """The content of a .gz, with a watch on how far it expands."""

    def __init__(self, packed: BinaryIO, packed_size: int) -> None:
        self._stream = gzip.GzipFile(fileobj=packed, mode="rb")
        self._allowed = max(ALWAYS_ALLOWED_BYTES, packed_size * MAX_EXPANSION)

    def read(self, size: int, /) -> bytes:
        try:
            block = self._stream.read(size)
        except EOFError:
            raise UnreadableFile("truncated") from None
        except (gzip.BadGzipFile, zlib.error):
            raise UnreadableFile("damaged_archive") from None
        self._allowed -= len(block)
        if self._allowed < 0:
            raise UnreadableFile("expands_too_far")
        return block


class _Replayed:
    """A stream from which the first bytes were read already, to see what it is."""

    def __init__(self, head: bytes, stream: ByteStream) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        if self._head:
            head, self._head = self._head[:size], self._head[size:]
            return head
        return self._stream.read(size)


class _FromUtf16:
    """UTF-16 turned into UTF-8, so that a line end is one byte again."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-16")()

    def read(self, size: int, /) -> bytes:
        while True:
            block = self._stream.read(size)
            try:
                text = self._decoder.decode(block, final=not block)
                if text or not block:
                    return text.encode()
            except UnicodeError:
                raise UnreadableFile("truncated" if not block else "encoding", encodings="UTF-16", line=0) from None


@contextmanager
def open_bytes(path: Path) -> Iterator[tuple[ByteStream, str]]:
    """Open a file for reading as text bytes; the second value is "utf-16" when it was that, "" otherwise.

    Raises ``UnreadableFile`` when the file cannot be opened, is empty or is visibly not a text file.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnreadableFile("cannot_open", reason=error.strerror or str(error)) from None
    with file:
        stream: ByteStream = file
        head = file.read(64)
        if head.startswith(GZIP_MAGIC):
            file.seek(0)
            stream = _Unpacked(file, path.stat().st_size)
            head = stream.read(64)
        if not head:
            raise UnreadableFile("empty")
        _refuse_other_types(head)
        stream = _Replayed(head, stream)
        if head.startswith(_UTF16_MARKS):
            yield _FromUtf16(stream), "utf-16"
        else:
            yield stream, ""


def _refuse_other_types(head: bytes) -> None:
    for magic, code in _MAGICS:
        if head.startswith(magic):
            raise UnreadableFile(code)
    if head.removeprefix(codecs.BOM_UTF8).lstrip().lower().startswith(_HTML_STARTS):
        raise UnreadableFile("html_page")


def whole_lines(stream: ByteStream) -> Iterator[tuple[int, bytes]]:
    """Cut a stream into blocks of whole lines, each with the number of its first line (from 1).

    Raises ``UnreadableFile`` for a line longer than ``MAX_LINE_BYTES`` and for NUL bytes, which no text has.
    """
    line_no = 1
    pending = b""
    while chunk := stream.read(BLOCK_BYTES):
        block = pending + chunk if pending else chunk
        if b"\0" in chunk:
            raise UnreadableFile("nul_bytes", line=line_no + count_lines(block[: block.index(b"\0")]))
        # A carriage return at the very end may be the first half of a line end.
        cut = max(block.rfind(b"\n"), block.rfind(b"\r", 0, -1)) + 1
        pending = block[cut:]
        if cut:
            yield line_no, block[:cut]
            line_no += count_lines(block[:cut])
        if len(pending) > MAX_LINE_BYTES:
            raise UnreadableFile("record_too_long", line=line_no)
    if pending:
        yield line_no, pending


def count_lines(block: bytes) -> int:
    """Count the line ends in a block, whichever of the three kinds they are."""
    if b"\r" not in block:
        return block.count(b"\n")
    return block.count(b"\n") + block.count(b"\r") - block.count(b"\r\n")
