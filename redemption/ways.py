"""Ways to earn points besides buying, as far as the rules in force reward them and the member has them left."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from loyalty import api as loyalty


class Way(StrEnum):
    """A way to earn; its value is what the rules call the act."""

    PROFILE = "profile"
    CAMPAIGN = "campaign"
    REFERRAL = "referral"


@dataclass(frozen=True, slots=True)
class Ways:
    """What a member may do."""

    profile: bool = False
    campaign: bool = False
    referral: bool = False

    def __bool__(self) -> bool:
        return self.profile or self.campaign or self.referral


def ways_to_earn(sets: loyalty.PublishedSets, at: datetime, *, profile_rewarded: bool) -> Ways:
    """Return what the rules in force reward a member who has had his gift for the profile, or has not."""
    acts = loyalty.rewarded_acts(sets, at)
    return Ways(
        profile=Way.PROFILE in acts and not profile_rewarded,
        campaign=Way.CAMPAIGN in acts,
        referral=Way.REFERRAL in acts,
    )


def is_open(way: Way, at: datetime) -> bool:
    """Say whether a way is rewarded now."""
    return way in loyalty.rewarded_acts(loyalty.published_sets(), at)
