"""What staff do to rewards apart from their stock: whom they are for, whether they are offered, a copy of one."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from crm.api import log_action
from redemption.models import Reward, RewardPicture, RewardTag, Stock
from redemption.rewards.moving import NoReason

_LONGEST_NAME = 120
_TERMS = (
    "description", "kind", "category_id", "position", "points", "cash", "list_price", "starts_at", "ends_at",
    "visibility", "min_tier_id", "limit_day", "limit_window", "limit_ever", "most_at_once", "pay_hours", "counted",
)  # fmt: skip


def set_tags(reward_id: int, *, needed: Collection[int], barred: Collection[int]) -> bool:
    """Make a reward one for members with one of the ``needed`` tags and with none of the ``barred`` ones, all given by
    their ids. Returns whether that changed anything."""
    wanted = dict.fromkeys(needed, False) | dict.fromkeys(barred, True)
    with transaction.atomic():
        rules = RewardTag.objects.filter(reward=reward_id)
        if dict(rules.values_list("tag_id", "barred")) == wanted:
            return False
        rules.delete()
        RewardTag.objects.bulk_create(
            RewardTag(reward_id=reward_id, tag_id=tag_id, barred=shut_out) for tag_id, shut_out in wanted.items()
        )
    return True


def set_offered(reward_ids: Collection[int], *, offered: bool, actor_id: int, reason: str, at: datetime) -> int:
    """Offer rewards to buyers, or take them off the store. Returns how many were not so before. Raises NoReason."""
    if not reason.strip():
        raise NoReason
    with transaction.atomic():
        changed = Reward.objects.filter(pk__in=reward_ids, active=not offered).update(active=offered)
        log_action(
            "rewards.offer" if offered else "rewards.withdraw",
            actor_id=actor_id, at=at, reason=reason, rewards=changed,
        )  # fmt: skip
    return changed


def duplicate(reward_id: int, *, actor_id: int, at: datetime) -> Reward:
    """Make a reward with the terms, tags and pictures of another one, that is not offered yet and has no stock. Raises
    Reward.DoesNotExist."""
    with transaction.atomic():
        model = Reward.objects.get(pk=reward_id)
        suffix = _(" (copy)")
        terms = Reward.objects.filter(pk=reward_id).values(*_TERMS).get()
        reward = Reward.objects.create(**terms, name=model.name[: _LONGEST_NAME - len(suffix)] + suffix, active=False)
        if reward.counted:
            Stock.objects.create(reward=reward)
        RewardTag.objects.bulk_create(
            RewardTag(reward=reward, tag_id=rule.tag_id, barred=rule.barred) for rule in model.tag_rules.all()
        )
        RewardPicture.objects.bulk_create(
            RewardPicture(
                reward=reward, name=picture.name, width=picture.width, height=picture.height,
                position=picture.position, alt=picture.alt,
            )
            for picture in model.pictures.all()
        )  # fmt: skip
        log_action("rewards.duplicate", actor_id=actor_id, at=at, reward=reward.pk, of=reward_id)
    return reward
