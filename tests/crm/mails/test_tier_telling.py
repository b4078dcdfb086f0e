"""Which mails about tiers are written down, when, and that each is written once."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from crm.choices import Climb, Fall, Restart, Taking
from crm.events import TierChanges
from crm.mails.preferences import stop_mails
from crm.mails.tier_telling import remind, tell_of_changes
from crm.mails.writing import put_into_words
from crm.models import Channel, Mail, Member, TierGrant, TierMailPlan, TierOffer
from crm.tiers.claims import claim_tier
from crm.tiers.granting import grant_tier
from crm.tiers.presets import load_scheme_preset
from crm.tiers.schemebook import publish, save_draft
from loyalty.nightly import run_nightly
from tests.crm.tiers.seller import Seller, night_of, noon

pytestmark = pytest.mark.django_db

Begin = Callable[..., None]


@pytest.fixture
def seller(shop: Channel) -> Seller:
    return Seller(shop)


@pytest.fixture
def buyer(seller: Seller) -> Member:
    return with_address(seller.member("buyer"))


@pytest.fixture
def begin(seller: Seller) -> Begin:
    """``begin(taking=…)``: a year of VIP for 1000 yuan, of SVIP for 3000, since 2025."""

    def begin(*, day: str = "2025-01-01", **settings: object) -> None:
        draft = load_scheme_preset("vancl", at=noon(day), actor_id=None).draft
        rungs = [
            {"tier": code, "reach": [{"metric": "spend", "at_least": figure}]}
            for code, figure in (("vip", "1000"), ("svip", "3000"))
        ]
        save_draft(draft.pk, {"restart": Restart.TERM, "climb": Climb.ANY} | settings, rungs)
        publish(draft.pk, effective_from=noon(day), at=noon(day), actor_id=None, reason="A story")

    return begin


def with_address(member: Member) -> Member:
    member.email = f"{member.name}@example.com"
    member.save()
    return member


def written() -> list[tuple[str, str]]:
    """The kinds of all mails and the last day that each names, in the order they were written."""
    return [(mail.kind, mail.facts["last_on"]) for mail in Mail.objects.order_by("pk")]


def told(day: str) -> list[str]:
    """The kinds of the mails that a night writes."""
    before = set(Mail.objects.values_list("pk", flat=True))
    remind(night_of(day))
    return [mail.kind for mail in Mail.objects.exclude(pk__in=before).order_by("pk")]


class TestWhatHasJustHappened:
    def test_whom_the_system_moves_up_is_told_with_the_order_that_did_it(
        self, begin: Begin, seller: Seller, buyer: Member
    ) -> None:
        begin()
        seller.buys(buyer, 1000, "2025-02-10")

        mail = Mail.objects.get()
        assert (mail.key, mail.member) == (f"tier_upgraded:grant:{TierGrant.objects.get().pk}", buyer)
        assert mail.facts == {"tier": "VIP会员", "price_percent": "98.00", "last_on": "2026-02-10"}

    def test_nobody_is_told_where_the_shop_does_not_want_it(self, begin: Begin, seller: Seller, buyer: Member) -> None:
        TierMailPlan.objects.create(pk=1, tells_upgrades=False)
        begin()
        seller.buys(buyer, 1000, "2025-02-10")

        assert written() == []

    def test_who_does_not_want_it_is_not_told(self, begin: Begin, seller: Seller, buyer: Member) -> None:
        stop_mails(buyer.pk, "tier_upgraded", at=noon("2025-01-05"), actor_id=None)
        begin()
        seller.buys(buyer, 1000, "2025-02-10")

        assert written() == []

    def test_what_a_person_gave_and_what_is_renewed_is_not_told(
        self, begin: Begin, seller: Seller, buyer: Member
    ) -> None:
        begin()
        friend = with_address(seller.member("friend"))
        grant_tier(friend.pk, "vip", at=noon("2025-01-02"), until=None, actor_id=None, reason="A friend")
        seller.buys(buyer, 1000, "2025-02-10")
        seller.buys(buyer, 1000, "2025-10-10")
        seller.night("2026-02-11")

        assert list(TierGrant.objects.filter(member=buyer).order_by("pk").values_list("move", flat=True)) == [
            "up", "renewed",
        ]  # fmt: skip
        assert [kind for kind, _day in written()] == ["tier_upgraded"]

    def test_who_can_take_a_tier_is_told_until_when(self, begin: Begin, seller: Seller, buyer: Member) -> None:
        begin(taking=Taking.CLAIM, claim_days=10)
        seller.buys(buyer, 1000, "2025-02-10")

        assert written() == [("tier_reached", "2025-02-20")]
        assert Mail.objects.get().useless_after == TierOffer.objects.get().until

    def test_who_takes_it_knows_it(self, begin: Begin, seller: Seller, buyer: Member) -> None:
        begin(taking=Taking.CLAIM)
        seller.buys(buyer, 1000, "2025-02-10")
        claim_tier(buyer.pk, TierOffer.objects.get().pk, at=noon("2025-02-11"))

        assert [kind for kind, _day in written()] == ["tier_reached"]

    def test_who_can_have_another_term_is_told_once_that_the_present_one_ends(
        self, begin: Begin, seller: Seller, buyer: Member
    ) -> None:
        begin(taking=Taking.CLAIM, renew_days=30)
        seller.buys(buyer, 1000, "2025-02-10")
        claim_tier(buyer.pk, TierOffer.objects.get().pk, at=noon("2025-02-11"))
        seller.buys(buyer, 1000, "2025-11-10")
        Mail.objects.all().delete()

        seller.night("2026-01-20")

        [mail] = Mail.objects.all()
        assert (mail.kind, mail.facts["last_on"], mail.facts["renewable"]) == ("tier_ending", "2026-02-11", True)
        assert told("2026-02-05") == []
        assert told("2026-02-08") == ["claim_expiring"]

    def test_a_night_that_comes_years_late_tells_nothing_of_what_is_over(
        self, begin: Begin, seller: Seller, buyer: Member, at: datetime
    ) -> None:
        seller.buys(buyer, 1000, "2025-01-20")
        begin(day="2025-02-01", restart=Restart.NEVER, validity_months=1, fall=Fall.KEEP)
        seller.night("2025-02-02")
        Mail.objects.all().delete()
        ended = TierGrant.objects.get()

        tell_of_changes(TierChanges(grants=(ended.pk,)), at)

        assert written() == []

    def test_a_thousand_are_told_in_one_statement(
        self, begin: Begin, seller: Seller, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        begin()
        for number in range(30):
            seller.buys(with_address(seller.member(f"m{number}")), 1000, "2025-02-10")
        grants = tuple(TierGrant.objects.values_list("pk", flat=True))
        Mail.objects.all().delete()

        with django_assert_num_queries(3):  # One, between the beginning and the end of a savepoint.
            tell_of_changes(TierChanges(grants=grants), noon("2025-02-10"))

        assert Mail.objects.count() == 30


class TestDaysThatComeNear:
    @pytest.fixture
    def offered(self, begin: Begin, seller: Seller, buyer: Member) -> TierOffer:
        """Taken until 20 February, told on the 10th."""
        begin(taking=Taking.CLAIM, claim_days=10)
        seller.buys(buyer, 1000, "2025-02-10")
        return TierOffer.objects.get()

    def test_three_days_before_the_last_one_a_member_is_reminded(self, offered: TierOffer) -> None:
        assert told("2025-02-16") == []
        assert told("2025-02-17") == ["claim_expiring"]

    def test_and_once(self, offered: TierOffer) -> None:
        assert [told(f"2025-02-{day}") for day in (17, 17, 18, 19, 20)] == [["claim_expiring"], [], [], [], []]

    def test_a_night_that_was_left_out_is_made_up_for_while_there_is_time(self, offered: TierOffer) -> None:
        assert told("2025-02-20") == ["claim_expiring"]

    def test_but_not_when_the_time_is_over(self, offered: TierOffer) -> None:
        assert told("2025-02-21") == []

    def test_what_was_taken_is_not_waited_for(self, offered: TierOffer, buyer: Member) -> None:
        claim_tier(buyer.pk, offered.pk, at=noon("2025-02-11"))

        assert told("2025-02-17") == []

    def test_what_can_be_taken_for_no_longer_than_the_notice_was_told_when_it_began(self, offered: TierOffer) -> None:
        TierMailPlan.objects.create(pk=1, claim_days=10)

        assert told("2025-02-11") == []

    @pytest.mark.parametrize(("days", "first"), [(1, "2025-02-19"), (9, "2025-02-11")])
    def test_the_shop_says_how_many_days(self, days: int, first: str, offered: TierOffer) -> None:
        TierMailPlan.objects.create(pk=1, claim_days=days)
        before = f"{night_of(first) - timedelta(days=1):%Y-%m-%d}"

        assert told(before) == []
        assert told(first) == ["claim_expiring"]

    def test_or_that_nobody_is_reminded(self, offered: TierOffer) -> None:
        TierMailPlan.objects.create(pk=1, claim_days=0, ending_days=0)

        assert told("2025-02-20") == []

    def test_a_week_before_its_last_day_a_member_is_told_that_his_tier_ends(
        self, begin: Begin, seller: Seller, buyer: Member
    ) -> None:
        begin()
        seller.buys(buyer, 1000, "2025-02-10")
        seller.night("2025-02-11")

        assert told("2026-02-02") == []
        assert told("2026-02-03") == ["tier_ending"]
        assert told("2026-02-04") == []
        assert written()[-1] == ("tier_ending", "2026-02-10")

    def test_who_keeps_it_without_doing_anything_is_not_told(self, begin: Begin, seller: Seller, buyer: Member) -> None:
        begin()
        seller.buys(buyer, 1000, "2025-02-10")
        seller.buys(buyer, 1000, "2025-10-10")

        assert told("2026-02-03") == []

    def test_nor_anybody_where_all_keep_their_tiers(self, begin: Begin, seller: Seller, buyer: Member) -> None:
        begin(fall=Fall.KEEP)
        seller.buys(buyer, 1000, "2025-02-10")

        assert told("2026-02-03") == []

    def test_a_tier_that_a_person_gave_ends_as_well(self, seller: Seller, buyer: Member) -> None:
        load_scheme_preset("vancl", at=noon("2025-01-01"), actor_id=None)
        until = noon("2025-03-01")
        grant_tier(buyer.pk, "vip", at=noon("2025-01-02"), until=until, actor_id=None, reason="A friend")

        assert told("2025-02-21") == []
        assert told("2025-02-22") == ["tier_ending"]

    def test_a_tier_from_before_there_were_terms_ends_with_the_first_one(
        self, begin: Begin, seller: Seller, buyer: Member
    ) -> None:
        begin(validity_months=None, restart=Restart.NEVER)
        seller.buys(buyer, 1000, "2025-02-10")
        begin(day="2025-06-01", validity_months=12, taking=Taking.CLAIM)
        seller.night("2025-06-02")

        assert told("2026-05-24") == []
        assert told("2026-05-25") == ["tier_ending"]
        assert told("2026-05-26") == []
        assert written()[-1] == ("tier_ending", "2026-06-01")

    def test_the_night_does_it_and_a_second_night_does_nothing(self, offered: TierOffer) -> None:
        def steps() -> dict[str, int]:
            return {step.step: step.lots for step in run_nightly(night_of("2025-02-17"), at=night_of("2025-02-17"))}

        assert [steps()["tier_mails"], steps()["tier_mails"]] == [1, 0]
        assert [kind for kind, _day in written()] == ["tier_reached", "claim_expiring"]

    def test_the_number_of_statements_does_not_grow_with_the_members(
        self, offered: TierOffer, seller: Seller, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(20):
            seller.buys(with_address(seller.member(f"m{number}")), 1000, "2025-02-10")

        with django_assert_num_queries(10):
            assert remind(night_of("2025-02-17")).queued == 21


@pytest.mark.parametrize(
    ("language", "moment"), [("en", "on March 10, 2026, 12:00"), ("zh-hans", "2026年3月10日 12:00")]
)
def test_a_mail_writes_moments_as_its_language_does(language: str, moment: str) -> None:
    facts = {"erased_at": "2026-03-10T04:00:00+00:00"}

    mail = put_into_words("data_erased", facts, name="", language=language, stop="")

    assert moment in mail.text
    assert moment in mail.html


@pytest.mark.parametrize(("language", "words"), [("en", "can have it for another term"), ("zh-hans", "续")])
def test_the_mail_of_an_end_says_that_another_term_can_be_had(language: str, words: str) -> None:
    facts = {"tier": "VIP会员", "price_percent": "98.00", "last_on": "2026-02-11", "renewable": True}

    mail = put_into_words("tier_ending", facts, name="林小鹿", language=language, stop="https://shop.example/stop")

    assert words in mail.text
    assert words in mail.html
