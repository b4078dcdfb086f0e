"""On which devices somebody is signed in, and out of which he can be thrown."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from crm.known_devices import meet_device
from crm.models import Session
from crm.sessions import BEGAN, DEVICE, SEEN
from crm.stafflog import log_action

# So long a proof that it is really he holds: a code, or his shop's word.
PROOF_HOLDS = timedelta(minutes=15)
# "Last seen" is kept to the hour; more would write a row with every page.
_SEEN_EVERY = timedelta(hours=1)
_PROVEN = "proven"
_MOST = 50

# The first that fits decides, so those that call themselves by another's name as well stand before it.
_BROWSERS = (
    ("MicroMessenger", "WeChat"), ("AliApp", "Taobao"), ("Weibo", "Weibo"), ("QQBrowser", "QQ Browser"),
    ("UCBrowser", "UC Browser"), ("Edg", "Edge"), ("OPR", "Opera"), ("Firefox|FxiOS", "Firefox"),
    ("Chrome|CriOS", "Chrome"), ("Safari", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("HarmonyOS", "HarmonyOS"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"),
    ("Windows", "Windows"), ("Mac OS X", "Mac"), ("Linux", "Linux"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Device:
    """A session that somebody may end. ``number`` tells it from his others and opens nothing; ``words`` may be empty
    where nothing is known of the device, ``seen_at`` is exact to the hour."""

    number: int
    words: str
    began_at: datetime | None
    seen_at: datetime | None
    current: bool


def device_words(user_agent: str) -> str:
    """Say in two words on what somebody reads: ``WeChat · iPhone``. "" where the browser tells nothing that we know."""
    found = [next((name for sign, name in signs if re.search(sign, user_agent)), "") for signs in (_BROWSERS, _SYSTEMS)]
    return " · ".join(part for part in found if part)


def note_sign_in(request: HttpRequest, at: datetime, *, proven: bool = True) -> None:
    """Keep with the session on what device it is, and, if it was, that it was proven at this moment who is there. Its
    owner is told of a sort of device that is new to him."""
    moment = int(at.timestamp())
    words = device_words(request.headers.get("User-Agent", ""))
    request.session[DEVICE] = words
    request.session[BEGAN] = request.session[SEEN] = moment
    if proven:
        note_proof(request, at)
    if request.user.pk is not None:
        meet_device(request.user.pk, words, at)


def note_proof(request: HttpRequest, at: datetime) -> None:
    """Keep that it was proven at this moment, by a code, who is there."""
    request.session[_PROVEN] = int(at.timestamp())


def proven_lately(request: HttpRequest, at: datetime) -> bool:
    """Whether it was proven within the last quarter of an hour who is there."""
    proven = request.session.get(_PROVEN)
    return proven is not None and timedelta() <= at - datetime.fromtimestamp(proven, tz=UTC) < PROOF_HOLDS


def note_visit(request: HttpRequest, at: datetime) -> None:
    """Keep that the session is in use, once an hour."""
    seen = request.session.get(SEEN)
    if seen is not None and at - datetime.fromtimestamp(seen, tz=UTC) >= _SEEN_EVERY:
        request.session[SEEN] = int(at.timestamp())


def devices_of(request: HttpRequest, at: datetime) -> list[Device]:
    """Return where the login of the request is signed in, this device first, then the latest. One query."""
    devices = devices_of_login(request.user.pk or 0, at, current=request.session.session_key)
    return sorted(devices, key=lambda device: not device.current)


def devices_of_login(user_id: int, at: datetime, *, current: str | None = None) -> list[Device]:
    """Return where a login is signed in, the latest first; ``current`` is the key of the session that asks. One
    query."""
    rows = Session.objects.filter(user=user_id, expire_date__gt=at).order_by("-seen_at", "session_key")
    return [
        Device(_number(row.session_key), row.device, row.began_at, row.seen_at, current=row.session_key == current)
        for row in rows[:_MOST]
    ]


def sign_out_device(request: HttpRequest, number: int, at: datetime) -> bool:
    """End one of the login's other sessions; False when it has none of this number."""
    for key in _others(request):
        if _number(key) == number:
            Session.objects.filter(session_key=key, user=request.user.pk).delete()
            log_action("member.sign_out_device", actor_id=request.user.pk, at=at)
            return True
    return False


def sign_out_others(request: HttpRequest, at: datetime) -> int:
    """End all sessions of the login but this one; returns how many."""
    ended, _rows = Session.objects.filter(session_key__in=_others(request), user=request.user.pk).delete()
    if ended:
        log_action("member.sign_out_others", actor_id=request.user.pk, at=at, sessions=ended)
    return ended


def sign_out_member(
    user_id: int, member_id: int, number: int | None, at: datetime, *, staff_id: int, reason: str
) -> int:
    """End a session of a member's login, or all of them (None), as a person of the shop decides; returns how many it
    was. Logged with the reason."""
    with transaction.atomic():
        keys = list(Session.objects.filter(user=user_id).values_list("session_key", flat=True))
        asked = [key for key in keys if number is None or _number(key) == number]
        ended, _rows = Session.objects.filter(session_key__in=asked, user=user_id).delete()
        if ended:
            log_action("member.sign_out", actor_id=staff_id, at=at, reason=reason, member_id=member_id, sessions=ended)
    return ended


def end_all_sessions(user_id: int) -> int:
    """End every session of a login."""
    ended, _rows = Session.objects.filter(user=user_id).delete()
    return ended


def _others(request: HttpRequest) -> list[str]:
    own = Session.objects.filter(user=request.user.pk).exclude(session_key=request.session.session_key)
    return list(own.values_list("session_key", flat=True))


def _number(key: str) -> int:
    """A number by which a page names a session. The key itself would sign in whoever reads it."""
    return int(salted_hmac("crm.devices", key, algorithm="sha256").hexdigest()[:12], 16)
