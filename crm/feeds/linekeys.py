"""Keys that tell the lines of one order apart and come out the same in every export."""

from collections import Counter
from hashlib import blake2b

_BETWEEN = "\x1f"  # The unit separator: nothing that a cell contains.


def fingerprint(*facts: str, size: int = 12) -> str:
    """Hash what makes a line that line: the same facts give the same text on every machine and in every release."""
    return blake2b(_BETWEEN.join(facts).encode(), digest_size=size).hexdigest()


def code_from_title(title: str) -> str:
    """Make an article number for a product that the seller gave none."""
    return f"t:{fingerprint(title, size=8)}"


class LineKeys:
    """Gives the lines of one record their keys. Lines that look the same are numbered in the order they come."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def key(self, *facts: str) -> str:
        """Make the key of the next line from the facts that describe it."""
        mark = fingerprint(*facts)
        self._seen[mark] += 1
        return f"{mark}:{self._seen[mark]}"
