"""The kinds of mail there are. A floor registers its own from ``AppConfig.ready``, with templates under ``mail/``.

A kind ``tier_reached`` is written by ``mail/tier_reached.txt``, ``.html`` and ``_subject.txt``. The templates get the
mail's figures; those whose names end in ``_at`` are instants, those in ``_on`` days, and those in ``_percent`` what one
pays of the list price, in words ("9 折"), and nothing where that is all of it; those in ``_site`` are names of sites.
"""

from dataclasses import dataclass

from django.utils.functional import Promise

Text = str | Promise


@dataclass(frozen=True, slots=True)
class MailKind:
    """A sort of mail that members may want or not. ``about`` completes "The shop writes to you …". One that is not
    ``optional`` comes in any case, and has no link that stops it."""

    code: str
    label: Text
    about: Text
    optional: bool = True


_kinds: dict[str, MailKind] = {}


def register_mail_kind(kind: MailKind) -> None:
    """Make a kind known; the same code replaces the earlier one."""
    _kinds[kind.code] = kind


def mail_kinds() -> list[MailKind]:
    """Return all kinds, in the order they were registered."""
    return list(_kinds.values())


def optional_kinds() -> list[MailKind]:
    """Return the kinds that members choose among."""
    return [kind for kind in _kinds.values() if kind.optional]


def mail_kind(code: str) -> MailKind:
    """Return a kind. Raises ``LookupError`` for one that nobody registered."""
    try:
        return _kinds[code]
    except KeyError:
        raise LookupError(f"no kind of mail is called {code!r}") from None


def kind_label(code: str) -> str:
    """Return what a kind is called, in the language of the page; an old kind that is gone keeps its code."""
    return str(_kinds[code].label) if code in _kinds else code
