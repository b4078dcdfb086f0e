"""What a price's candidates and their verdicts mean to a person, in the language of the page."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from crm.pricing import Candidate, Source, Verdict

_VERDICTS: Mapping[Verdict, Promise] = MappingProxyType(
    {
        Verdict.LOWEST: gettext_lazy("The lowest that he may have."),
        Verdict.HIGHER: gettext_lazy("Another one is lower."),
        Verdict.EQUAL: gettext_lazy("As low as the one that counts."),
        Verdict.NO_LIST_PRICE: gettext_lazy("The product has no list price yet. Enter it on the product's page."),
        Verdict.NO_DISCOUNT_MEMBER: gettext_lazy("He always pays the list price: %(reason)s"),
        Verdict.SPECIAL_PRICE: gettext_lazy("Discounts do not count for special-price goods."),
        Verdict.GROUP_BUY: gettext_lazy("Discounts do not count for group buys."),
        Verdict.BELOW_TIER: gettext_lazy("The product shows its discount from the tier “%(tier)s” up."),
        Verdict.OWN_PRICE: gettext_lazy("The product has a price of its own for the tier “%(tier)s”."),
        Verdict.OTHER_TIER: gettext_lazy("Only for members of the tier “%(tier)s”."),
        Verdict.OTHER_CHANNEL: gettext_lazy("The grade counts for goods of “%(channel)s” only."),
        Verdict.NO_PERCENT: gettext_lazy("Nobody has said yet what the grade takes off. Enter it with the grade."),
        Verdict.GRADE_LATER: gettext_lazy("The grade was not known before %(moment)s."),
    }
)

_SOURCES: Mapping[Source, Promise] = MappingProxyType(
    {
        Source.LIST: gettext_lazy("List price"),
        Source.PRODUCT: gettext_lazy("The product's own price for a tier"),
        Source.TIER: gettext_lazy("Tier"),
        Source.PLATFORM: gettext_lazy("Grade on another tool"),
    }
)


def verdict_in_words(candidate: Candidate) -> str:
    """Say what became of a candidate, and why."""
    facts = dict(candidate.facts)
    if candidate.verdict is Verdict.GRADE_LATER:
        seen_at = timezone.localtime(datetime.fromisoformat(facts["seen_at"]))
        facts["moment"] = formats.date_format(seen_at, "SHORT_DATETIME_FORMAT")
    return str(_VERDICTS[candidate.verdict]) % facts


def source_in_words(candidate: Candidate) -> str:
    """Say where a candidate comes from."""
    return str(_SOURCES[candidate.source])


def percent_in_words(percent: Decimal) -> str:
    """Say what a buyer pays of the list price: "90%", in Chinese in tenths ("9 折")."""
    if (get_language() or "").startswith("zh"):
        return f"{plain(percent / 10)} 折"
    return _("%(percent)s%% of the list price") % {"percent": plain(percent)}


def plain(number: Decimal) -> str:
    """Write a number without the zeros at its end: 95, 87.5."""
    return f"{number.normalize():f}"
