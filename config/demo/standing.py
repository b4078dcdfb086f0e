"""Where the demo shop's members stand: a tier scheme of claims, what they have reached by it, the grades that another
tool has given them, and two who always pay the list price."""

from contextlib import suppress
from datetime import datetime
from decimal import Decimal

from config.demo.cast import CAST, Role
from crm.api import ClaimRefused, claim_tier, load_scheme_preset, log_action, publish_scheme, review_everybody
from crm.memberlists.no_discount import put_on_list
from crm.models import (
    Channel,
    Member,
    MemberPlatformGrade,
    PlatformGrade,
    PlatformTool,
    TierMailPlan,
    TierOffer,
)

_REASON = "会员等级上线"
_WHOLESALE = "批发客户，已按批发价结算"
_GRADES = (("VIP1", Decimal(98)), ("VIP2", Decimal(95)), ("VIP3", Decimal(92)))
_GRADED, _WHOLESALERS = 60, 2


def publish_tiers(at: datetime) -> None:
    """Publish a scheme by which members take their tiers themselves, and look at everybody.

    A shop that opens tells nobody of what he has long reached: the mails begin with what comes after.
    """
    draft = load_scheme_preset("linggou", at=at, actor_id=None, note=_REASON).draft
    published = publish_scheme(draft.pk, effective_from=at, at=at, actor_id=None, reason=_REASON)
    log_action("tier_scheme.publish", actor_id=None, at=at, reason=_REASON, version=published.version)
    plan = TierMailPlan.objects.create(pk=1, tells_claims=False)
    review_everybody(at, at=at)
    plan.tells_claims = True
    plan.save()


_GRADE_LIST = "会员等级.csv"


def give_standing(channel: Channel, at: datetime) -> None:
    """Let the regular of the cast take her tier; give grades to some others, and keep two from every discount."""
    regular = _cast(channel, Role.REGULAR)
    offer = TierOffer.objects.filter(member=regular, state="open").first()
    if offer is not None:
        with suppress(ClaimRefused):  # Some of what she had bought may have gone back.
            claim_tier(regular.pk, offer.pk, at=at)
    collector = _cast(channel, Role.COLLECTOR)
    outsiders = list(
        Member.objects.filter(identities__channel=channel)
        .exclude(identities__external_id__in=[persona.nick for persona in CAST])
        .order_by("pk")[: _GRADED + _WHOLESALERS]
    )
    tool = PlatformTool.objects.create(name="会员关系管理", channel=channel)
    grades = [PlatformGrade.objects.create(tool=tool, name=name, discount_percent=pays) for name, pays in _GRADES]
    holders = [(collector, grades[1])]
    holders += [(member, grades[place % len(grades)]) for place, member in enumerate(outsiders[_WHOLESALERS:])]
    MemberPlatformGrade.objects.bulk_create(
        MemberPlatformGrade(member=member, tool=tool, grade=grade, seen_at=at, source=_GRADE_LIST)
        for member, grade in holders
    )
    put_on_list([member.pk for member in outsiders[:_WHOLESALERS]], reason=_WHOLESALE, at=at, actor_id=None)


def _cast(channel: Channel, role: Role) -> Member:
    nick = next(persona.nick for persona in CAST if persona.role is role)
    return Member.objects.get(identities__channel=channel, identities__external_id=nick)
