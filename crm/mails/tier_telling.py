"""Telling members of their tiers: of what has just happened, in its transaction, and of days that come near, by night.

Every fact is told once, as its key says: a grant or an offer, and a kind of mail. So a night may be repeated, come
days late, and run beside another one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from crm.choices import Fall, Taking
from crm.events import TierChanges
from crm.mails.queueing import Queued, queue_selected
from crm.mails.tier_mails import CLAIM_EXPIRING, TIER_ENDING, TIER_REACHED, TIER_UPGRADED
from crm.models import TierMailPlan
from crm.tiers.scheme import Scheme
from crm.tiers.schemebook import scheme_at
from crm.tiers.windows import midnight, term_end

_LAST_ON = "(({end} - interval '1 microsecond') AT TIME ZONE %(zone)s)::date"
_BEGUN_ON = "({begin} AT TIME ZONE %(zone)s)::date"


def _facts(end: str) -> str:
    last_on = _LAST_ON.format(end=end)
    return f"'tier', t.name, 'price_percent', t.discount_percent::text, 'last_on', ({last_on})::text"


# The system has moved a member up. Whoever took the tier himself knows it, and what a person gave that person tells. A
# night that comes late finds grants that are over again.
_UPGRADED = f"""
SELECT 'grant:' || g.id AS fact, g.member_id, jsonb_build_object({_facts("g.ends_at")}) AS facts,
       g.ends_at AS useless_after
  FROM crm_tiergrant AS g JOIN crm_tier AS t ON t.id = g.tier_id
 WHERE g.id = ANY (%(ids)s) AND g.move = 'up' AND g.source = 'system' AND g.ended_at IS NULL
   AND (g.ends_at IS NULL OR g.ends_at > %(at)s)
   AND coalesce((SELECT tells_upgrades FROM crm_tiermailplan), TRUE)
"""

_REACHED = f"""
SELECT 'offer:' || o.id AS fact, o.member_id, jsonb_build_object({_facts("o.until")}) AS facts,
       o.until AS useless_after
  FROM crm_tieroffer AS o JOIN crm_tier AS t ON t.id = o.tier_id
 WHERE o.id = ANY (%(ids)s) AND o.kind = 'up' AND o.state = 'open' AND o.until > %(at)s
   AND coalesce((SELECT tells_claims FROM crm_tiermailplan), TRUE)
"""

# Another term can be had: this tells already that the present one ends, and the night does not tell it again.
_RENEWABLE = f"""
SELECT 'grant:' || g.id AS fact, o.member_id,
       jsonb_build_object({_facts("o.until")}, 'renewable', TRUE) AS facts, o.until AS useless_after
  FROM crm_tieroffer AS o JOIN crm_tier AS t ON t.id = o.tier_id
  JOIN crm_tiergrant AS g
    ON g.member_id = o.member_id AND tstzrange(g.begins_at, LEAST(g.ended_at, g.ends_at)) @> o.opened_at
 WHERE o.id = ANY (%(ids)s) AND o.kind = 'renewal' AND o.state = 'open' AND o.until > %(at)s
   AND coalesce((SELECT tells_claims FROM crm_tiermailplan), TRUE)
"""

# What could be claimed for no longer than the notice was told when it began.
_EXPIRING = f"""
SELECT 'offer:' || o.id AS fact, o.member_id, jsonb_build_object({_facts("o.until")}) AS facts,
       o.until AS useless_after
  FROM crm_tieroffer AS o JOIN crm_tier AS t ON t.id = o.tier_id
 WHERE o.state = 'open' AND o.until > %(at)s AND o.until <= %(horizon)s
   AND {_BEGUN_ON.format(begin="o.opened_at")} < {_LAST_ON.format(end="o.until")} - %(days)s
"""

# Whoever gets another term without doing anything need not be told that one ends.
_ENDING = f"""
SELECT 'grant:' || g.id AS fact, g.member_id, jsonb_build_object({_facts("{end}")}) AS facts, {{end}} AS useless_after
  FROM crm_tiergrant AS g
  JOIN crm_tier AS t ON t.id = g.tier_id
  LEFT JOIN crm_tierstanding AS ts ON ts.member_id = g.member_id
 WHERE t.rank > 0 AND g.begins_at <= %(at)s AND g.ended_at IS NULL AND {{which}}
   AND {_BEGUN_ON.format(begin="g.begins_at")} < {_LAST_ON.format(end="{end}")} - %(days)s
   AND NOT (g.source <> 'manual' AND (%(all_stay)s OR %(kept_stay)s AND coalesce(ts.keep_share, 0) = 1))
"""
_WITH_END = "g.ends_at > %(at)s AND g.ends_at <= %(horizon)s"
# Tiers without end from before the scheme gave them a term; see ``crm.tiers.statements.end_of_grant``.
_WITHOUT_END = "g.ends_at IS NULL AND g.begins_at < %(begun)s AND g.source <> 'manual' AND NOT g.locked"


@dataclass(frozen=True, slots=True)
class Reminded:
    """What a night has told: of claims whose last day comes near, and of tiers whose last day does."""

    claims: Queued
    endings: Queued

    @property
    def queued(self) -> int:
        """How many mails were written down."""
        return self.claims.queued + self.endings.queued

    @property
    def found(self) -> int:
        """How many members there were to be told, those included who had been told before."""
        return sum(each.queued + each.known + each.unreachable + each.unwanted for each in (self.claims, self.endings))


def tell_of_changes(changes: TierChanges, at: datetime) -> None:
    """Write down the mails about new grants and offers: a handler of ``crm.events.on_tiers_changed``, in its
    transaction. One statement a kind, however many members."""
    if changes.grants:
        queue_selected(TIER_UPGRADED.code, _UPGRADED, _values(ids=list(changes.grants)), at=at)
    if changes.offers:
        ids = _values(ids=list(changes.offers))
        queue_selected(TIER_REACHED.code, _REACHED, ids, at=at)
        queue_selected(TIER_ENDING.code, _RENEWABLE, ids, at=at)


def remind(at: datetime) -> Reminded:
    """Write down the mails about days that have come near by the day of ``at``. Some statements, however many members;
    what was told before is not told again."""
    plan = TierMailPlan.objects.first() or TierMailPlan()
    claims = endings = Queued()
    if plan.claim_days:
        claims = queue_selected(CLAIM_EXPIRING.code, _EXPIRING, _near(plan.claim_days, at), at=at)
    if plan.ending_days:
        endings = _tell_of_ends(plan.ending_days, at)
    return Reminded(claims, endings)


def _tell_of_ends(days: int, at: datetime) -> Queued:
    scheme = scheme_at(at)
    values = _near(days, at) | {
        "all_stay": scheme is not None and scheme.fall == Fall.KEEP,
        "kept_stay": scheme is not None and scheme.taking == Taking.SYSTEM,
    }
    told = queue_selected(TIER_ENDING.code, _ENDING.format(end="g.ends_at", which=_WITH_END), values, at=at)
    first_end = _first_end(scheme)
    if scheme is None or first_end is None or not at < first_end <= values["horizon"]:
        return told
    statement = _ENDING.format(end="%(first_end)s::timestamptz", which=_WITHOUT_END)
    more = queue_selected(
        TIER_ENDING.code, statement, values | {"begun": scheme.effective_from, "first_end": first_end}, at=at
    )
    return Queued(*(getattr(told, name) + getattr(more, name) for name in Queued.__slots__))


def _first_end(scheme: Scheme | None) -> datetime | None:
    if scheme is None or scheme.validity_months is None or scheme.effective_from is None:
        return None
    return term_end(scheme.effective_from, scheme.validity_months, _zone())


def _near(days: int, at: datetime) -> dict[str, Any]:
    """Ends up to ``horizon`` have their last day at most so many days after the day of ``at``."""
    today = at.astimezone(_zone()).date()
    return _values(days=days, horizon=midnight(today + timedelta(days=days + 1), _zone()))


def _values(**values: Any) -> dict[str, Any]:
    return {"zone": settings.PROGRAMME_TIME_ZONE, **values}


def _zone() -> ZoneInfo:
    return ZoneInfo(settings.PROGRAMME_TIME_ZONE)
