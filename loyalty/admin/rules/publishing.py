"""Publishing a draft and going back to a version: what was shown, signed; and what is then done, once.

The page carries a token with what the person saw: the draft's rules and the version that they make. So what is
published is what was seen, and a second click, or a colleague who was faster, publishes nothing.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.core.signing import BadSignature, TimestampSigner
from django.db import transaction
from django.db.models import Max
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from crm.api import PaymentKind, log_action
from loyalty.admin.rules.vocabulary import Vocabulary
from loyalty.earning.highest_share import HighestShare, highest_share
from loyalty.earning.kinds import Festival
from loyalty.earning.money import yuan
from loyalty.earning.reading import plain
from loyalty.earning.ruleset import Rule
from loyalty.earning.ruleset import RuleSet as PureRules
from loyalty.liability import cost_on, yuan_to_fen_half_up
from loyalty.models import RuleSet
from loyalty.rulebook import NotADraft, publish, roll_back, rows_of
from loyalty.validity import programme_zone

TOKEN_SECONDS = 3600
REMEMBERED_SECONDS = 600
_SALT = "loyalty.rules"
_FEN_A_YUAN = 100


@dataclass(frozen=True, slots=True)
class Shown:
    """What a person was shown before he published: the version that it makes, of which set, with which rules."""

    version: int
    set_id: int
    content: str

    def token(self) -> str:
        """Sign it, for the form to bring back."""
        return TimestampSigner(salt=_SALT).sign_object(asdict(self))

    @classmethod
    def from_token(cls, token: str) -> "Shown | None":
        """Return what was shown; None for a token that is too old or not ours."""
        try:
            return cls(**TimestampSigner(salt=_SALT).unsign_object(token, max_age=TOKEN_SECONDS))
        except (BadSignature, TypeError):
            return None

    @classmethod
    def now(cls, set_id: int) -> "Shown":
        """What there is to see of a set now; the one built in has the id 0."""
        latest: int | None = RuleSet.objects.aggregate(latest=Max("version"))["latest"]
        rows = json.dumps(rows_of(set_id), sort_keys=True)
        return cls((latest or 0) + 1, set_id, hashlib.sha256(rows.encode()).hexdigest())


def publish_shown(
    shown: Shown, *, effective_from: datetime, at: datetime, actor_id: int, reason: str
) -> RuleSet | None:
    """Publish a draft as it was shown, and write the staff log, both or neither.

    None when it is not what was shown any more: it was published or changed meanwhile, or another one was published.
    Raises InvalidRules.
    """
    with transaction.atomic():
        _one_at_a_time(shown.set_id)
        if Shown.now(shown.set_id) != shown:
            return None
        try:
            published = publish(shown.set_id, effective_from=effective_from, at=at, actor_id=actor_id, reason=reason)
        except NotADraft:
            return None
        if published.version != shown.version:  # A colleague's was published between the look and the lock.
            transaction.set_rollback(True)
            return None
        _log("rule.publish", published, at=at, actor_id=actor_id)
    return published


def roll_back_shown(shown: Shown, version: int, *, at: datetime, actor_id: int, reason: str) -> RuleSet | None:
    """Publish an earlier version again as it was shown, and write the staff log, both or neither.

    None when another version was published meanwhile. Raises InvalidRules.
    """
    with transaction.atomic():
        if Shown.now(shown.set_id) != shown:
            return None
        published = roll_back(version, at=at, actor_id=actor_id, reason=reason)
        if published.version != shown.version:
            transaction.set_rollback(True)
            return None
        _log("rule.roll_back", published, at=at, actor_id=actor_id, back_to=version)
    return published


def _one_at_a_time(draft_id: int) -> None:
    """Let nobody change the draft between the look and the publication."""
    RuleSet.objects.select_for_update().filter(pk=draft_id).first()


def _log(action: str, published: RuleSet, *, at: datetime, actor_id: int, **details: Any) -> None:
    log_action(
        action,
        actor_id=actor_id,
        at=at,
        reason=published.reason,
        version=published.version,
        effective_from=published.effective_from and published.effective_from.isoformat(),
        **details,
    )


@dataclass(frozen=True, slots=True)
class MostPaid:
    """The most that a set can pay, as a share of the price, and the order that gets it. ``high``: the share is above
    the threshold from which the shop wants to be warned."""

    percent: str
    threshold: str
    high: bool
    points: int
    price: str
    cost: str
    rules: list[str]
    facts: list[tuple[str, str]]


def most_it_pays(rules: PureRules, vocabulary: Vocabulary, at: datetime) -> MostPaid:
    """Work out which order gets the largest share of its price back, at what a point costs the shop now."""
    cost = cost_on(at).per_point
    most = _highest_share(rules, cost * _FEN_A_YUAN)
    names = {rule.code: rule.name or str(rule.kind.label) for rule in rules.rules}
    return MostPaid(
        percent=plain(most.percent),
        threshold=plain(settings.EARNING_WARNING_PERCENT),
        high=most.percent > settings.EARNING_WARNING_PERCENT,
        points=most.points,
        price=plain(yuan(most.price)),
        cost=plain(yuan_to_fen_half_up(most.points * cost)),
        rules=[names.get(code, code) for code in most.rules],
        facts=list(_facts(most, rules, vocabulary)),
    )


def _highest_share(rules: PureRules, fen_a_point: Decimal) -> HighestShare:
    """The share, remembered for a while: trying out many festivals takes seconds, and a form may be sent twice."""
    zone = programme_zone()
    content = json.dumps([rules.as_json()["rules"], str(fen_a_point), str(zone)], sort_keys=True)
    key = f"loyalty.rules.highest_share:{hashlib.sha256(content.encode()).hexdigest()}"
    most: HighestShare | None = cache.get(key)
    if most is None:
        most = highest_share(rules, fen_a_point, zone)
        cache.set(key, most, timeout=REMEMBERED_SECONDS)
    return most


def _facts(most: HighestShare, rules: PureRules, vocabulary: Vocabulary) -> list[tuple[str, str]]:
    """What is particular about the order that gets most, as far as the rules look at it."""
    order, member = most.order, most.member
    found: list[tuple[str, str]] = []
    rank = vocabulary.ranks.get(member.tier_rank, "") if member.tier_rank else ""
    tier = vocabulary.tiers.get(member.tier, member.tier) or rank
    if tier:
        found.append((_("Tier"), tier))
    if order.channel:
        found.append((_("Shop"), vocabulary.channels.get(order.channel, order.channel)))
    if order.payment_kind:
        found.append((_("Paid by"), str(dict(PaymentKind.choices).get(order.payment_kind, order.payment_kind))))
    fired = {rule.code: rule for rule in rules.rules}
    if any(_looks_at_days(fired[code]) for code in most.rules) and order.paid_at is not None:
        found.append((_("Paid on"), date_format(order.paid_at.date(), "DATE_FORMAT")))
    return found


def _looks_at_days(rule: Rule) -> bool:
    return isinstance(rule.kind, Festival) or rule.conditions.dates is not None or bool(rule.conditions.weekdays)
