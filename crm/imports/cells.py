"""Cells that spreadsheet programs must not take for formulas.

A cell that begins with one of these characters is run as a formula when somebody opens the file. Putting an apostrophe
in front stops that; a text that begins with an apostrophe of its own gets a second one, so that ``bare`` is the exact
inverse of ``guarded`` and a file survives the way out and back unchanged.
"""

_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "'")


def guarded(text: str) -> str:
    """Return the text as it may stand in a spreadsheet cell."""
    return f"'{text}" if text.startswith(_RISKY) else text


def bare(text: str) -> str:
    """Return what ``guarded`` was given; a lone apostrophe before anything else is somebody's own and stays."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_RISKY) else text
