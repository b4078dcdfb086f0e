"""A badge on an item page, asked for by everybody who looks at the item: the production server against a view that does
nothing, behind the same middleware. Bodies, and answers of 304.
"""

import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.sizes import Size

ROUNDS, SECONDS, CONNECTIONS = 5, 4, 16
PORT = 18_605
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")


def run(folder: Path, size: Size) -> dict[str, float | int]:
    """Let wrk ask for the badge, for a 304 of it and for the plain view in turns; medians of the rounds."""
    if shutil.which("wrk") is None:
        raise SystemExit("this benchmark needs wrk (on Debian: apt install wrk)")
    from config.staticfiles import collect_if_changed

    collect_if_changed()
    key = _make_badge()
    with _server():
        badge, plain = f"{_home()}/embed/{key}/", f"{_home()}/benchmark/plain"
        etag = _etag(badge)
        rounds = [(_wrk(badge), _wrk(badge, f"If-None-Match: {etag}"), _wrk(plain)) for _round in range(ROUNDS)]
    bodies, fresh, yardstick = (median(rates) for rates in zip(*rounds, strict=True))
    return {
        "ratio": round(median(own / other for own, _fresh, other in rounds), 3),
        "per_second": round(bodies),
        "seconds": round(CONNECTIONS / bodies, 5),
        "ratio_304": round(median(own / other for _bodies, own, other in rounds), 3),
        "per_second_304": round(fresh),
        "plain_per_second": round(yardstick),
    }


def _make_badge() -> str:
    from django.utils import timezone

    from crm.models import Channel
    from redemption.models import Embed, Reward, Stock

    reward = Reward.objects.create(name="青瓷品茗杯一对", points=800, cash="9.90", list_price="68", limit_ever=2)
    Stock.objects.create(reward=reward, free=12)
    shop = Channel.objects.create(code="tea", name="山间茶铺")
    embed = Embed.objects.create(
        name="Badge", template="badge", channel=shop, origins="https://www.example.com", reward=reward,
        changed_at=timezone.now(),
    )  # fmt: skip
    return embed.public_key


@contextmanager
def _server() -> Iterator[None]:
    """The web server as a deployment runs it, with the plain view added."""
    command = [sys.executable, "-m", "gunicorn", "-c", "python:config.gunicorn", "--bind", f"127.0.0.1:{PORT}"]
    command += ["--access-logfile", "/dev/null", "--log-level", "warning"]
    server = subprocess.Popen([*command, "benchmarks.plain_site"])
    try:
        for _try in range(100):
            try:
                urllib.request.urlopen(f"{_home()}/benchmark/plain", timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        else:
            raise SystemExit("the web server did not start")
        yield
    finally:
        server.terminate()
        server.wait()


def _home() -> str:
    return f"http://127.0.0.1:{PORT}"


def _etag(address: str) -> str:
    with urllib.request.urlopen(address, timeout=5) as answer:
        return str(answer.headers["ETag"])


def _wrk(address: str, *headers: str) -> float:
    """Requests a second of some connections; every answer has to be a good one."""
    command = ["wrk", "--threads=1", f"--connections={CONNECTIONS}", f"--duration={SECONDS}s"]
    printed = subprocess.run(
        [*command, *(f"--header={header}" for header in headers), address], check=True, capture_output=True, text=True
    ).stdout
    found = _RATE.search(printed)
    if found is None or "Non-2xx" in printed:
        raise SystemExit(f"wrk answered what was not expected:\n{printed}")
    return float(found[1])
