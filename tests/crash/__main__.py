"""``python -m tests.crash --minutes 30 [--seed 1]``."""

import argparse
import tempfile
import time
from pathlib import Path
from random import Random

from tests.crash.ordeal import Ordeal


def main() -> None:
    """Run the ordeal in a folder of its own and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pk-crash-") as folder:
        ordeal = Ordeal(Path(folder), Random(arguments.seed))
        begun = time.monotonic()
        ordeal.endure(seconds=60 * arguments.minutes)
        kills = f"{ordeal.server_kills} kills of the server, {ordeal.writer_kills} of writers"
        print(f"{time.monotonic() - begun:.0f} s, {kills}")
        print(ordeal.prove())


if __name__ == "__main__":
    main()
