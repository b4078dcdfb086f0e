"""Putting a mail into words: subject, text and HTML, in the language of its reader, from the facts it tells."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.shortcuts import resolve_url
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.dateparse import parse_date, parse_datetime

from crm.choices import SocialSite
from crm.mails.kinds import mail_kind
from crm.mails.outbox import Claim
from crm.mails.preferences import language_of
from crm.mails.stopping import shop_url, stop_url
from crm.moments import moment_in_words
from crm.price_words import percent_in_words

_WHOLE_PRICE = 100


@dataclass(frozen=True, slots=True)
class Words:
    """What a mail says."""

    subject: str
    text: str
    html: str


def put_into_words(kind: str, facts: Mapping[str, Any], *, name: str, language: str, stop: str) -> Words:
    """Write a mail of a kind. ``stop`` is the address at which its reader can stop such mails, where he can.

    Raises ``LookupError`` for an unknown kind.
    """
    known = mail_kind(kind)
    with translation.override(language_of(language)):
        context = {
            **_readable(facts),
            "name": name,
            "about": known.about,
            "shop_name": settings.SHOP_NAME,
            "shop_contact": settings.SHOP_CONTACT,
            "home": shop_url(resolve_url(settings.LOGIN_REDIRECT_URL)),
            "stop": stop,
        }
        subject = " ".join(render_to_string(f"mail/{known.code}_subject.txt", context).split())
        # What is left out of a text for want of a figure leaves empty lines behind.
        text = re.sub(r"\n{3,}", "\n\n", render_to_string(f"mail/{known.code}.txt", context).strip()) + "\n"
        return Words(f"[{settings.SHOP_NAME}] {subject}", text, render_to_string(f"mail/{known.code}.html", context))


def message_of(claim: Claim) -> EmailMultiAlternatives:
    """Return the mail as it is handed over.

    Its Message-ID is the same at every attempt, so that a mailbox that gets it twice can tell.
    """
    stop = stop_url(claim.member_id, claim.kind) if mail_kind(claim.kind).optional else ""
    words = put_into_words(claim.kind, claim.facts, name=claim.name, language=claim.language, stop=stop)
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    headers = {
        "Message-ID": f"<mail-{claim.mail_id}.{claim.member_id}@{domain}>",
        "Auto-Submitted": "auto-generated",
    }
    if stop:
        headers |= {"List-Unsubscribe": f"<{stop}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    mail = EmailMultiAlternatives(words.subject, words.text, None, [claim.address], headers=headers)
    mail.attach_alternative(words.html, "text/html")
    return mail


def _readable(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures with days as such, moments and prices in words: JSON has kept them as texts."""
    return {name: _value(name, value) for name, value in facts.items()}


def _value(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if name.endswith("_at"):
        at = parse_datetime(value)
        return moment_in_words(at) if at is not None else value
    if name.endswith("_on"):
        return parse_date(value) or value
    if name.endswith("_site") and value in SocialSite.values:
        return SocialSite(value).label
    if name.endswith("_percent"):
        percent = Decimal(value)
        return percent_in_words(percent) if percent != _WHOLE_PRICE else ""
    return value
