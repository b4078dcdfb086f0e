"""Mistakes in how buyers sign in, each with the way to mend it."""

import json
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.utils.translation import gettext as _

from crm.choices import SocialSite
from crm.sms.filling import BadTemplate, read_template
from crm.social.sites import Keys, official_account, website_keys

LONGEST_SMS_TIMEOUT = 60  # Seconds; a worker waits so long for each try.


def check_sign_in() -> list[checks.CheckMessage]:
    """Return a warning for everything that keeps a buyer from getting his code."""
    found: list[checks.CheckMessage] = []
    if settings.SMS_URL and settings.SMS_URL != "console:":
        found += _provider_of_messages()
    pairs = [(site.value.upper(), website_keys(site)) for site in SocialSite] + [("WEIXIN_MP", official_account())]
    found += [_half_a_pair(name, keys) for name, keys in pairs if bool(keys.key) != bool(keys.secret)]
    if official_account().whole and official_account().key == website_keys(SocialSite.WEIXIN).key:
        found.append(
            checks.Warning(
                _("WEIXIN_MP_KEY and WEIXIN_KEY are the same: WeChat refuses one of the two ways to sign in."),
                hint=_(
                    "WEIXIN_KEY is the AppID of a website application (open.weixin.qq.com), WEIXIN_MP_KEY that of an "
                    "official account (mp.weixin.qq.com)."
                ),
                id="config.W021",
            )
        )
    if settings.SPEND_CODE_POINTS < 0:
        found.append(
            checks.Warning(
                _("SPEND_CODE_POINTS is below zero: a code is asked for whatever a buyer spends."),
                hint=_("Set SPEND_CODE_POINTS to a number of points, or to 0 to ask for no code."),
                id="config.W019",
            )
        )
    return found


def _half_a_pair(name: str, keys: Keys) -> checks.CheckMessage:
    lacking, there = ("SECRET", "KEY") if keys.key else ("KEY", "SECRET")
    return checks.Warning(
        _("%(there)s is set and %(lacking)s is not: nobody can sign in with this site.")
        % {"there": f"{name}_{there}", "lacking": f"{name}_{lacking}"},
        hint=_("Set both to what the site shows for your application, or leave both out."),
        id="config.W020",
    )


def _provider_of_messages() -> list[checks.CheckMessage]:
    found: list[checks.CheckMessage] = []
    address = urlsplit(settings.SMS_URL)
    if address.scheme not in ("http", "https") or not address.hostname:
        found.append(
            checks.Warning(
                _("SMS_URL is not the address of a provider: no buyer gets a code by phone."),
                hint=_('Set SMS_URL to the address that messages are posted to, to "console:", or leave it out.'),
                id="config.W015",
            )
        )
    elif address.scheme == "http" and settings.DATABASE_URL:
        found.append(
            checks.Warning(
                _("SMS_URL begins with http: whoever is on the way reads the codes."),
                hint=_("Set SMS_URL to an address that begins with https."),
                id="config.W016",
            )
        )
    try:
        read_template(settings.SMS_BODY)
    except BadTemplate as error:
        found.append(
            checks.Warning(
                _("SMS_BODY cannot be used: %(error)s") % {"error": error},
                hint=_(
                    'Set SMS_BODY to a JSON object with {phone} and {code} or {text} in it: {"to": "{phone}", '
                    '"text": "{text}"}'
                ),
                id="config.W017",
            )
        )
    if (
        not _readable_headers()
        or settings.SMS_FORMAT not in ("json", "form")
        or not (
            0 < settings.SMS_TIMEOUT <= LONGEST_SMS_TIMEOUT
            and settings.SMS_RETRIES >= 0
            and settings.SMS_HOURLY_LIMIT > 0
        )
    ):
        found.append(
            checks.Warning(
                _("SMS_HEADERS, SMS_FORMAT, SMS_TIMEOUT, SMS_RETRIES or SMS_HOURLY_LIMIT is not what it has to be."),
                hint=_(
                    "SMS_HEADERS is a JSON object of texts, SMS_FORMAT json or form, SMS_TIMEOUT 1 to 60 seconds, "
                    "SMS_RETRIES 0 or more, SMS_HOURLY_LIMIT 1 or more."
                ),
                id="config.W018",
            )
        )
    return found


def _readable_headers() -> bool:
    try:
        read = json.loads(settings.SMS_HEADERS or "{}")
    except ValueError:
        return False
    return isinstance(read, dict) and all(isinstance(value, str) for value in read.values())
