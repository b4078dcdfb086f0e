"""Mistakes of a deployment, reported by ``manage.py check`` and at every start, each with the way to mend it.

A deployment is recognised by ``DATABASE_URL``: with the embedded database the system runs on one's own machine, and
the defaults suit it.
"""

from collections.abc import Sequence
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.utils.translation import gettext as _

from config.embedded import locations
from config.signin_checks import check_sign_in
from redemption.posters.fonts import chinese_font

WHOLE_PERCENT = 100
LONGEST_MAIL_TIMEOUT = 120  # Seconds: several answers fit into the ten minutes after which a worker counts as dead.
LONGEST_ORDER_FILE_DAYS = 3650
LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]", "testserver"}


def check_deployment(app_configs: Sequence[Any] | None, **options: Any) -> list[checks.CheckMessage]:
    """Return a warning for every setting that does not suit a deployment."""
    found: list[checks.CheckMessage] = []
    if settings.DEBUG and settings.HTTPS:
        found.append(
            checks.Warning(
                _("DEBUG is on while HTTPS is set: error pages show the settings and the source to everybody."),
                hint=_("Unset DEBUG."),
                id="config.W001",
            )
        )
    if not 0 < settings.EARNING_WARNING_PERCENT <= WHOLE_PERCENT:
        found.append(
            checks.Warning(
                _("EARNING_WARNING_PERCENT is %(percent)s, so the page for publishing warns of all rules, or of none.")
                % {"percent": settings.EARNING_WARNING_PERCENT},
                hint=_(
                    "Set EARNING_WARNING_PERCENT to a share of the price in percent, over 0 and up to 100, such as 10."
                ),
                id="config.W007",
            )
        )
    if chinese_font(settings.POSTER_FONTS) is None:
        found.append(
            checks.Warning(
                _("This machine has no Chinese font: the words of PNG posters would be missing."),
                hint=_("Install one (on Debian: apt install fonts-noto-cjk), or name a font file in POSTER_FONTS."),
                id="config.W014",
            )
        )
    if not 0 <= settings.ORDER_FILE_DAYS <= LONGEST_ORDER_FILE_DAYS:
        found.append(
            checks.Warning(
                _("ORDER_FILE_DAYS is %(days)s: uploaded order files, which hold personal data, are never deleted.")
                % {"days": settings.ORDER_FILE_DAYS},
                hint=_("Set ORDER_FILE_DAYS to 1 to 3650 days, such as 90, or to 0 to keep the files on purpose."),
                id="config.W022",
            )
        )
    found += check_grant_limits()
    found += check_mail()
    found += check_sign_in()
    if settings.DATABASE_URL:
        found += check_beside_external_database()
    return found


def check_grant_limits() -> list[checks.CheckMessage]:
    """Return the warnings for limits of points that cannot do what they are for."""
    found: list[checks.CheckMessage] = []
    total, member = settings.GRANT_TOTAL_LIMIT, settings.GRANT_MEMBER_LIMIT
    if total < 0 or member < 0:
        found.append(
            checks.Warning(
                _("A limit for giving points is below zero: every grant waits for a second person, even an empty one."),
                hint=_(
                    "Set GRANT_TOTAL_LIMIT and GRANT_MEMBER_LIMIT to numbers of points; 0 asks for approval always."
                ),
                id="config.W008",
            )
        )
    if member > total:
        found.append(
            checks.Warning(
                _(
                    "GRANT_MEMBER_LIMIT (%(member)s) is above GRANT_TOTAL_LIMIT (%(total)s): it can never be reached, "
                    "because what one member gets is part of the total."
                )
                % {"member": member, "total": total},
                hint=_("Set GRANT_MEMBER_LIMIT to less than GRANT_TOTAL_LIMIT."),
                id="config.W009",
            )
        )
    return found


def check_mail() -> list[checks.CheckMessage]:
    """Return the warnings for mails that are sent and that nobody can make use of."""
    found: list[checks.CheckMessage] = []
    shop = urlsplit(settings.SHOP_URL)
    if shop.scheme not in ("http", "https") or not shop.hostname:
        found.append(
            checks.Warning(
                _("SHOP_URL is not the address of a page: the links in mails lead nowhere."),
                hint=_("Set SHOP_URL to where buyers reach this system: https://points.example.com"),
                id="config.W010",
            )
        )
    elif settings.EMAIL_URL and shop.hostname in LOCAL_HOSTS:
        found.append(
            checks.Warning(
                _("Mails are sent, but SHOP_URL is %(url)s: their links work on this machine only.")
                % {"url": settings.SHOP_URL},
                hint=_("Set SHOP_URL to where buyers reach this system: https://points.example.com"),
                id="config.W011",
            )
        )
    _name, at_sign, domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")
    if settings.EMAIL_URL and (not at_sign or domain in LOCAL_HOSTS):
        found.append(
            checks.Warning(
                _("Mails are sent from %(sender)s, an address that mail servers refuse or take for spam.")
                % {"sender": settings.DEFAULT_FROM_EMAIL},
                hint=_("Set DEFAULT_FROM_EMAIL to an address of the shop: My Shop <points@example.com>"),
                id="config.W012",
            )
        )
    if settings.EMAIL_URL and not 0 < (settings.EMAIL_TIMEOUT or 0) <= LONGEST_MAIL_TIMEOUT:
        found.append(
            checks.Warning(
                _(
                    "The mail server is given %(seconds)s seconds for each answer: a worker would be taken for dead "
                    "while it waits, and its mails would be in doubt."
                )
                % {"seconds": settings.EMAIL_TIMEOUT},
                hint=_("Leave timeout= out of EMAIL_URL, or set it to 1 to 120."),
                id="config.W013",
            )
        )
    return found


def check_beside_external_database() -> list[checks.CheckMessage]:
    """Return the warnings for what a system with a database server of its own should have set."""
    found: list[checks.CheckMessage] = []
    if settings.DEMO:
        found.append(
            checks.Warning(
                _("DEMO is on beside an external database: anybody may sign in as any buyer of the demo page."),
                hint=_("Unset DEMO, unless nobody but you can reach this system."),
                id="config.W002",
            )
        )
    if locations.is_generated(settings.SECRET_KEY, settings.VAR_DIR):
        found.append(
            checks.Warning(
                _(
                    "SECRET_KEY was generated and lies in %(folder)s: another machine or a fresh disk has another one, "
                    "and everybody is signed out there."
                )
                % {"folder": settings.VAR_DIR},
                hint=_("Set SECRET_KEY to a long random text, the same on every machine."),
                id="config.W003",
            )
        )
    if LOCAL_HOSTS.issuperset(settings.ALLOWED_HOSTS):
        found.append(
            checks.Warning(
                _("ALLOWED_HOSTS names this machine only: requests for the shop's own address are refused."),
                hint=_("Set ALLOWED_HOSTS to the shop's host names, separated by commas."),
                id="config.W004",
            )
        )
    if not settings.BROKER_URL:
        found.append(
            checks.Warning(
                _(
                    "BROKER_URL is not set beside DATABASE_URL: tasks and cache stay on this machine's embedded "
                    "Valkey, which workers on other machines do not see."
                ),
                hint=_("Set BROKER_URL to a Redis or Valkey server: redis://host:6379/0"),
                id="config.W005",
            )
        )
    if not settings.EMAIL_URL:
        found.append(
            checks.Warning(
                _("EMAIL_URL is not set: mails go to %(folder)s, and no buyer gets a code to sign in.")
                % {"folder": settings.EMAIL_FILE_PATH},
                hint=_("Set EMAIL_URL to your mail server: smtp+tls://user:password@host:587"),
                id="config.W006",
            )
        )
    return found
