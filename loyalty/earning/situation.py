"""What the tests of rules look at, and what such a test is."""

from collections.abc import Callable
from datetime import date, datetime, tzinfo

from loyalty.earning.award import Miss
from loyalty.earning.facts import ActFacts, MemberFacts, OrderFacts


class Situation:
    """An order or an act, whose it is, and its instant in the programme's zone."""

    __slots__ = ("act", "day", "local", "member", "order")

    def __init__(
        self, order: OrderFacts, member: MemberFacts, *, at: datetime | None, zone: tzinfo, act: ActFacts | None = None
    ) -> None:
        self.order = order
        self.member = member
        self.act = act
        self.local: datetime | None = at.astimezone(zone) if at is not None else None
        self.day: date | None = self.local.date() if self.local is not None else None


# Why the rule cannot give anything here; None when it can.
Test = Callable[[Situation], Miss | None]


def unless(condition: Callable[[Situation], bool], miss: Miss) -> Test:
    """A test whose answer is ``miss`` unless the condition holds."""

    def test(situation: Situation) -> Miss | None:
        return None if condition(situation) else miss

    return test
