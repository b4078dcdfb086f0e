"""Under which circumstances a rule counts.

Conditions on the order and the member let a rule count or not; conditions on lines (products, categories, product tags,
policies) choose the lines it sees. What is left empty does not matter.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalty.earning.award import Miss
from loyalty.earning.calendar import Window, membership
from loyalty.earning.facts import POLICIES, LineFacts
from loyalty.earning.fields import Amount, Numbers, OptionalDays, OptionalWhole, TimeOfDay, Words, YesNo
from loyalty.earning.settings import Settings, setting
from loyalty.earning.situation import Situation, Test, unless

LineTest = Callable[[LineFacts], bool]

# What only an order has: acts are not bought anywhere, and have no goods.
ORDER_ONLY = (
    "channels", "products", "categories", "product_tags", "product_policies", "payment_kinds", "amount_at_least",
)  # fmt: skip
ON_LINES = ("products", "categories", "product_tags", "product_policies")


@dataclass(frozen=True, slots=True)
class Conditions(Settings):
    """All conditions of a rule; it counts where every one of them is met."""

    channels: tuple[str, ...] = setting(Words(_("Channels"), _("Only orders of these shops.")), ())
    tiers: tuple[str, ...] = setting(Words(_("Tiers"), _("Only members of these tiers.")), ())
    tier_rank_at_least: int | None = setting(
        OptionalWhole(_("Tier at least"), _("Only members of this tier and above.")), None
    )
    tags_any: tuple[str, ...] = setting(Words(_("With a tag"), _("Only members with at least one of these tags.")), ())
    tags_none: tuple[str, ...] = setting(Words(_("Without tags"), _("Only members with none of these tags.")), ())
    new_buyer: bool | None = setting(
        YesNo(_("New buyer"), _("Yes: only a buyer's first order. No: only the later ones.")), None
    )
    products: tuple[int, ...] = setting(Numbers(_("Products"), _("The rule sees only these products.")), ())
    categories: tuple[str, ...] = setting(
        Words(_("Categories"), _("The rule sees only products of these categories.")), ()
    )
    product_tags: tuple[str, ...] = setting(
        Words(_("Product tags"), _("The rule sees only products with at least one of these tags.")), ()
    )
    product_policies: tuple[str, ...] = setting(
        Words(_("Point policies"), _("The rule sees only products of these point policies."), known=POLICIES), ()
    )
    payment_kinds: tuple[str, ...] = setting(
        Words(_("Ways of payment"), _("Only orders that were paid in one of these ways.")), ()
    )
    amount_at_least: int = setting(Amount(_("Amount at least"), _("In yuan, for the products that the rule sees.")), 0)
    time_of_day: tuple[int, int] | None = setting(
        TimeOfDay(_("Time of day"), _("From a time until another, over midnight if the second is the earlier.")), None
    )
    weekdays: tuple[int, ...] = setting(
        Numbers(_("Weekdays"), _("1 is Monday, 7 is Sunday."), minimum=1, maximum=7), ()
    )
    dates: Window | None = setting(OptionalDays(_("Days"), _("Only on these days.")), None)

    def conflicts(self) -> Iterator[tuple[str, str]]:
        if self.tags_any and set(self.tags_any) <= set(self.tags_none):
            yield "tags_none", gettext("Every tag that is asked for is excluded here.")

    @property
    def needs(self) -> frozenset[str]:
        """Which facts must be known to decide, in the words of ``CompiledSet.needs``."""
        asked = {
            "tier": self.tiers or self.tier_rank_at_least is not None,
            "tags": self.tags_any or self.tags_none,
            "earlier_orders": self.new_buyer is not None,
            "products": self.sees_some_lines,
            "payment_kind": self.payment_kinds,
            "times": self.time_of_day or self.weekdays or self.dates,
        }
        return frozenset(word for word, wanted in asked.items() if wanted)

    @property
    def sees_some_lines(self) -> bool:
        """Whether the rule sees some lines of an order and others not."""
        return any(getattr(self, name) for name in ON_LINES)

    def given(self) -> list[str]:
        """The names of the conditions that matter."""
        return [each.name for each in fields(self) if getattr(self, each.name) != each.default]

    def excludes(self, other: "Conditions") -> bool:
        """Whether no order can meet these conditions and the others, as far as plain lists can tell."""
        names = ("channels", "tiers", "payment_kinds", "product_policies", "categories", "products", "weekdays")
        pairs: list[tuple[set[Any], set[Any]]] = [(set(getattr(self, n)), set(getattr(other, n))) for n in names]
        return any(mine and theirs and not mine & theirs for mine, theirs in pairs)

    def tests(self, rule: str) -> tuple[Test, ...]:
        """The conditions on the order and the member, as tests that say which one is not met."""
        return tuple(self._tests(rule))

    def line_test(self) -> LineTest | None:
        """Which lines the rule sees; None when it sees them all."""
        tests: list[LineTest] = []
        if self.products:
            products = frozenset(self.products)
            tests.append(lambda line: line.product_id in products)
        if self.categories:
            categories = frozenset(self.categories)
            tests.append(lambda line: line.category in categories)
        if self.product_tags:
            tags = frozenset(self.product_tags)
            tests.append(lambda line: not tags.isdisjoint(line.tags))
        if self.product_policies:
            policies = frozenset(self.product_policies)
            tests.append(lambda line: line.policy in policies)
        if len(tests) < 2:
            return tests[0] if tests else None
        return lambda line: all(test(line) for test in tests)

    def _tests(self, rule: str) -> Iterator[Test]:
        if self.channels:
            yield _one_of(rule, "channel", self.channels, lambda situation: situation.order.channel)
        if self.payment_kinds:
            yield _one_of(rule, "payment_kind", self.payment_kinds, lambda situation: situation.order.payment_kind)
        if self.tiers:
            yield _one_of(rule, "tier", self.tiers, lambda situation: situation.member.tier)
        if self.tier_rank_at_least is not None:
            rank = self.tier_rank_at_least
            too_low = Miss(rule, "tier_rank", {"rank": rank})
            yield unless(lambda situation: situation.member.tier_rank >= rank, too_low)
        if self.tags_any:
            wanted = frozenset(self.tags_any)
            untagged = Miss(rule, "tag_missing", {"tags": list(self.tags_any)})
            yield unless(lambda situation: not wanted.isdisjoint(situation.member.tags), untagged)
        if self.tags_none:
            unwanted = frozenset(self.tags_none)
            tagged = Miss(rule, "tag_excluded", {"tags": list(self.tags_none)})
            yield unless(lambda situation: unwanted.isdisjoint(situation.member.tags), tagged)
        if self.new_buyer is not None:
            new = self.new_buyer
            known = Miss(rule, "not_new" if new else "new", {})
            yield unless(lambda situation: (situation.member.earlier_orders == 0) is new, known)
        yield from self._clock_tests(rule)

    def _clock_tests(self, rule: str) -> Iterator[Test]:
        if self.dates is not None or self.weekdays or self.time_of_day is not None:
            yield unless(lambda situation: situation.local is not None, Miss(rule, "no_instant", {}))
        if self.dates is not None:
            lies_in = membership(self.dates)
            yield unless(
                lambda situation: situation.day is not None and lies_in(situation.day),
                Miss(rule, "day", {"window": self.dates.as_json()}),
            )
        if self.weekdays:
            weekdays = frozenset(self.weekdays)
            yield unless(
                lambda situation: situation.day is not None and situation.day.isoweekday() in weekdays,
                Miss(rule, "weekday", {"weekdays": list(self.weekdays)}),
            )
        if self.time_of_day is not None:
            begins, ends = self.time_of_day
            over_midnight = ends < begins

            def in_time(situation: Situation) -> bool:
                local = situation.local
                if local is None:
                    return False
                minutes = local.hour * 60 + local.minute
                return (minutes >= begins or minutes < ends) if over_midnight else begins <= minutes < ends

            hours = {"from": f"{begins // 60:02}:{begins % 60:02}", "to": f"{ends // 60:02}:{ends % 60:02}"}
            yield unless(in_time, Miss(rule, "time_of_day", hours))


def _one_of(rule: str, code: str, words: tuple[str, ...], value: Callable[[Situation], str]) -> Test:
    wanted = frozenset(words)
    miss = Miss(rule, code, {"wanted": list(words)})

    def test(situation: Situation) -> Miss | None:
        return None if value(situation) in wanted else miss

    return test
