"""A reward over HTTP: gunicorn as in production, buyers who are signed in, the page of the agreement with its tokens,
and the click. In turns with a form behind the same middleware and sessions that does nothing when it is sent.

``ratio`` is of page and click together to those of the bare form. What the click takes is told apart: of the answer as
the client sees it ``share_checkout`` is the part that the checkout function has, ``share_view`` that of our view with
it; the rest is the web server, the middleware, the session and the way there and back.
"""

import re
from collections.abc import Callable, Iterable
from http.client import HTTPConnection, HTTPResponse
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any, NamedTuple
from urllib.parse import urlencode

from benchmarks.contest import Clients
from benchmarks.ledger import Shape, fill, proven
from benchmarks.redeem import LOTS, stock_up
from benchmarks.sizes import Size
from benchmarks.web import PORT, sign_everybody_in, web_server

CLIENTS = 8
ROUNDS, SECONDS, WARM_UP = 4, 4, 2
REWARDS = 200
_CSRF = re.compile(rb'name="csrfmiddlewaretoken" value="([^"]+)"')
_TOKEN = re.compile(rb'name="token" value="([^"]+)"')


class Visit(NamedTuple):
    """Seconds of a page and of the click on it as the client sees them; of the click those in our view, and in the
    checkout."""

    page: float
    click: float
    view: float
    checkout: float

    @property
    def whole(self) -> float:
        return self.page + self.click


def run(folder: Path, size: Size) -> dict[str, float | int]:
    """Let clients of the shop's page and of the bare form take turns; medians of the rounds."""
    from django.db import connections

    fill(size.members, Shape(lots=LOTS))
    stock_up(REWARDS)
    cookies = sign_everybody_in()
    connections.close_all()  # The clients are forks of this process.
    with (
        web_server(),
        Clients.started(_visiting(cookies, _redeem), CLIENTS) as buyers,
        Clients.started(_visiting(cookies, _send_bare_form), CLIENTS) as others,
    ):
        for clients in (buyers, others):
            clients.run(WARM_UP)
            clients.forget()
        rounds = [(buyers.run(SECONDS), others.run(SECONDS)) for _round in range(ROUNDS)]
    proven("the contest")
    visits: list[Visit] = buyers.found
    bare: list[Visit] = others.found
    percentiles = quantiles([visit.whole for visit in visits], n=100)
    clicks = sum(visit.click for visit in visits)
    return {
        "members": size.members,
        "rows": REWARDS,
        "ratio": round(median(own / other for own, other in rounds), 3),
        "per_second": round(median(own for own, _other in rounds), 1),
        "seconds": round(percentiles[49], 5),
        "p50_ms": round(percentiles[49] * 1000, 1),
        "p99_ms": round(percentiles[98] * 1000, 1),
        "p99_to_p50": round(percentiles[98] / percentiles[49], 2),
        "page_ms": _median_ms(visit.page for visit in visits),
        "click_ms": _median_ms(visit.click for visit in visits),
        "checkout_ms": _median_ms(visit.checkout for visit in visits),
        "share_checkout": round(sum(visit.checkout for visit in visits) / clicks, 3),
        "share_view": round(sum(visit.view for visit in visits) / clicks, 3),
        "bare_per_second": round(median(other for _own, other in rounds), 1),
        "bare_page_ms": _median_ms(visit.page for visit in bare),
        "bare_click_ms": _median_ms(visit.click for visit in bare),
    }


def _median_ms(seconds: Iterable[float]) -> float:
    return round(median(seconds) * 1000, 1)


class _Browser:
    """A connection that is kept, with the cookies of one buyer after the other."""

    def __init__(self) -> None:
        self._connection = HTTPConnection("127.0.0.1", PORT, timeout=30)

    def get(self, path: str, cookie: str) -> bytes:
        answer, body = self._ask("GET", path, None, {"Cookie": cookie})
        if answer.status != 200:
            raise SystemExit(f"{path} answered {answer.status}")
        return body

    def post(self, path: str, cookie: str, fields: dict[str, str]) -> HTTPResponse:
        headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        answer, body = self._ask("POST", path, urlencode(fields), headers)
        if answer.status != 302:
            raise SystemExit(f"{path} answered {answer.status}: {body[:200]!r}")
        return answer

    def _ask(self, *call: Any) -> tuple[HTTPResponse, bytes]:
        self._connection.request(*call)
        answer = self._connection.getresponse()
        return answer, answer.read()


Visiting = Callable[[_Browser, str, int], Visit]


def _visiting(cookies: list[str], visit: Visiting) -> Callable[[int], Callable[[], Visit]]:
    """What a client does: it comes as one of its buyers after the other, no buyer as two clients at once."""

    def prepare(number: int) -> Callable[[], Visit]:
        browser = _Browser()
        buyers = cycle(range(number, len(cookies), CLIENTS))

        def act() -> Visit:
            buyer = next(buyers)
            return visit(browser, cookies[buyer], buyer)

        return act

    return prepare


def _redeem(browser: _Browser, cookie: str, buyer: int) -> Visit:
    """Open the agreement to take a reward, and agree."""
    path = f"/rewards/{1 + buyer % REWARDS}/take/"
    begun = perf_counter()
    page = browser.get(path, cookie)
    seen = perf_counter()
    fields = {"csrfmiddlewaretoken": _in(page, _CSRF), "token": _in(page, _TOKEN), "quantity": "1"}
    clicked = perf_counter()
    answer = browser.post(path, cookie, fields | {"address": str(buyer + 1)})
    done = perf_counter()
    if not (answer.headers["Location"] or "").startswith("/rewards/mine/"):
        raise SystemExit(f"the click was refused: {answer.headers['Location']}")
    view, checkout = (answer.headers["Server-Timing"] or "").split()
    return Visit(seen - begun, done - clicked, float(view), float(checkout))


def _send_bare_form(browser: _Browser, cookie: str, _buyer: int) -> Visit:
    begun = perf_counter()
    page = browser.get("/benchmark/form", cookie)
    seen = perf_counter()
    fields = {"csrfmiddlewaretoken": _in(page, _CSRF)}
    clicked = perf_counter()
    browser.post("/benchmark/form", cookie, fields)
    return Visit(seen - begun, perf_counter() - clicked, 0.0, 0.0)


def _in(page: bytes, field: re.Pattern[bytes]) -> str:
    found = field.search(page)
    if found is None:
        raise SystemExit(f"the page has no {field.pattern!r}: {page[:200]!r}")
    return found[1].decode()
