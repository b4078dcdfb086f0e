"""The link in a mail by which its reader stops such mails, without signing in: the link itself is the proof."""

from dataclasses import dataclass
from urllib.parse import urljoin

from django.conf import settings
from django.core import signing
from django.urls import reverse

_SALT = "crm.mails.stop"


@dataclass(frozen=True, slots=True)
class StopLink:
    """Whose mails a link is about, and of which kind."""

    member_id: int
    kind: str


def stop_url(member_id: int, kind: str) -> str:
    """Return the whole address of the page that stops mails of this kind to this member. It never runs out: a mail is
    read when it is read."""
    token = signing.dumps([member_id, kind], salt=_SALT, compress=False)
    return shop_url(reverse("stop_mails", args=[token]))


def read_stop_token(token: str) -> StopLink | None:
    """Return what a link says; None for one that we did not make."""
    try:
        member_id, kind = signing.loads(token, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return StopLink(member_id, kind)


def shop_url(path: str) -> str:
    """Return the whole address of a page of the shop, for those who read it elsewhere."""
    return urljoin(settings.SHOP_URL, path)
