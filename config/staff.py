"""The first staff login, made when nobody could sign in to the admin."""

import os
import secrets
from pathlib import Path

from django.contrib.auth import get_user_model

USER_NAME = "admin"
FILE_NAME = "staff-login.txt"


def make_first_login(var_dir: Path) -> Path | None:
    """Make the superuser ``admin`` with a random password, unless there is a superuser.

    Returns the file that keeps name and password, a line each, readable by its owner only; None when nothing was made.
    """
    users = get_user_model()
    if users.objects.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    path = var_dir / FILE_NAME
    path.unlink(missing_ok=True)  # What is left of a former database.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{USER_NAME}\n{password}\n")
    users.objects.create_superuser(USER_NAME, password=password)
    return path
