"""``python -m benchmarks NAME [--rows N] [--json]``; without a name, the list of benchmarks."""

import argparse
import importlib
import json
import resource
import sys

from benchmarks.scratch import scratch_database

NAMES = {
    "import_orders": "Taobao order list → orders, members and points; against COPY of the same file",
}


def main() -> int:
    """Run one benchmark and print what it found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=sorted(NAMES))
    parser.add_argument("--rows", type=int, default=100_000, help="size of the data (default: 100000)")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object in the last line")
    arguments = parser.parse_args()
    if arguments.name is None:
        for name, what in NAMES.items():
            print(f"{name:<16} {what}")
        return 0
    with scratch_database() as folder:
        benchmark = importlib.import_module(f"benchmarks.{arguments.name}")
        result = {"name": arguments.name, **benchmark.run(folder, arguments.rows)}
    result["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    for name, value in result.items():
        print(f"{name:<20} {value}")
    if arguments.json:
        print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
