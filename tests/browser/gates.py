"""What every page that a buyer sees has to stand up to, whoever wrote it: asked of the page itself, in the browser."""

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from playwright.sync_api import Frame, Page, Response

# axe-core 4.14.1 from npm, as it is; it is put into the page by the test and never served.
AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
ASK_AXE = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
  .filter((found) => ["serious", "critical"].includes(found.impact))
  .map((found) => `${found.id}: ${found.nodes.map((node) => node.html).slice(0, 3).join("  ")}`)"""
INLINE = """() => [
  ...document.querySelectorAll("script:not([src]):not([type='application/json']), style, [style]"),
  ...[...document.querySelectorAll("*")].filter((one) => [...one.attributes].some((a) => a.name.startsWith("on"))),
].map((one) => one.outerHTML.slice(0, 120))"""
TOO_WIDE = """() => {
  const page = document.documentElement;
  const sticksOut = (one) => one.getBoundingClientRect().right > page.clientWidth + 1;
  if (page.scrollWidth <= page.clientWidth) return [];
  const last = [...document.body.querySelectorAll("*")].filter(sticksOut).at(-1);
  return [`${page.scrollWidth} px wide: ${last && last.outerHTML.slice(0, 120)}`];
}"""
SCREENS = settings.BASE_DIR / "var" / "screens"
TEXT = ("text/", "application/javascript", "application/json", "image/svg+xml")


@dataclass
class Watch:
    """What a page complained about, and what it fetched, since it was opened."""

    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)

    def weight(self) -> int:
        """Return the bytes of everything fetched, text as gzip sends it."""
        return sum(_weight(answer) for answer in self.answers if answer.ok)


def watch(page: Page, home: str) -> Watch:
    """Begin to listen to a page of the shop at ``home``."""
    seen = Watch()

    def answered(answer: Response) -> None:
        seen.answers.append(answer)
        if not answer.url.startswith((home, "data:", "blob:")):
            seen.strangers.append(answer.url)

    page.on("console", lambda said: seen.complaints.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("response", answered)
    return seen


def _weight(answer: Response) -> int:
    body = answer.body()
    text = answer.headers.get("content-type", "").startswith(TEXT)
    return len(gzip.compress(body, 6)) if text else len(body)


def barriers(frame: Page | Frame) -> list[str]:
    """Return what axe finds serious or critical."""
    frame.evaluate(AXE)
    return list(frame.evaluate(ASK_AXE))


def inline(frame: Page | Frame) -> list[str]:
    """Return what a strict policy forbids: scripts and styles that stand in the page."""
    return list(frame.evaluate(INLINE))


def too_wide(page: Page) -> list[str]:
    """Return that the page can be pushed sideways, and by what."""
    return list(page.evaluate(TOO_WIDE))


def links(page: Page, home: str) -> Iterator[str]:
    """Yield the addresses of the shop's own pages that this one leads to, without what a click would do or download."""
    for target in page.eval_on_selector_all("a[href]:not([download])", "all => all.map((a) => a.getAttribute('href'))"):
        address = urljoin(page.url, target)
        if address.startswith(f"{home}/") and not address.startswith((f"{home}/admin/", f"{home}/demo/")):
            yield address.split("#", 1)[0]


def kind_of(address: str) -> str:
    """Return what pages of one kind have in common: the path with its numbers and tokens left out."""
    return re.sub(r"\d+|[A-Za-z0-9_-]{16,}", "N", urlsplit(address).path)


def keep_picture(page: Page, *name: str) -> None:
    """Keep a picture of the whole page under ``var/screens``, for whoever wants to look."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / f"{'-'.join(name)}.png", full_page=True, animations="disabled")
