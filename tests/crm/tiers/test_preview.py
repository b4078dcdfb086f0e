"""What a scheme would do, seen before it is published: on real members, and without touching them."""

from datetime import datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm import longjobs, tasks
from crm.choices import GrantSource
from crm.models import Channel, Member, SchemePreview, StaffAction, TierGrant, TierScheme, TierStanding
from crm.tiers import preview as previews
from crm.tiers import preview_jobs
from crm.tiers.granting import grant_tier
from crm.tiers.presets import load_scheme_preset
from crm.tiers.preview import Flow, Preview, When, last_quarter, preview
from crm.tiers.schemebook import InvalidScheme, draft_of, find_scheme, save_draft
from tests.cast import SHANGHAI
from tests.crm.tiers.seller import Seller, noon
from tests.factories import MemberFactory, StaffFactory

pytestmark = pytest.mark.django_db

AT = noon("2026-04-15")


@pytest.fixture
def seller(shop: Channel) -> Seller:
    return Seller(shop)


@pytest.fixture
def draft(seller: Seller) -> TierScheme:
    """VIP at 2000, as in the preset ``vancl``: no order has been recorded under it."""
    return load_scheme_preset("vancl", at=AT, actor_id=None).draft


def see(draft: TierScheme) -> Preview:
    return preview(find_scheme(draft.pk), at=AT)


def moves(found: Preview) -> list[tuple[int, int, str, int]]:
    return [(flow.from_rank, flow.to_rank, flow.when.value, flow.members) for flow in found.flows]


def test_it_says_who_goes_up_and_who_stays(seller: Seller, draft: TierScheme) -> None:
    big, small, nobody = (seller.member(name) for name in ("big", "small", "nobody"))
    seller.buys(big, 2000, "2026-02-10")
    seller.buys(small, 1999, "2026-02-10")

    found = see(draft)

    assert found.members == 3
    assert moves(found) == [(0, 0, "stay", 2), (0, 1, "now", 1)]
    assert [flow.examples for flow in found.flows] == [(small.pk, nobody.pk), (big.pk,)]
    assert [(rung.code, rung.before, rung.after) for rung in found.rungs] == [
        ("base", 3, 2), ("vip", 0, 1), ("svip", 0, 0),
    ]  # fmt: skip
    assert [found.moving(direction) for direction in (1, 0, -1)] == [1, 2, 0]


def test_nothing_is_written(seller: Seller, draft: TierScheme) -> None:
    seller.buys(seller.member("big"), 2000, "2026-02-10")

    see(draft)

    assert not TierGrant.objects.exists()
    assert not TierStanding.objects.exists()


def test_the_discounts_are_those_of_the_last_whole_quarter(seller: Seller, draft: TierScheme) -> None:
    big = seller.member("big")
    seller.buys(big, 1000, "2025-12-20")  # Paid a week earlier, in the quarter before.
    seller.buys(big, "1000.50", "2026-02-10")
    number = seller.buys(big, 500, "2026-03-31")
    seller.gives_back(big, number, 100, "2026-04-02")
    seller.buys(big, 700, "2026-04-14")  # Paid on 7 April.

    discounts = see(draft).discounts

    assert discounts.turnover == Decimal("1400.50")
    assert (discounts.before, discounts.after) == (Decimal("0.00"), Decimal("28.01"))  # VIP pays 98 percent.
    assert (discounts.since, discounts.until) == (
        datetime(2026, 1, 1, tzinfo=SHANGHAI), datetime(2026, 4, 1, tzinfo=SHANGHAI),
    )  # fmt: skip


def test_on_the_first_instant_of_a_quarter_the_one_before_is_the_last() -> None:
    start = datetime(2026, 4, 1, tzinfo=SHANGHAI)
    assert last_quarter(start) == (datetime(2026, 1, 1, tzinfo=SHANGHAI), start)


def test_who_falls_is_counted_by_what_the_fall_waits_for(seller: Seller, draft: TierScheme) -> None:
    waits, by_hand = seller.member("waits"), seller.member("by hand")
    for member, source in ((waits, GrantSource.IMPORT), (by_hand, GrantSource.MANUAL)):
        grant_tier(
            member.pk, "svip", at=AT, until=noon("2026-09-01"), actor_id=None, reason="Carried over", source=source
        )

    assert moves(see(draft)) == [(2, 0, "term_end", 1), (2, 2, "stay", 1)]


@pytest.mark.parametrize(
    ("preset", "when"), [("linggou", "claim"), ("taobao", "next_order"), ("quarterly", "now"), ("vancl", "now")]
)
def test_what_a_rise_waits_for_is_said(seller: Seller, preset: str, when: str) -> None:
    member = seller.member("big")
    seller.buys(member, 2000, "2026-04-10")

    found = see(load_scheme_preset(preset, at=AT, actor_id=None).draft)

    assert [flow.when for flow in found.flows] == [When(when)]


def test_many_chunks_come_to_the_same_and_progress_is_told(
    seller: Seller, draft: TierScheme, monkeypatch: pytest.MonkeyPatch
) -> None:
    MemberFactory.create_batch(6)
    seller.buys(seller.member("big"), 2000, "2026-02-10")
    whole = see(draft)
    monkeypatch.setattr(previews, "MEMBERS_PER_CHUNK", 3)
    told: list[tuple[int, int]] = []

    assert preview(find_scheme(draft.pk), at=AT, progress=lambda *done: told.append(done)) == whole
    assert told == [(3, 7), (6, 7), (7, 7)]


def test_a_chunk_takes_the_same_statements_whatever_its_size(seller: Seller, draft: TierScheme) -> None:
    scheme = find_scheme(draft.pk)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            preview(scheme, at=AT)
        return len(captured)

    MemberFactory()
    one = queries()
    MemberFactory.create_batch(30)
    assert queries() == one


def test_a_preview_is_kept_as_it_was() -> None:
    flow = Flow(0, 1, When.NOW, 3, (1, 2, 3), Decimal("12.50"))
    rung = previews.RungPreview(1, "vip", "VIP", Decimal("98.00"), 0, 3)
    discounts = previews.Discounts(AT, AT, Decimal("12.50"), Decimal(0), Decimal("0.25"))
    found = Preview(AT, 3, (flow,), (rung,), discounts)

    assert Preview.from_json(found.as_json()) == found


class TestJob:
    def test_a_worker_makes_it_and_keeps_the_result(self, seller: Seller, draft: TierScheme) -> None:
        seller.buys(seller.member("big"), 2000, "2026-02-10")
        boss = StaffFactory()

        job = preview_jobs.start(draft.pk, actor_id=boss.pk, at=AT)
        assert preview_jobs.run(job.pk, clock=lambda: AT)

        job.refresh_from_db()
        assert (job.state, job.done, job.members) == ("done", 1, 1)
        assert job.result is not None
        assert Preview.from_json(job.result) == see(draft)
        assert StaffAction.objects.get().action == "tier_scheme.preview"
        assert not preview_jobs.run(job.pk, clock=lambda: AT)

    def test_a_scheme_that_makes_no_sense_is_refused(self) -> None:
        draft = draft_of(0, at=AT, actor_id=None)
        load_scheme_preset("vancl", at=AT, actor_id=None)
        save_draft(draft.pk, {}, [{"tier": "vip", "reach": []}])

        with pytest.raises(InvalidScheme):
            preview_jobs.start(draft.pk, actor_id=StaffFactory().pk, at=AT)
        assert not SchemePreview.objects.exists()

    def test_an_error_is_kept_and_told(self, draft: TierScheme, monkeypatch: pytest.MonkeyPatch) -> None:
        job = preview_jobs.start(draft.pk, actor_id=StaffFactory().pk, at=AT)

        def break_off(*args: object, **kwargs: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(preview_jobs, "preview", break_off)
        preview_jobs.run(job.pk, clock=lambda: AT)

        job.refresh_from_db()
        assert (job.state, job.error) == ("failed", preview_jobs.BROKE_OFF)

    def test_one_whose_worker_died_is_sent_again_once(self, draft: TierScheme, monkeypatch: pytest.MonkeyPatch) -> None:
        sent: list[int] = []
        monkeypatch.setattr(tasks.run_scheme_preview, "delay", sent.append)
        job = preview_jobs.start(draft.pk, actor_id=StaffFactory().pk, at=AT)
        later = AT + 2 * longjobs.STALLED_AFTER

        assert preview_jobs.take_up_stalled(at=AT) == []
        assert preview_jobs.take_up_stalled(at=later) == [job.pk]
        assert preview_jobs.take_up_stalled(at=later) == []
        assert sent == [job.pk]


def test_members_are_found_by_the_examples(seller: Seller, draft: TierScheme) -> None:
    big = seller.member("big")
    seller.buys(big, 2000, "2026-02-10")

    [flow] = [flow for flow in see(draft).flows if flow.to_rank]

    assert Member.objects.get(pk__in=flow.examples) == big
