"""The figures that an embed shows, to everybody or to one member: only those that its template needs."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from crm import api as crm
from loyalty import api as loyalty
from redemption.embeds.gallery import Need
from redemption.embeds.goods import REACH, member_shelf, public_reward, public_shelf, within_reach
from redemption.models import Embed
from redemption.months import month_of
from redemption.offers import current_offers, shelf, worth_rounded_down
from redemption.rewards.agreeing import interest

SHOWN_OFFERS = 8


def figures(embed: Embed, member_id: int | None, at: datetime) -> dict[str, Any]:
    """Return what the embed's template shows at this moment; for everybody when ``member_id`` is None."""
    context: dict[str, Any] = {"member": member_id is not None}
    needs = embed.kind.needs
    if member_id is not None and needs & {Need.POINTS, Need.OFFERS}:
        context["summary"] = loyalty.summary(member_id, at)
    for need, ask in _ASK.items():
        if need in needs:
            context |= ask(embed, member_id, at, context)
    return context


def _offers(embed: Embed, member_id: int | None, at: datetime, known: dict[str, Any]) -> dict[str, Any]:
    offers = current_offers(at)
    if member_id is None:
        return {"offers": [(offer, 0) for offer in offers[:SHOWN_OFFERS]], "worth": None}
    summary = known["summary"]
    return {
        "offers": shelf(offers, summary.spendable - summary.debt)[:SHOWN_OFFERS],
        "worth": worth_rounded_down(summary.spendable, offers),
    }


def _board(embed: Embed, member_id: int | None, at: datetime, known: dict[str, Any]) -> dict[str, Any]:
    sets = loyalty.published_sets()
    if member_id is None:
        today = at.astimezone(loyalty.programme_zone()).date()
        nobody = loyalty.CheckInBoard(today, frozenset(), 0, done=False, earned=0, offer=0, tomorrow=0, bonus=None)
        board = nobody if loyalty.SIGN_IN in loyalty.rewarded_acts(sets, at) else None
    else:
        board = loyalty.checkin_board(member_id, at, sets)
    return {"board": board, "weeks": month_of(board) if board is not None else []}


def _tier(embed: Embed, member_id: int | None, at: datetime, known: dict[str, Any]) -> dict[str, Any]:
    return {"tier": crm.tier_card(member_id, at) if member_id is not None else crm.TierCard(crm.ladder())}


def _rewards(embed: Embed, member_id: int | None, at: datetime, known: dict[str, Any]) -> dict[str, Any]:
    """Each reward and how many points are missing."""
    if member_id is None:
        return {"rewards": [(one, 0) for one in public_shelf(at)]}
    funds = known["summary"].spendable - known["summary"].debt
    seen = member_shelf(member_id, at)
    return {"now": at, "rewards": [(one, one.terms.missing(funds) if one.terms else 0) for one in seen]}


def _reach(embed: Embed, member_id: int | None, at: datetime, known: dict[str, Any]) -> dict[str, Any]:
    if member_id is None:
        return {"reach": public_shelf(at, most=REACH)}
    return {"reach": within_reach(member_id, known["summary"].spendable - known["summary"].debt, at)}


def _reward(embed: Embed, member_id: int | None, at: datetime, known: dict[str, Any]) -> dict[str, Any]:
    if member_id is None or embed.reward_id is None:
        return {"reward": public_reward(embed.reward_id, at)}
    shown = interest(member_id, embed.reward_id, at)
    return {"now": at, "reward": shown.seen if shown else None, "considered": shown.considered if shown else None}


_Ask = Callable[[Embed, int | None, datetime, dict[str, Any]], dict[str, Any]]
_ASK: dict[Need, _Ask] = {
    Need.OFFERS: _offers,
    Need.BOARD: _board,
    Need.TIER: _tier,
    Need.REWARDS: _rewards,
    Need.REWARD: _reward,
    Need.REACH: _reach,
}
