"""How the embedded servers are started: as whom, in which folders, and bound to the life of their keeper."""

import os
import pwd
import signal
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from config.embedded import launch


class ServerError(RuntimeError):
    """An embedded server cannot run; the message says why and what to do."""


@dataclass(frozen=True)
class Identity:
    """Whom a program runs as: the caller, root hidden in a user namespace, or another account."""

    namespace: bool = False
    account: pwd.struct_passwd | None = None


CALLER = Identity()


def bound(command: Sequence[str], sig: signal.Signals, identity: Identity = CALLER) -> list[str]:
    """Return ``command`` such that it runs as ``identity`` and gets ``sig`` when this process dies.

    The signal follows the thread that forks: start such children from the main thread only.
    """
    options = ["--parent", str(os.getpid()), "--signal", str(int(sig))]
    if identity.namespace:
        options.append("--namespace")
    if identity.account:
        options += [
            "--user",
            str(identity.account.pw_uid),
            str(identity.account.pw_gid),
        ]
    return [sys.executable, "-I", "-S", launch.__file__, *options, "--", *command]


def namespaces_allowed() -> bool:
    """Tell whether this system lets a process make a user namespace of its own."""
    command = bound(["true"], signal.SIGKILL, Identity(namespace=True))
    return sys.platform == "linux" and subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def unprivileged() -> Identity:
    """Return an identity PostgreSQL accepts: it refuses to run as root."""
    if os.geteuid() != 0:
        return CALLER
    if namespaces_allowed():
        return Identity(namespace=True)
    for name in ("postgres", "nobody"):
        try:
            return Identity(account=pwd.getpwnam(name))
        except KeyError:
            continue
    raise ServerError(
        "PostgreSQL refuses to run as root, user namespaces are forbidden here, and there is no account named "
        "'postgres' or 'nobody' to run it as. Start as an ordinary user, or set DATABASE_URL."
    )


def private_folder(path: Path, identity: Identity | None = None) -> None:
    """Make ``path`` a folder that only the server's user (and root) may enter, with everything in it his.

    Raises ServerError when somebody else owns a folder of that name, which in /tmp could be a trap.
    """
    account = identity.account if identity else None
    owner = (account.pw_uid, account.pw_gid) if account else (os.geteuid(), os.getegid())
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = path.lstat()
    if state.st_uid != owner[0] or not stat.S_ISDIR(state.st_mode):
        shared = path.parent.stat().st_mode & stat.S_IWOTH
        if not stat.S_ISDIR(state.st_mode) or os.geteuid() != 0 or (shared and state.st_uid != 0):
            raise ServerError(f"{path} is not a folder of this user. Remove it, or set VAR_DIR to another folder.")
        for folder, _folders, files in os.walk(path):
            for name in ("", *files):
                os.chown(Path(folder, name), *owner, follow_symlinks=False)
    path.chmod(0o700)


def open_to(path: Path, identity: Identity) -> None:
    """Let the account of ``identity`` reach ``path``, opening no folder but the private one right above it.

    Raises ServerError when a folder further up is closed to it.
    """
    if identity.account is None:
        return
    if stat.S_IMODE(path.parent.stat().st_mode) == 0o700 and path.parent.stat().st_uid == os.geteuid():
        path.parent.chmod(0o711)
    for folder in path.parents:
        if not folder.stat().st_mode & stat.S_IXOTH:
            raise ServerError(
                f"PostgreSQL runs as '{identity.account.pw_name}' here, and {folder} is closed to that account. "
                "Move the checkout to an open folder, start as an ordinary user, or set DATABASE_URL."
            )


def tail(log: Path, size: int = 2000) -> str:
    """Return the last ``size`` bytes of a log, for an error message."""
    try:
        return log.read_bytes()[-size:].decode(errors="replace")
    except OSError:
        return ""


def open_log(path: Path, limit: int = 16_000_000) -> int:
    """Open a log for appending; one longer than ``limit`` bytes is first set aside as ``….1``."""
    if path.exists() and path.stat().st_size > limit:
        path.replace(path.with_name(path.name + ".1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
