"""Handing a message over. Nothing here writes a code or a whole number into a log."""

import json
import logging
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime
from http import HTTPStatus
from typing import Any, Protocol

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from crm.onetime import CODE_LIFE
from crm.sms.filling import body_of, read_template
from crm.sso.sealing import Lost, seal, unseal

_log = logging.getLogger(__name__)
_CONSOLE = "console:"
_PAUSE = 1  # Seconds before the second try, twice as long before each further one.
_LONGEST_ANSWER = 65_536


class NotSent(Exception):
    """The provider did not take the message. The text says why, without what was sent."""


class Gateway(Protocol):
    """Whatever brings a message to a phone."""

    def send(self, values: dict[str, str]) -> None:
        """Send the filled-in values (``phone``, ``code``, ``text``, ``minutes``); raises NotSent."""


class ConsoleGateway:
    """Prints messages, for one's own machine."""

    def send(self, values: dict[str, str]) -> None:
        sys.stdout.write(f"SMS to {values['phone']}: {values['text']}\n")
        sys.stdout.flush()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Take a redirect for what it is here: a wrong address."""


class HttpGateway:
    """Posts messages to a provider. A try that came to nothing is repeated; one that was refused is not."""

    def send(self, values: dict[str, str]) -> None:
        body, kind = body_of(read_template(settings.SMS_BODY), settings.SMS_FORMAT, values)
        headers = {"Content-Type": kind, **json.loads(settings.SMS_HEADERS or "{}")}
        if not settings.SMS_URL.startswith(("https://", "http://")):
            raise NotSent("SMS_URL is no address of a page")
        request = urllib.request.Request(settings.SMS_URL, data=body, headers=headers, method="POST")  # noqa: S310
        for number in range(settings.SMS_RETRIES + 1):
            if number:
                time.sleep(_PAUSE * 2 ** (number - 1))
            trouble = self._try(request)
            if not trouble:
                return
        raise NotSent(trouble)

    def _try(self, request: urllib.request.Request) -> str:
        """Return "" when the provider took it, why not when another try may help; raises NotSent when none will."""
        try:
            with urllib.request.build_opener(_NoRedirect).open(request, timeout=settings.SMS_TIMEOUT) as answer:
                said = answer.read(_LONGEST_ANSWER).decode(errors="replace")
        except urllib.error.HTTPError as error:
            if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR or error.code == HTTPStatus.TOO_MANY_REQUESTS:
                return f"it answered {error.code}"
            raise NotSent(f"it answered {error.code}") from None
        except OSError as error:
            return f"it was not reached: {type(error).__name__}"
        # Many providers say 200 and put into the body that they refuse.
        if settings.SMS_SUCCESS and settings.SMS_SUCCESS not in said:
            raise NotSent("its answer does not hold what SMS_SUCCESS says")
        return ""


def sms_configured() -> bool:
    """Whether codes can go to phones at all."""
    return bool(settings.SMS_URL)


def gateway() -> Gateway:
    """Return what SMS_URL names."""
    return ConsoleGateway() if settings.SMS_URL == _CONSOLE else HttpGateway()


def sealed_message(phone: str, code: str, at: datetime) -> str:
    """Return what a task carries: nobody who reads the queue learns the code. Without a phone it is a message to
    nobody, which looks and costs the same."""
    until = (at + CODE_LIFE).isoformat()
    carried = {"phone": phone, "code": code, "language": translation.get_language(), "until": until}
    return seal(json.dumps(carried))


def send_sealed(sealed: str, at: datetime) -> bool:
    """Send a message, unless it goes to nobody or comes too late; False where it was not sent."""
    try:
        carried = json.loads(unseal(sealed))
    except Lost:
        _log.error("a text message was sealed under a SECRET_KEY that is no longer known")
        return False
    if not carried["phone"] or datetime.fromisoformat(carried["until"]) <= at:
        return False
    minutes = str(int(CODE_LIFE.total_seconds()) // 60)
    with translation.override(carried["language"]):
        text = _("[%(shop)s] Your code is %(code)s, good for %(minutes)s minutes. Give it to nobody.") % {
            "shop": settings.SHOP_NAME, "code": carried["code"], "minutes": minutes,
        }  # fmt: skip
    try:
        gateway().send({"phone": carried["phone"], "code": carried["code"], "text": text, "minutes": minutes})
    except NotSent as trouble:
        _log.error("the SMS provider did not take a message for …%s: %s", carried["phone"][-4:], trouble)
        return False
    return True
