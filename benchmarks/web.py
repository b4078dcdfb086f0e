"""The web server as a deployment runs it, and wrk to ask it for pages."""

import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECONDS, CONNECTIONS = 4, 16
PORT = 18_605
HOME = f"http://127.0.0.1:{PORT}"
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")


@contextmanager
def web_server() -> Iterator[None]:
    """The production server with the yardsticks of ``benchmarks.plain_site`` added."""
    from config.staticfiles import collect_if_changed

    collect_if_changed()
    command = [sys.executable, "-m", "gunicorn", "-c", "python:config.gunicorn", "--bind", f"127.0.0.1:{PORT}"]
    command += ["--access-logfile", "/dev/null", "--log-level", "warning"]
    server = subprocess.Popen([*command, "benchmarks.plain_site"])
    try:
        for _try in range(100):
            try:
                urllib.request.urlopen(f"{HOME}/benchmark/plain", timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        else:
            raise SystemExit("the web server did not start")
        yield
    finally:
        server.terminate()
        server.wait()


def etag(address: str, **headers: str) -> str:
    """Return the ETag of a page."""
    asked = urllib.request.Request(address, headers=headers)
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return str(answer.headers["ETag"])


def wrk(address: str, *headers: str, script: Path | None = None) -> float:
    """Requests a second of some connections; every answer has to be a good one."""
    if shutil.which("wrk") is None:
        raise SystemExit("this benchmark needs wrk (on Debian: apt install wrk)")
    command = ["wrk", "--threads=1", f"--connections={CONNECTIONS}", f"--duration={SECONDS}s", "--timeout=30s"]
    command += [f"--header={header}" for header in headers]
    command += [f"--script={script}"] if script else []
    printed = subprocess.run([*command, address], check=True, capture_output=True, text=True).stdout
    found = _RATE.search(printed)
    if found is None or "Non-2xx" in printed or "Socket errors" in printed:
        raise SystemExit(f"wrk answered what was not expected:\n{printed}")
    return float(found[1])


def sign_everybody_in() -> list[str]:
    """A login for each member, in the order of their ids; returns the cookies that their browsers would send."""
    from crm.models import Member, User

    found = list(Member.objects.order_by("pk"))
    users = User.objects.bulk_create(User(username=f"buyer-{member.pk}", password="!") for member in found)
    for member, user in zip(found, users, strict=True):
        member.user, member.name = user, f"林小鹿{member.pk}"
    Member.objects.bulk_update(found, ["user", "name"], batch_size=1000)
    return [_cookie(user) for user in users]


def _cookie(user: Any) -> str:
    """Sign somebody in; what his browser would send from then on."""
    from django.contrib.auth import login
    from django.http import HttpRequest

    from crm.sessions import SessionStore

    request = HttpRequest()
    request.session = SessionStore()
    login(request, user, backend="allauth.account.auth_backends.AuthenticationBackend")
    request.session.save()
    return f"sessionid={request.session.session_key}; csrftoken={'x' * 32}"
