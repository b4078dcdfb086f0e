"""Have the embedded servers at hand for as long as a block runs."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from config.embedded.lease import Lease
from config.embedded.postgres import bin_dir

# Commands that read neither the database nor the broker. Any other one gets the servers, those of third parties too.
WITHOUT_SERVERS = {
    "collectstatic",
    "compilemessages",
    "diffsettings",
    "findstatic",
    "help",
    "makemessages",
    "startapp",
    "startproject",
    "version",
}


def needs_servers(arguments: Sequence[str]) -> bool:
    """Tell whether a command line (``manage.py COMMAND …``) needs the servers: all but help and WITHOUT_SERVERS."""
    words = arguments[1:]
    if not words or words[0].startswith("-") or words[0] in WITHOUT_SERVERS:
        return False
    return not {"-h", "--help", "--version"} & set(words)


@contextmanager
def serving(
    var_dir: Path, *, database_url: str = "", broker_url: str = "", throwaway: bool = False
) -> Iterator[list[Lease]]:
    """Hold the embedded PostgreSQL, unless ``database_url`` is set, and the embedded Valkey, unless ``broker_url`` is.

    A server that runs already is shared; it ends with the last who uses it. Raises ServerError when one does not start.
    """
    leases = []
    if not database_url:
        leases.append(Lease("postgres", var_dir, throwaway=throwaway))
        # PostgreSQL's own programs: dbshell needs psql, and pg_dump is good to have.
        os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), str(bin_dir())])
    if not broker_url:
        leases.append(Lease("valkey", var_dir, throwaway=throwaway))
    with ExitStack() as stack:
        for lease in leases:
            stack.callback(lease.end)
            lease.begin()
        for lease in leases:
            lease.wait()
        yield leases
