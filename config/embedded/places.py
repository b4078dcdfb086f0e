"""The folders and sockets of the embedded servers. Standard library only, so that the keepers stay small."""

import hashlib
import os
from pathlib import Path

DATABASE_NAME = "pointkeeper"
DATABASE_USER = "pointkeeper"
DATABASE_PORT = 5432  # Only names the socket file: the embedded server never listens on the network.

SHARED_MEMORY = Path("/dev/shm")  # Linux keeps files there in memory; elsewhere it is missing.

# A socket's path may be 103 bytes long (macOS) or 107 (Linux); the longest name put into the folder takes 22.
LONGEST_SOCKET_FOLDER = 80


def home(var_dir: Path, server: str) -> Path:
    """Return the folder that holds the data, the log and the locks of one embedded server."""
    return var_dir / server


def socket_dir(var_dir: Path, server: str) -> Path:
    """Return the folder of a server's socket: in its home, or in /tmp when that path is too long for a socket.

    The folder in /tmp depends on the user and on ``var_dir`` alone, so that every command finds the same one.
    """
    inside = home(var_dir, server) / "run"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_FOLDER:
        return inside
    digest = hashlib.sha256(os.fsencode(inside)).hexdigest()[:16]
    return Path("/tmp") / f"pointkeeper-{os.geteuid()}-{digest}"


def postgres_sockets(var_dir: Path) -> Path:
    """Return the folder of the embedded PostgreSQL's socket, which is what its clients call the host."""
    return socket_dir(var_dir, "postgres")


def valkey_socket(var_dir: Path) -> Path:
    """Return the socket of the embedded Valkey."""
    return socket_dir(var_dir, "valkey") / "valkey.sock"
