"""``python -m benchmarks NAME [--members N] [--rows N] [--json]``; without a name, the list of benchmarks."""

import argparse
import importlib
import json
import resource
import sys

from benchmarks import report
from benchmarks.scratch import scratch_database
from benchmarks.sizes import PLANS, Size


def main() -> int:
    """Run one benchmark and print what it found, or all of them and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=[*sorted(PLANS), "all"])
    parser.add_argument("--members", type=int, help="how many members the data has")
    parser.add_argument("--rows", type=int, help="size of the data in rows of what the benchmark is about")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object in the last line")
    parser.add_argument("--full", action="store_true", help="with all: the sizes that the promises are about")
    arguments = parser.parse_args()
    if arguments.name is None:
        for name, plan in PLANS.items():
            print(f"{name:<16} {plan.what}; against {plan.against}")
    elif arguments.name == "all":
        report.write(full=arguments.full)
    else:
        result = _measure(arguments.name, PLANS[arguments.name].size(arguments.members, arguments.rows))
        for name, value in result.items():
            print(f"{name:<20} {value}")
        if arguments.json:
            print(json.dumps(result))
    return 0


def _measure(name: str, size: Size) -> dict[str, str | float | int]:
    with scratch_database() as folder:
        result = {"name": name, **importlib.import_module(f"benchmarks.{name}").run(folder, size)}
    result.setdefault("peak_mb", round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
    return result


if __name__ == "__main__":
    sys.exit(main())
