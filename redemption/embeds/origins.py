"""Where an embed may stand: origins such as ``https://www.shop.cn`` or ``https://*.shop.cn``. Pure."""

import re
from collections.abc import Iterable

from django.utils.translation import gettext as _

MOST = 20
# A host name in ASCII (an international one in its xn-- form), with or without a star for its subdomains, and a port.
_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)"
    r"(?P<port>:\d{1,5})?"
)
_LOCAL = {"localhost", "127.0.0.1"}


class NotAnOrigin(ValueError):
    """What was typed is no origin; its only argument says what to do."""


def read_origins(text: str) -> tuple[str, ...]:
    """Return the origins of a text with one a line, each once. Raises NotAnOrigin for the first that is none."""
    found: dict[str, None] = {}
    for line in text.split():
        found[_origin(line)] = None
    if len(found) > MOST:
        raise NotAnOrigin(_("An embed may stand on %(most)s sites at most.") % {"most": MOST})
    return tuple(found)


def ancestors(origins: Iterable[str]) -> list[str]:
    """Return the sources of the policy ``frame-ancestors``: nobody where no origin is allowed."""
    return list(origins) or ["'none'"]


def _origin(line: str) -> str:
    typed = line.strip().rstrip("/").lower()
    match = _ORIGIN.fullmatch(typed)
    if match is None:
        raise NotAnOrigin(
            _("“%(line)s” is no site. Write it as in the address bar, without a path: https://www.example.com")
            % {"line": line}
        )
    plain = match["host"].removeprefix("*.")
    # A star may stand for the subdomains of a shop, never for those of a whole ending such as .cn.
    if "*" in match["host"] and "." not in plain:
        raise NotAnOrigin(_("“%(line)s” would allow every site. Write the name of the shop's own.") % {"line": line})
    if match["scheme"] == "http" and plain not in _LOCAL:
        raise NotAnOrigin(
            _("“%(line)s” is not encrypted: anybody on the way could change the page around the embed. Use https.")
            % {"line": line}
        )
    return typed
