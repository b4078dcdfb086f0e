"""``python -m benchmarks NAME [--members N] [--rows N] [--json]``; without a name, the list of benchmarks."""

import argparse
import importlib
import json
import resource
import sys

from benchmarks.scratch import scratch_database
from benchmarks.sizes import PLANS


def main() -> int:
    """Run one benchmark and print what it found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=sorted(PLANS))
    parser.add_argument("--members", type=int, help="how many members the data has")
    parser.add_argument("--rows", type=int, help="size of the data in rows of what the benchmark is about")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object in the last line")
    arguments = parser.parse_args()
    if arguments.name is None:
        for name, plan in PLANS.items():
            print(f"{name:<16} {plan.what}; against {plan.against}")
        return 0
    size = PLANS[arguments.name].size(arguments.members, arguments.rows)
    with scratch_database() as folder:
        benchmark = importlib.import_module(f"benchmarks.{arguments.name}")
        result = {"name": arguments.name, **benchmark.run(folder, size)}
    result.setdefault("peak_mb", round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
    for name, value in result.items():
        print(f"{name:<20} {value}")
    if arguments.json:
        print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
