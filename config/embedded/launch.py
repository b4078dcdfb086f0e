"""Become another program, tied to the life of the parent: ``python -I -S launch.py OPTIONS -- PROGRAM ARGUMENT…``.

    --parent PID       the process that started this one
    --signal NUMBER    what Linux sends to the program when that parent dies, however it dies
    --namespace        look like another user than root, in a user namespace (PostgreSQL refuses to run as root)
    --user UID GID     become this user

The wish for a signal survives ``exec``. Standard library only: this file runs alone, before every server and child.
Elsewhere than on Linux a program simply outlives a parent that was killed.
"""

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
INSIDE_ID = 65534  # Who root is inside the namespace: anybody but 0.

libc = ctypes.CDLL(None, use_errno=True)


def end_with_parent(sig: int, parent: int) -> None:
    """Have ``sig`` sent to this process when ``parent``, the process that forked it, dies or is dead already."""
    if sys.platform == "linux":
        libc.prctl(PR_SET_PDEATHSIG, int(sig), 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), sig)


def enter_namespace() -> None:
    """Be another user in a namespace of one's own: outside it files stay root's, and no account is needed.

    Raises OSError where namespaces are forbidden, as in many containers.
    """
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{INSIDE_ID} {uid} 1"),
        ("gid_map", f"{INSIDE_ID} {gid} 1"),
    ):
        Path("/proc/self", name).write_text(text)


def main(arguments: list[str]) -> None:
    """Do what the options say and become the program."""
    split = arguments.index("--")
    options, program = arguments[:split], arguments[split + 1 :]
    if "--namespace" in options:
        enter_namespace()
    if "--user" in options:
        at = options.index("--user")
        os.setgroups([])
        os.setgid(int(options[at + 2]))
        os.setuid(int(options[at + 1]))
    # Last, because a change of user clears the wish.
    end_with_parent(
        int(options[options.index("--signal") + 1]),
        int(options[options.index("--parent") + 1]),
    )
    os.execvp(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
