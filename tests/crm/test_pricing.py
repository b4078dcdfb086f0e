"""What a member pays, case by case: the figures of the blueprint and of docs/prices.md."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from crm.choices import PricePolicy, ProductPolicy
from crm.money import share_half_up
from crm.price_words import percent_in_words, source_in_words, verdict_in_words
from crm.pricing import (
    GradeTerms,
    MemberTerms,
    NoDiscountTerms,
    OwnTerms,
    PricedLine,
    ProductTerms,
    Source,
    TierTerms,
    Verdict,
    next_step,
    price_line,
    price_policy_of,
    quote,
)
from tests.cast import NOON

BASE = TierTerms("base", "普通会员", 0, Decimal(100))
SENIOR = TierTerms("senior", "高级会员", 1, Decimal(95))
VIP = TierTerms("vip", "VIP会员", 2, Decimal(90))
SUPREME = TierTerms("supreme", "至尊VIP会员", 3, Decimal(85))
LADDER = [BASE, SENIOR, VIP, SUPREME]

TEA = ProductTerms(1, "明前龙井", channel_id=1, list_price=Decimal("100.00"))


def grade(percent: str | None, tool: str = "网店版客户管理", name: str = "高级会员") -> GradeTerms:
    return GradeTerms(tool, name, Decimal(percent) if percent else None, NOON - timedelta(days=30))


def member(tier: TierTerms | None, *grades: GradeTerms) -> MemberTerms:
    return MemberTerms(7, tier, grades)


def verdicts(line: PricedLine) -> dict[str, Verdict]:
    return {candidate.name or "list": candidate.verdict for candidate in line.candidates}


def price(who: MemberTerms, product: ProductTerms = TEA, at: datetime = NOON) -> Decimal | None:
    return price_line(who, product, 1, at).unit_price


class TestTheLowestCounts:
    def test_ninety_here_beats_ninety_five_there(self) -> None:
        line = price_line(member(VIP, grade("95")), TEA, 1, NOON)

        assert line.unit_price == Decimal("90.00")
        assert verdicts(line) == {
            "list": Verdict.HIGHER, "VIP会员": Verdict.LOWEST, "网店版客户管理 · 高级会员": Verdict.HIGHER,
        }  # fmt: skip

    def test_without_ours_the_ninety_five_there_counts(self) -> None:
        assert price(member(BASE, grade("95"))) == Decimal("95.00")

    def test_without_either_the_list_price_counts(self) -> None:
        line = price_line(member(BASE), TEA, 1, NOON)

        assert line.unit_price == Decimal("100.00")
        assert line.winner is not None and line.winner.source is Source.LIST
        assert verdicts(line) == {"list": Verdict.LOWEST, "普通会员": Verdict.EQUAL}

    def test_a_shop_without_tiers_has_its_list_prices(self) -> None:
        assert price(member(None)) == Decimal("100.00")

    def test_of_two_that_are_equally_low_ours_is_named(self) -> None:
        line = price_line(member(VIP, grade("90")), TEA, 1, NOON)

        assert line.winner is not None and line.winner.name == "VIP会员"
        assert verdicts(line)["网店版客户管理 · 高级会员"] is Verdict.EQUAL

    def test_of_several_tools_the_lowest_counts(self) -> None:
        there = [grade("97", "会员关系管理"), grade("88", "有赞")]
        assert price(member(VIP, *there)) == Decimal("88.00")


class TestMembersWithoutDiscount:
    def test_they_pay_the_list_price_whatever_they_hold(self) -> None:
        reseller = replace(member(SUPREME, grade("80")), no_discount=NoDiscountTerms(NOON, "倒卖"))
        own = (OwnTerms(SUPREME, price=Decimal("60.00")),)

        line = price_line(reseller, replace(TEA, own=own), 1, NOON)

        assert line.unit_price == Decimal("100.00")
        assert [c.verdict for c in line.candidates] == [Verdict.LOWEST, *[Verdict.NO_DISCOUNT_MEMBER] * 3]
        assert next_step(reseller, TEA, LADDER, NOON) is None


class TestRulesOfTheProduct:
    @pytest.mark.parametrize(
        ("policy", "verdict"),
        [(PricePolicy.SPECIAL, Verdict.SPECIAL_PRICE), (PricePolicy.GROUP_BUY, Verdict.GROUP_BUY)],
    )
    def test_special_prices_and_group_buys_have_no_discount(self, policy: PricePolicy, verdict: Verdict) -> None:
        line = price_line(member(VIP, grade("95")), replace(TEA, price_policy=policy), 1, NOON)

        assert line.unit_price == Decimal("100.00")
        assert [c.verdict for c in line.candidates] == [Verdict.LOWEST, verdict, verdict]
        assert next_step(member(VIP), replace(TEA, price_policy=policy), LADDER, NOON) is None

    @pytest.mark.parametrize(
        ("price_policy", "point_policy", "comes_to"),
        [
            (PricePolicy.FOLLOW, ProductPolicy.SPECIAL, PricePolicy.SPECIAL),
            (PricePolicy.FOLLOW, ProductPolicy.NORMAL, PricePolicy.NORMAL),
            (PricePolicy.FOLLOW, ProductPolicy.ZERO, PricePolicy.NORMAL),
            (PricePolicy.NORMAL, ProductPolicy.SPECIAL, PricePolicy.NORMAL),
            (PricePolicy.GROUP_BUY, ProductPolicy.NORMAL, PricePolicy.GROUP_BUY),
        ],
    )
    def test_the_price_policy_follows_the_point_policy_unless_it_says_something_itself(
        self, price_policy: PricePolicy, point_policy: ProductPolicy, comes_to: PricePolicy
    ) -> None:
        assert price_policy_of(price_policy, point_policy) is comes_to

    @pytest.mark.parametrize(
        ("tier", "paid"), [(BASE, "100.00"), (SENIOR, "100.00"), (VIP, "90.00"), (SUPREME, "85.00")]
    )
    def test_a_discount_from_vip_up_reaches_vip_and_above(self, tier: TierTerms, paid: str) -> None:
        assert price(member(tier), replace(TEA, visible_from=VIP)) == Decimal(paid)

    def test_below_that_tier_a_grade_elsewhere_does_not_help(self) -> None:
        line = price_line(member(BASE, grade("80")), replace(TEA, visible_from=VIP), 1, NOON)

        assert line.unit_price == Decimal("100.00")
        assert {c.verdict for c in line.candidates[1:]} == {Verdict.BELOW_TIER}

    @pytest.mark.parametrize(
        ("own", "paid"),
        [
            (OwnTerms(VIP, percent=Decimal(98)), "98.00"),  # In place of the tier's 90 %, though that is lower.
            (OwnTerms(VIP, percent=Decimal(80)), "80.00"),
            (OwnTerms(VIP, price=Decimal("66.60")), "66.60"),
            (OwnTerms(VIP, price=Decimal("130.00")), "100.00"),  # Nobody pays more than the list price.
            (OwnTerms(SUPREME, price=Decimal("50.00")), "90.00"),  # Not his.
        ],
    )
    def test_a_price_for_his_tier_takes_the_place_of_its_discount(self, own: OwnTerms, paid: str) -> None:
        assert price(member(VIP), replace(TEA, own=(own,))) == Decimal(paid)

    def test_a_grade_elsewhere_competes_with_the_products_own_price(self) -> None:
        product = replace(TEA, own=(OwnTerms(VIP, percent=Decimal(98)),))
        line = price_line(member(VIP, grade("95")), product, 1, NOON)

        assert line.unit_price == Decimal("95.00")
        assert [(c.source, c.verdict) for c in line.candidates] == [
            (Source.LIST, Verdict.HIGHER),
            (Source.PRODUCT, Verdict.HIGHER),
            (Source.TIER, Verdict.OWN_PRICE),
            (Source.PLATFORM, Verdict.LOWEST),
        ]

    def test_without_a_list_price_there_is_no_price(self) -> None:
        product = replace(TEA, list_price=None, own=(OwnTerms(VIP, price=Decimal("50.00")),))
        line = price_line(member(VIP, grade("95")), product, 2, NOON)

        assert (line.unit_price, line.amount, line.winner) == (None, None, None)
        assert {c.verdict for c in line.candidates} == {Verdict.NO_LIST_PRICE, Verdict.OWN_PRICE}


class TestGrades:
    def test_a_grade_counts_from_the_moment_it_was_seen(self) -> None:
        late = replace(grade("80"), seen_at=NOON + timedelta(microseconds=1))

        assert price(member(BASE, late)) == Decimal("100.00")
        assert price(member(BASE, late), at=late.seen_at) == Decimal("80.00")

    def test_a_grade_that_nobody_has_priced_takes_nothing_off(self) -> None:
        line = price_line(member(BASE, grade(None)), TEA, 1, NOON)
        assert line.unit_price == Decimal("100.00")
        assert line.candidates[-1].verdict is Verdict.NO_PERCENT

    def test_a_grade_for_one_channel_counts_there_only(self) -> None:
        here = replace(grade("80"), channel_id=1, channel_name="山间茶铺")
        elsewhere = replace(here, channel_id=2)

        assert price(member(BASE, here)) == Decimal("80.00")
        assert price(member(BASE, elsewhere)) == Decimal("100.00")


class TestCents:
    @pytest.mark.parametrize(
        ("list_price", "percent", "comes_to"),
        [
            ("9.99", "95", "9.49"),  # 9.4905
            ("0.90", "95", "0.86"),  # 0.855: the half cent goes up.
            ("1.10", "85", "0.94"),  # 0.935
            ("33.33", "87.5", "29.16"),  # 29.16375
            ("0.01", "10", "0.01"),  # Never for nothing.
            ("10000000.00", "99.99", "9999000.00"),
        ],
    )
    def test_a_share_is_rounded_half_up_to_the_cent(self, list_price: str, percent: str, comes_to: str) -> None:
        assert share_half_up(Decimal(list_price), Decimal(percent)) == Decimal(comes_to)

    def test_a_line_is_pieces_times_the_rounded_price_and_a_total_the_sum_of_lines(self) -> None:
        cup = replace(TEA, product_id=2, list_price=Decimal("0.90"))
        found = quote(member(SENIOR), [(cup, 7), (TEA, 2)], NOON)

        assert [line.amount for line in found.lines] == [Decimal("6.02"), Decimal("190.00")]  # 7 × 0.86, not 5.985.
        (total,) = found.totals
        assert (total.amount, total.list_amount, total.saved) == (
            Decimal("196.02"),
            Decimal("206.30"),
            Decimal("10.28"),
        )

    def test_currencies_are_summed_apart_and_unknown_prices_not_at_all(self) -> None:
        dollars = replace(TEA, product_id=2, currency="USD", list_price=Decimal("10.00"))
        unknown = replace(TEA, product_id=3, list_price=None)
        found = quote(member(VIP), [(TEA, 1), (dollars, 3), (unknown, 1), (TEA, 1)], NOON)

        assert [(total.currency, total.amount) for total in found.totals] == [
            ("CNY", Decimal("180.00")),
            ("USD", Decimal("27.00")),
        ]
        assert [line.product.product_id for line in found.unpriced] == [3]

    @pytest.mark.parametrize("quantity", [0, -1])
    def test_less_than_one_piece_has_no_price(self, quantity: int) -> None:
        with pytest.raises(ValueError, match="cannot be bought"):
            price_line(member(VIP), TEA, quantity, NOON)


class TestTheNextTier:
    def test_it_is_the_nearest_that_pays_less(self) -> None:
        assert next_step(member(BASE), TEA, LADDER, NOON) == (SENIOR, Decimal("95.00"))
        assert next_step(member(VIP), TEA, LADDER, NOON) == (SUPREME, Decimal("85.00"))
        assert next_step(member(SUPREME), TEA, LADDER, NOON) is None

    def test_one_that_pays_no_less_is_passed_over(self) -> None:
        assert next_step(member(BASE, grade("92")), TEA, LADDER, NOON) == (VIP, Decimal("90.00"))

    def test_what_the_product_says_for_it_counts(self) -> None:
        product = replace(TEA, own=(OwnTerms(SENIOR, price=Decimal("70.00")),))
        assert next_step(member(BASE), product, LADDER, NOON) == (SENIOR, Decimal("70.00"))

    def test_who_must_not_see_the_discount_hears_of_no_tier(self) -> None:
        hidden = replace(TEA, visible_from=VIP)

        assert next_step(member(SENIOR), hidden, LADDER, NOON) is None
        assert next_step(member(VIP), hidden, LADDER, NOON) == (SUPREME, Decimal("85.00"))


class TestWords:
    def every_verdict(self) -> dict[Verdict, str]:
        late = replace(grade("80"), tool="late", seen_at=NOON + timedelta(days=1))
        there = replace(grade("80"), tool="there", channel_id=2, channel_name="Other shop")
        own = (OwnTerms(SENIOR, percent=Decimal(98)), OwnTerms(SUPREME, percent=Decimal(98)))
        who = member(SENIOR, late, there, grade(None, "free"), grade("98", "same"), grade("97", "low"))
        barred = replace(who, no_discount=NoDiscountTerms(NOON, "Reseller"))
        lines = [
            price_line(who, replace(TEA, own=own), 1, NOON),
            price_line(member(BASE), TEA, 1, NOON),
            price_line(who, replace(TEA, list_price=None), 1, NOON),
            price_line(who, replace(TEA, price_policy=PricePolicy.SPECIAL), 1, NOON),
            price_line(who, replace(TEA, price_policy=PricePolicy.GROUP_BUY), 1, NOON),
            price_line(who, replace(TEA, visible_from=VIP), 1, NOON),
            price_line(barred, TEA, 1, NOON),
        ]
        candidates = [candidate for line in lines for candidate in line.candidates]
        assert all(source_in_words(candidate) for candidate in candidates)
        return {candidate.verdict: verdict_in_words(candidate) for candidate in candidates}

    @pytest.mark.parametrize("language", ["en", "zh-hans"])
    def test_every_verdict_has_its_words_in_both_languages(self, language: str) -> None:
        with translation.override(language):
            words = self.every_verdict()
        assert set(words) == set(Verdict)
        assert all(text and "%(" not in text for text in words.values())

    def test_they_name_the_tier_the_reason_the_channel_and_the_moment(self) -> None:
        with translation.override("en"):
            words = self.every_verdict()
        assert "VIP会员" in words[Verdict.BELOW_TIER]
        assert "Reseller" in words[Verdict.NO_DISCOUNT_MEMBER]
        assert "Other shop" in words[Verdict.OTHER_CHANNEL]
        assert "2026-03-11 12:00" in words[Verdict.GRADE_LATER]

    @pytest.mark.parametrize(
        ("percent", "zhe"), [("90", "9 折"), ("95", "9.5 折"), ("87.50", "8.75 折"), ("100", "10 折")]
    )
    def test_a_discount_is_written_in_tenths_in_chinese(self, percent: str, zhe: str) -> None:
        with translation.override("zh-hans"):
            assert percent_in_words(Decimal(percent)) == zhe

    def test_and_in_percent_in_english(self) -> None:
        with translation.override("en"):
            assert percent_in_words(Decimal("87.50")) == "87.5% of the list price"
