"""Prices of random carts against a search through everything a member might pay, and what no buyer may find out."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import product as every_combination

from hypothesis import example, given, settings
from hypothesis import strategies as st

from crm.choices import PricePolicy
from crm.pricing import (
    GradeTerms,
    MemberTerms,
    NoDiscountTerms,
    OwnTerms,
    ProductTerms,
    TierTerms,
    Verdict,
    next_step,
    price_line,
    quote,
)
from crm.public_prices import members_price
from tests.cast import NOON

SETTLED = [PricePolicy.NORMAL, PricePolicy.SPECIAL, PricePolicy.GROUP_BUY]
Cart = list[tuple[ProductTerms, int]]
FEWER = settings(max_examples=50)

percents = st.integers(1, 10_000).map(lambda hundredths: Decimal(hundredths) / 100)
money = st.integers(1, 2_000_000).map(lambda fen: Decimal(fen) / 100)
channels = st.integers(1, 2)


@st.composite
def ladders(draw: st.DrawFn) -> list[TierTerms]:
    """Up to four rungs. Nothing says that a higher one pays less."""
    shares = draw(st.lists(percents, min_size=1, max_size=4))
    return [TierTerms(f"t{rank}", f"Tier {rank}", rank, share) for rank, share in enumerate(shares)]


@st.composite
def grades(draw: st.DrawFn) -> GradeTerms:
    return GradeTerms(
        tool=draw(st.sampled_from(["a", "b", "c"])),
        grade="gold",
        percent=draw(st.none() | percents),
        seen_at=NOON + timedelta(days=draw(st.integers(-2, 2))),
        channel_id=draw(st.none() | channels),
    )


@st.composite
def members(draw: st.DrawFn, ladder: Sequence[TierTerms]) -> MemberTerms:
    barred = draw(st.sampled_from([False, False, False, True]))
    return MemberTerms(
        member_id=1,
        tier=draw(st.none() | st.sampled_from(ladder)),
        grades=tuple(draw(st.lists(grades(), max_size=3, unique_by=lambda grade: grade.tool))),
        no_discount=NoDiscountTerms(NOON, "A reseller") if barred else None,
    )


@st.composite
def own_terms(draw: st.DrawFn, tier: TierTerms) -> OwnTerms:
    share = draw(st.none() | percents)
    return OwnTerms(tier, percent=share, price=draw(money) if share is None else None)


@st.composite
def products(draw: st.DrawFn, ladder: Sequence[TierTerms]) -> ProductTerms:
    return ProductTerms(
        product_id=draw(st.integers(1, 9)),
        title="Tea",
        channel_id=draw(channels),
        list_price=draw(money),
        price_policy=draw(st.sampled_from(SETTLED)),
        visible_from=draw(st.none() | st.sampled_from(ladder)),
        own=tuple(draw(own_terms(tier)) for tier in ladder if draw(st.booleans())),
    )


@st.composite
def shoppers(draw: st.DrawFn) -> tuple[list[TierTerms], MemberTerms, Cart]:
    """A ladder, somebody on it, and a cart."""
    ladder = draw(ladders())
    cart = draw(st.lists(st.tuples(products(ladder), st.integers(1, 500)), min_size=1, max_size=3))
    return ladder, draw(members(ladder)), cart


# --- the search ---------------------------------------------------------------------------------------------------
# In whole fen and hundredths of a percent, from the rules as docs/prices.md puts them, without a look at the code.


def fen(amount: Decimal) -> int:
    return int(amount * 100)


def share_in_fen(price: int, percent: Decimal) -> int:
    return max(1, (2 * price * int(percent * 100) + 10_000) // 20_000)


def allowed(member: MemberTerms, product: ProductTerms) -> set[int]:
    """Every price in fen that a piece may be had for."""
    assert product.list_price is not None
    whole = fen(product.list_price)
    rank = member.tier.rank if member.tier else 0
    if member.no_discount or product.price_policy in SETTLED[1:]:
        return {whole}
    if product.visible_from and product.visible_from.rank > rank:
        return {whole}
    prices = {whole}
    own = {terms.tier.code: terms for terms in product.own}
    if member.tier and member.tier.code in own:
        terms = own[member.tier.code]
        prices.add(fen(terms.price) if terms.price is not None else share_in_fen(whole, terms.percent or Decimal(0)))
    elif member.tier:
        prices.add(share_in_fen(whole, member.tier.percent))
    for grade in member.grades:
        if grade.percent and grade.seen_at <= NOON and grade.channel_id in {None, product.channel_id}:
            prices.add(share_in_fen(whole, grade.percent))
    return prices


def cheapest_cart(member: MemberTerms, cart: Cart) -> int:
    """The least of all ways to pay for a cart, in fen: every allowed price of a line with every one of the others."""
    ways = every_combination(*(allowed(member, product) for product, _quantity in cart))
    return min(sum(price * quantity for price, (_p, quantity) in zip(way, cart, strict=True)) for way in ways)


@settings(max_examples=200)
@given(shoppers())
def test_a_cart_costs_what_a_search_through_all_ways_to_pay_finds(
    shopper: tuple[list[TierTerms], MemberTerms, Cart],
) -> None:
    _ladder, member, cart = shopper
    (total,) = quote(member, cart, NOON).totals
    assert fen(total.amount) == cheapest_cart(member, cart)


@FEWER
@given(shoppers())
def test_sums_are_exact_to_the_cent(shopper: tuple[list[TierTerms], MemberTerms, Cart]) -> None:
    _ladder, member, cart = shopper
    found = quote(member, cart, NOON)

    for line in found.lines:
        assert line.unit_price is not None and line.product.list_price is not None
        assert line.unit_price == line.unit_price.quantize(Decimal("0.01"))
        assert Decimal("0.01") <= line.unit_price <= line.product.list_price
        assert line.amount == line.unit_price * line.quantity
    (total,) = found.totals
    assert sum(fen(line.amount or Decimal(0)) for line in found.lines) == fen(total.amount)
    assert total.amount + total.saved == total.list_amount


@FEWER
@given(shoppers())
def test_every_candidate_is_accounted_for_and_one_wins(
    shopper: tuple[list[TierTerms], MemberTerms, Cart],
) -> None:
    _ladder, member, cart = shopper
    for line in quote(member, cart, NOON).lines:
        number = 1 + len(line.product.own) + (member.tier is not None) + len(member.grades)
        assert len(line.candidates) == number
        assert [c.verdict for c in line.candidates].count(Verdict.LOWEST) == 1
        for candidate in line.candidates:
            if candidate.verdict is Verdict.HIGHER:
                assert candidate.unit_price is not None and line.unit_price is not None
                assert candidate.unit_price > line.unit_price
            if candidate.verdict is Verdict.EQUAL:
                assert candidate.unit_price == line.unit_price


@FEWER
@given(shoppers())
def test_the_order_of_what_is_known_does_not_matter(shopper: tuple[list[TierTerms], MemberTerms, Cart]) -> None:
    _ladder, member, cart = shopper
    turned = replace(member, grades=member.grades[::-1])
    turned_cart = [(replace(product, own=product.own[::-1]), quantity) for product, quantity in cart]

    here, there = quote(member, cart, NOON), quote(turned, turned_cart, NOON)
    assert [line.candidates for line in here.lines] == [line.candidates for line in there.lines]


@FEWER
@given(shoppers())
def test_the_next_tier_is_what_somebody_pays_who_holds_it(
    shopper: tuple[list[TierTerms], MemberTerms, Cart],
) -> None:
    ladder, member, cart = shopper
    for product, _quantity in cart:
        now = price_line(member, product, 1, NOON).unit_price
        step = next_step(member, product, ladder, NOON)
        if step is not None and now is not None:
            tier, price = step
            assert price_line(replace(member, tier=tier), product, 1, NOON).unit_price == price
            assert price < now
            assert tier.rank > (member.tier.rank if member.tier else -1)


class TestNothingHiddenShows:
    @FEWER
    @given(shoppers())
    def test_a_hidden_discount_looks_like_none(self, shopper: tuple[list[TierTerms], MemberTerms, Cart]) -> None:
        """What a buyer is told of a product that hides its discount from him does not depend on what is hidden: it is
        the same as for a product that no discount reaches."""
        ladder, member, cart = shopper
        for product, _quantity in cart:
            rank = member.tier.rank if member.tier else 0
            if product.visible_from and product.visible_from.rank > rank:
                plain = replace(product, price_policy=PricePolicy.SPECIAL, visible_from=None, own=())
                assert members_price(member, product, ladder, NOON) == members_price(member, plain, ladder, NOON)

    @FEWER
    @given(shoppers())
    def test_a_member_without_discount_is_told_nothing_of_any(
        self, shopper: tuple[list[TierTerms], MemberTerms, Cart]
    ) -> None:
        ladder, member, cart = shopper
        barred = replace(member, no_discount=NoDiscountTerms(NOON, "A reseller"))
        for product, _quantity in cart:
            found = members_price(barred, product, ladder, NOON)
            assert (found.price, found.reason, found.next_step) == (product.list_price, None, None)

    @FEWER
    @given(shoppers())
    @example(
        ([TierTerms("t0", "Tier 0", 0, Decimal(100))], MemberTerms(1), [(ProductTerms(1, "", 1, "CNY", Decimal(1)), 1)])
    )
    def test_what_a_buyer_pays_is_what_staff_see(self, shopper: tuple[list[TierTerms], MemberTerms, Cart]) -> None:
        ladder, member, cart = shopper
        for product, _quantity in cart:
            found = members_price(member, product, ladder, NOON)
            line = price_line(member, product, 1, NOON)
            assert found.price == line.unit_price
            assert (found.reason is None) == (found.price == product.list_price)
