"""How many points a hundred yuan of sales earn: what somebody must know who gives something for points."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.core.cache import cache

from loyalty.earning.highest_share import highest_share, usual_points
from loyalty.rulebook import published_sets, set_at
from loyalty.validity import programme_zone

_REMEMBERED_SECONDS = 600
_FEN_OF_A_HUNDRED_YUAN = 10_000


@dataclass(frozen=True, slots=True)
class EarnedRates:
    """Points for a hundred yuan: ``usual`` for a buyer of the base tier on an ordinary day, ``highest`` for the order
    that earns most for its price."""

    usual: int
    highest: Decimal


def earned_rates(at: datetime) -> EarnedRates:
    """Return what the rules in force at an instant pay. Remembered for a while: trying out many festivals takes
    seconds."""
    compiled = set_at(published_sets(), at)
    zone = programme_zone()
    content = json.dumps([compiled.source.as_json()["rules"], str(zone)], sort_keys=True)
    key = f"loyalty.earned_rates:{hashlib.sha256(content.encode()).hexdigest()}"
    known: EarnedRates | None = cache.get(key)
    if known is None:
        share = highest_share(compiled.source, Decimal(1), zone).share * _FEN_OF_A_HUNDRED_YUAN
        known = EarnedRates(usual_points(compiled), Decimal(share.numerator) / Decimal(share.denominator))
        cache.set(key, known, timeout=_REMEMBERED_SECONDS)
    return known
