"""Sets of rules for tests, in the form in which the admin saves them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from loyalty.models import RuleSet
from loyalty.rulebook import draft_of, publish, save_draft

Json = Mapping[str, Any]


def rule(kind: str, config: Json | None = None, *, code: str = "", **rest: Any) -> dict[str, Any]:
    """One rule; its code is its kind's unless it says otherwise. ``rest`` are its other fields."""
    return {"code": code or kind.replace("_", "-"), "kind": kind, "config": config or {}, **rest}


SPEND = rule("spend", {"per": "1", "points": 1})


def publish_rules(*rules: Json, since: datetime, reason: str = "A new season") -> RuleSet:
    """Publish a set of these rules, a day before it begins."""
    at = since - timedelta(days=1)
    draft = draft_of(0, at=at, actor_id=None)
    found = save_draft(draft.pk, rules)
    assert not found, found
    return publish(draft.pk, effective_from=since, at=at, actor_id=None, reason=reason)
