"""Days are closed: what was there, what came and went, what is left, and what it will cost."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError

from crm.models import Member
from loyalty.close import close_due_days
from loyalty.liability import publish_cost
from loyalty.models import DayClose, EntrySeal
from loyalty.movements import adjust, burn, capture, hold, open_balance, release, undo
from tests.loyalty.postings import earned, returned, ripe, waiting, write
from tests.loyalty.tampering import CHECK_VIOLATION, refusal_of, tamper

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books_add_up")]

DAY = timedelta(days=1)


def figures(day: date, *names: str) -> tuple[int, ...]:
    """Figures of a closed day."""
    return DayClose.objects.values_list(*names).get(day=day)


@pytest.fixture
def story(xiaolu: Member, dayong: Member, at: datetime) -> datetime:
    """Two days of 林小鹿 and 王大勇, in which every kind of entry occurs. Returns noon of the day after."""
    write(
        earned(xiaolu, 500, key="order:1", at=at, expires_at=at + 400 * DAY),
        waiting(xiaolu, 80, key="order:2", at=at),
        waiting(xiaolu, 20, key="order:3", at=at),
        at=at,
    )
    open_balance(
        dayong.pk, 300, key="old:1", at=at, expires_at=at + DAY / 2, reason="From the old system", actor_id=None
    )
    burn(xiaolu.pk, 120, key="coupon:1", at=at)

    next_day = at + DAY
    write(ripe(xiaolu, "order:2", at=next_day), at=next_day)
    write(returned(xiaolu, 20, key="back:3", about_key="order:3", at=next_day), at=next_day)
    hold(xiaolu.pk, 60, key="hold:1", at=next_day, deadline=None)
    capture(xiaolu.pk, "hold:1", key="capture:1", at=next_day, points=25)
    release(xiaolu.pk, "hold:1", key="release:1", at=next_day, revive_until=None, points=15)
    undo(xiaolu.pk, "coupon:1", key="undo:1", at=next_day, revive_until=None, points=40)
    adjust(xiaolu.pk, 7, key="adjust:1", at=next_day, reason="An apology", actor_id=None)
    adjust(xiaolu.pk, -2, key="adjust:2", at=next_day, reason="Too much", actor_id=None)
    write(returned(xiaolu, 90, key="back:1", about_key="order:1", at=next_day), at=next_day)
    from loyalty.journal import expire_due

    expire_due(next_day)
    return next_day + DAY


class TestEquation:
    def test_the_first_day_begins_with_nothing(self, story: datetime, at: datetime) -> None:
        assert close_due_days(story) == 2

        assert figures(at.date(), "opening", "accrued", "carried_over", "burned", "closing") == (0, 500, 300, 120, 680)
        assert figures(at.date(), "pending_opening", "pending_accrued", "pending_closing") == (0, 100, 100)
        assert figures(at.date(), "entries", "late_entries", "debt") == (5, 0, 0)
