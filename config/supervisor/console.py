"""The supervisor's output: a line says who wrote it."""

import contextlib
import os
import sys

COLOURS = {"shop": "1;37", "setup": "35", "web": "32", "worker": "36", "beat": "33"}
WIDTH = max(map(len, COLOURS))


class Console:
    """Writes the lines of several programs to one stream, with colours where a person looks at it."""

    def __init__(self) -> None:
        self.coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def line(self, name: str, text: str) -> None:
        """Write one line of the program called ``name``."""
        prefix = f"{name:<{WIDTH}}|"
        if self.coloured:
            prefix = f"\x1b[{COLOURS[name]}m{prefix}\x1b[0m"
        # Whoever read the output (a pager, `| head`) may be gone: the shop goes on without telling anybody.
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.write(f"{prefix} {text}".rstrip() + "\n")
            sys.stdout.flush()

    def say(self, text: str) -> None:
        """Write what the supervisor itself has to say."""
        for line in text.splitlines():
            self.line("shop", line)
