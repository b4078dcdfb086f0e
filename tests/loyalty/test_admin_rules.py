"""Setting up earning rules in the admin: a draft, its rules, what is refused, and who may do what."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from crm.models import Channel, StaffAction, Tier, TierScheme, User
from loyalty.earning.kinds import KINDS
from loyalty.models import EarnRule, RuleSet, RuleUsage
from loyalty.presets import PRESET_NAMES, load_preset
from loyalty.rulebook import draft_of, draft_problems, publish, rules_of, save_draft
from tests.factories import ProductFactory, TagFactory, TierFactory
from tests.loyalty.rulesets import SPEND, publish_rules, rule
from tests.staff import Grant

ENGLISH = {"accept-language": "en"}
DOUBLE_11 = {"kind": "yearly", "first": "11-11", "last": "11-11"}
FESTIVAL = rule("festival", {"factor": "2", "window": DOUBLE_11}, name="Double 11")
# What a browser sends for a festival that was filled in.
TYPED = {
    "name": "Double 11", "config_points": "", "config_factor": "2", "config_window_way": "festival:double_11",
    "config_window_before": "0", "config_window_after": "0", "group": "",
}  # fmt: skip


@pytest.fixture(autouse=True)
def noon(at: datetime) -> Any:
    """All stories happen on 10 March 2026, at noon."""
    with time_machine.travel(at, tick=False):
        yield


@pytest.fixture
def owner(grant: Grant, client: Client) -> User:
    user = grant("loyalty.change_ruleset", "loyalty.publish_ruleset")
    client.force_login(user)
    return user


@pytest.fixture
def tiers(db: None) -> list[Tier]:
    """普通, VIP and SVIP."""
    names = (("base", "普通会员"), ("vip", "VIP会员"), ("svip", "SVIP会员"))
    return [TierFactory(code=code, name=name, rank=rank) for rank, (code, name) in enumerate(names)]


@pytest.fixture
def draft(owner: User, at: datetime) -> RuleSet:
    """A draft with the built-in rule."""
    return draft_of(0, at=at, actor_id=owner.pk, note="Double 11")


def page(name: str, *args: object) -> str:
    return reverse(f"admin:loyalty_ruleset_{name}", args=args)


def read(client: Client, name: str, *args: object) -> str:
    response = client.get(page(name, *args), headers=ENGLISH)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def codes(draft: RuleSet) -> list[str]:
    return list(draft.rules.order_by("position").values_list("code", flat=True))


def add(client: Client, draft: RuleSet, kind: str, **typed: object) -> Any:
    return client.post(page("add_rule", draft.pk, kind), typed, headers=ENGLISH)


class TestList:
    def test_before_anything_is_published_it_says_what_counts_and_leads_on(self, owner: User, client: Client) -> None:
        text = read(client, "changelist")

        assert "the built-in rules" in text
        assert "Every yuan earns 1 point." in text
        assert f'href="{page("add")}"' in text

    def test_it_shows_what_is_in_force_coming_drafted_and_past(self, owner: User, client: Client, at: datetime) -> None:
        for days in (-9, -5, 5):
            publish_rules(SPEND, since=at + timedelta(days=days), reason=f"Reason {days}")
        draft_of(2, at=at, actor_id=owner.pk, note="My draft")

        context = client.get(page("changelist")).context

        assert context["current"].version == 2
        assert [row.version for row in context["coming"]] == [3]
        assert [row.note for row in context["drafts"]] == ["My draft"]
        assert [row.version for row in context["earlier"]] == [1]

    def test_it_asks_as_many_questions_for_many_sets_as_for_few(
        self, owner: User, client: Client, at: datetime, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for days in range(1, 31):
            publish_rules(SPEND, since=at - timedelta(days=days))
            draft_of(0, at=at, actor_id=owner.pk)

        with django_assert_max_num_queries(16):
            client.get(page("changelist"))


class TestDraft:
    def test_it_begins_with_the_rules_in_force(self, owner: User, client: Client, at: datetime) -> None:
        publish_rules(SPEND, rule("first_order", {"points": 20}), since=at - timedelta(days=1))

        client.post(page("add"), {"start": "version:1", "note": "Spring"})

        draft = RuleSet.objects.get(version=None)
        assert (draft.note, draft.created_by, draft.based_on and draft.based_on.version) == ("Spring", owner, 1)
        assert codes(draft) == ["spend", "first-order"]

    @pytest.mark.parametrize("name", PRESET_NAMES)
    def test_it_begins_with_a_preset(self, name: str, owner: User, client: Client) -> None:
        client.post(page("add"), {"start": f"preset:{name}", "note": ""})

        draft = RuleSet.objects.get()
        assert draft_problems(draft.pk) == []
        assert "spend" in codes(draft)
        assert read(client, "change", draft.pk)
        assert not TierScheme.objects.exists()

    def test_who_may_change_tier_schemes_gets_the_presets_scheme_with_it(
        self, client: Client, grant: Grant, owner: User
    ) -> None:
        owner.user_permissions.add(*grant("crm.change_tierscheme").user_permissions.all())

        data = {"start": "preset:taobao", "note": ""}
        response = client.post(page("add"), data, follow=True, headers=ENGLISH)

        assert TierScheme.objects.get().rungs.count() == 3
        assert "Its tier scheme is a draft too" in response.content.decode()

    def test_a_start_that_there_is_not_is_refused(self, owner: User, client: Client) -> None:
        response = client.post(page("add"), {"start": "version:7", "note": ""})

        assert "start" in response.context["form"].errors
        assert not RuleSet.objects.exists()

    def test_its_rules_are_told_in_plain_sentences(
        self, draft: RuleSet, client: Client, shop: Channel, tiers: list[Tier]
    ) -> None:
        conditions = {"tier_rank_at_least": 1, "product_policies": ["normal"], "channels": ["tea"]}
        save_draft(draft.pk, [SPEND, FESTIVAL | {"conditions": conditions, "caps": {"budget": 100000}}])

        text = read(client, "change", draft.pk)

        assert "Every yuan earns 1 point." in text
        assert "Orders on certain days earn 2 times the points." in text
        assert "When: Double 11; next on Nov. 11, 2026, then on Nov. 11, 2027." in text
        assert "Only for VIP会员 and above." in text
        assert "Only in these shops: 山间茶铺." in text
        assert "It stops when it has given 100,000 points to all members together." in text

    def test_rules_move_switch_copy_and_go(self, draft: RuleSet, client: Client) -> None:
        save_draft(draft.pk, [SPEND | {"position": 10}, FESTIVAL | {"position": 20}])

        def act(code: str, what: str) -> str:
            response = client.post(page("act", draft.pk, code), {"act": what})
            assert response.status_code == 302
            return str(response["location"])

        assert act("festival", "up").endswith("#rule-festival")
        assert codes(draft) == ["festival", "spend"]
        act("festival", "down")
        assert codes(draft) == ["spend", "festival"]
        act("spend", "toggle")
        assert not draft.rules.get(code="spend").enabled
        act("festival", "duplicate")
        assert codes(draft) == ["spend", "festival", "festival-2"]
        act("festival", "delete")
        assert codes(draft) == ["spend", "festival-2"]

    def test_an_act_that_there_is_not_does_nothing(self, draft: RuleSet, client: Client) -> None:
        assert client.post(page("act", draft.pk, "spend"), {"act": "explode"}).status_code == 400
        assert client.get(page("act", draft.pk, "spend")).status_code == 400
        assert client.post(page("act", draft.pk, "gone"), {"act": "delete"}).status_code == 302
        assert codes(draft) == ["spend"]

    def test_it_says_which_group_a_rule_shares_and_which_of_them_counts(self, draft: RuleSet, client: Client) -> None:
        special = {"product_policies": ["special"]}
        save_draft(draft.pk, [
            rule("spend", {"per": "2"}, code="special", conditions=special, group="base", position=1),
            rule("spend", code="usual", group="base", position=2),
        ])  # fmt: skip

        assert "Each product earns by the first of them" in read(client, "change", draft.pk)

    def test_what_keeps_it_from_being_published_stands_in_a_summary_and_at_the_rule(
        self, draft: RuleSet, client: Client
    ) -> None:
        wrong = rule("first_order", {"points": 20}, conditions={"tags_any": ["a"], "tags_none": ["a"]})
        save_draft(draft.pk, [SPEND, wrong])

        text = read(client, "change", draft.pk)

        assert "The draft cannot be published yet" in text
        assert text.count("Every tag that is asked for is excluded here.") == 2
        assert "Review and publish" not in text
        assert "Every tag that is asked for is excluded here." in read(client, "rule", draft.pk, "first-order")

    def test_it_is_discarded_once_that_is_confirmed(self, draft: RuleSet, owner: User, client: Client) -> None:
        assert client.get(page("discard", draft.pk)).status_code == 200
        assert RuleSet.objects.exists()

        client.post(page("discard", draft.pk))

        assert not RuleSet.objects.exists()
        assert StaffAction.objects.get().action == "rule.discard"

    def test_it_asks_as_many_questions_for_many_rules_as_for_few(
        self, draft: RuleSet, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        products = [product.pk for product in ProductFactory.create_batch(5)]
        conditions = {"products": products, "tier_rank_at_least": 1}
        save_draft(draft.pk, [FESTIVAL | {"code": f"f{n}", "conditions": conditions} for n in range(30)])

        with django_assert_max_num_queries(16):
            client.get(page("change", draft.pk))

    def test_once_published_it_cannot_be_changed(
        self, draft: RuleSet, owner: User, client: Client, at: datetime
    ) -> None:
        publish(draft.pk, effective_from=at, at=at, actor_id=owner.pk, reason="Opening")

        for name, args in (("kinds", ()), ("add_rule", ("spend",)), ("rule", ("spend",)), ("discard", ())):
            assert client.get(page(name, draft.pk, *args)).status_code == 404
            assert client.post(page(name, draft.pk, *args)).status_code == 404
        response = client.post(page("act", draft.pk, "spend"), {"act": "delete"})
        assert response["location"] == page("changelist")
        assert codes(draft) == ["spend"]


class TestRule:
    @pytest.mark.parametrize("kind", KINDS)
    def test_every_kind_is_offered_with_a_form_of_its_own(
        self, kind: str, draft: RuleSet, client: Client, tiers: list[Tier]
    ) -> None:
        assert page("add_rule", draft.pk, kind) in read(client, "kinds", draft.pk)

        form = client.get(page("add_rule", draft.pk, kind)).context["form"]

        assert {f"config_{name}" for name in KINDS[kind].settings()} <= set(form.fields)

    @pytest.mark.parametrize("name", PRESET_NAMES)
    def test_what_the_form_of_a_rule_shows_is_the_rule(
        self, name: str, owner: User, client: Client, at: datetime
    ) -> None:
        """Sending every form back as it came changes nothing."""
        draft = load_preset(name, at=at, actor_id=owner.pk).draft
        before = rules_of(draft.pk)

        for code in codes(draft):
            form = client.get(page("rule", draft.pk, code)).context["form"]
            assert client.post(page("rule", draft.pk, code), sent(form)).status_code == 302

        assert rules_of(draft.pk) == before

    def test_a_festival_is_added_at_the_end_with_conditions_and_a_budget(
        self, draft: RuleSet, client: Client, shop: Channel, tiers: list[Tier]
    ) -> None:
        add(
            client, draft, "festival", **TYPED, conditions_tier_rank_at_least="1",
            conditions_product_policies=["normal", "bonus"], conditions_channels=["tea"],
            conditions_weekdays=["3"], conditions_time_of_day_from="20:00", conditions_time_of_day_until="00:00",
            conditions_new_buyer="no", caps_budget="100000",
        )  # fmt: skip

        added = draft.rules.get(code="festival")
        assert codes(draft) == ["spend", "festival"]
        assert added.name == "Double 11"
        assert added.config == {"factor": "2", "window": DOUBLE_11}
        assert added.conditions == {
            "tier_rank_at_least": 1, "product_policies": ["normal", "bonus"], "channels": ["tea"], "weekdays": [3],
            "time_of_day": ["20:00", "00:00"], "new_buyer": False,
        }  # fmt: skip
        assert added.caps == {"budget": 100000}

    def test_saving_twice_adds_it_once(self, draft: RuleSet, client: Client) -> None:
        for _click in range(2):
            add(client, draft, "festival", **TYPED, code="festival")

        assert codes(draft) == ["spend", "festival"]

    def test_a_colleague_s_new_rule_is_not_overwritten(self, draft: RuleSet, client: Client) -> None:
        add(client, draft, "festival", **TYPED, code="festival")
        add(client, draft, "festival", **TYPED | {"config_factor": "3"}, code="festival")

        assert codes(draft) == ["spend", "festival", "festival-2"]

    def test_a_new_rule_never_goes_on_with_the_counter_of_an_old_one(
        self, draft: RuleSet, client: Client, at: datetime
    ) -> None:
        publish_rules(SPEND, FESTIVAL, since=at)
        RuleUsage.objects.create(rule="festival-2", points=5)

        add(client, draft, "festival", **TYPED)

        assert codes(draft) == ["spend", "festival-3"]

    @pytest.mark.parametrize(
        ("way", "window"),
        [
            ({"way": "festival:double_11", "before": "10"}, {"kind": "yearly", "first": "11-01", "last": "11-11"}),
            (
                {"way": "festival:spring_festival", "before": "3", "after": "7"},
                {"kind": "lunar", "month": 1, "day": 1, "first": -3, "last": 7},
            ),
            (
                {"way": "dates", "first": "2026-05-01", "last": "2026-05-03"},
                {"kind": "dates", "first": "2026-05-01", "last": "2026-05-03"},
            ),
            ({"way": "dates", "first": "2026-05-01"}, {"kind": "dates", "first": "2026-05-01", "last": "2026-05-01"}),
            (
                {"way": "yearly", "first_month": "12", "first_day": "30", "last_month": "1", "last_day": "2"},
                {"kind": "yearly", "first": "12-30", "last": "01-02"},
            ),
            (
                {"way": "lunar", "lunar_month": "7", "lunar_day": "15", "after": "1"},
                {"kind": "lunar", "month": 7, "day": 15, "first": 0, "last": 1},
            ),
            (
                {"way": "solar_term", "term": "lichun", "before": "1"},
                {"kind": "solar_term", "term": "lichun", "first": -1, "last": 0},
            ),
        ],
    )
    def test_days_can_be_named_in_many_ways(
        self, way: dict[str, str], window: dict[str, Any], draft: RuleSet, client: Client
    ) -> None:
        typed = {name: value for name, value in TYPED.items() if "window" not in name}

        add(client, draft, "festival", **typed, **{f"config_window_{part}": value for part, value in way.items()})

        assert draft.rules.get(code="festival").config["window"] == window
        form = client.get(page("rule", draft.pk, "festival")).context["form"]
        assert client.post(page("rule", draft.pk, "festival"), sent(form)).status_code == 302
        assert draft.rules.get(code="festival").config["window"] == window

    @pytest.mark.parametrize(
        ("kind", "typed", "field", "reason"),
        [
            ("festival", TYPED | {"config_factor": "-1"}, "config_factor", "A factor cannot be negative."),
            ("festival", TYPED | {"config_factor": "two"}, "config_factor", "This is no number."),
            ("festival", TYPED | {"config_window_way": ""}, "config_window", "This field is required."),
            ("festival", TYPED | {"config_window_way": "dates"}, "config_window", "Say on which day it begins."),
            (
                "festival",
                TYPED | {"config_window_way": "dates", "config_window_first": "yesterday"},
                "config_window",
                "This is no window of days.",
            ),
            (
                "festival",
                TYPED
                | {
                    "config_window_way": "dates",
                    "config_window_first": "2026-05-03",
                    "config_window_last": "2026-05-01",
                },
                "config_window",
                "The last day is before the first.",
            ),
            (
                "festival",
                TYPED | {"config_window_before": "61"},
                "config_window",
                "A window reaches at most 60 days from its festival.",
            ),
            (
                "festival",
                TYPED | {"config_points": "5"},
                "config_factor",
                "A rule gives points or multiplies; make two rules if you want both.",
            ),
            ("spend", {"config_per": "0"}, "config_per", "The amount must be at least 0.01 yuan."),
            ("spend", {"caps_budget": "0"}, "caps_budget", "The number must be at least 1."),
            ("spend", {"conditions_amount_at_least": "-1"}, "conditions_amount_at_least", "at least 0.00 yuan"),
            ("spend", {"conditions_product_policies": ["gold"]}, "conditions_product_policies", "no choice gold"),
            ("spend", {"conditions_time_of_day_from": "20:00"}, "conditions_time_of_day", "looks like 20:00"),
            ("spend", {"conditions_weekdays": ["8"]}, "conditions_weekdays", "There is no choice 8 here."),
            ("spend", {"conditions_tags_any": ["no such tag"]}, "conditions_tags_any", "no choice no such tag"),
            ("spend", {"conditions_products": ["9" * 30]}, "conditions_products", "There is no choice 999"),
            (
                "referral",
                {"config_products_product": ["77"], "config_products_percent": ["5"], "config_products_points": [""]},
                "config_products",
                "There is no choice 77 here.",
            ),
            ("campaign", {"config_word": "a\x00b", "config_points": "5"}, "config_word", "This is no text."),
            ("steps", {}, "config_steps", "This field is required."),
            (
                "steps",
                {"config_steps_from": ["100", "200"], "config_steps_points": ["10", "5"]},
                "config_steps",
                "A higher step cannot give fewer points than the one before it.",
            ),
            ("referral", {"config_percent": "101"}, "config_percent", "A percentage cannot be over 100."),
            ("campaign", {"config_word": " ", "config_points": "5"}, "config_word", "This field is required."),
            ("profile", {"config_points": ""}, "config_points", "This field is required."),
        ],
    )
    def test_what_makes_no_sense_is_refused_at_its_field(
        self, kind: str, typed: dict[str, Any], field: str, reason: str, *, draft: RuleSet, client: Client
    ) -> None:
        response = add(client, draft, kind, **typed)

        assert response.status_code == 200
        [message] = response.context["form"].errors[field]
        assert reason in message
        assert f'href="#field-{field}"' in response.content.decode()
        assert codes(draft) == ["spend"]

    def test_a_budget_below_what_was_given_is_refused(self, draft: RuleSet, client: Client) -> None:
        save_draft(draft.pk, [FESTIVAL])
        RuleUsage.objects.create(rule="festival", points=500)

        response = client.post(page("rule", draft.pk, "festival"), TYPED | {"caps_budget": "499"}, headers=ENGLISH)

        [message] = response.context["form"].errors["caps_budget"]
        assert "has given 500 points already" in message

    def test_exclusive_windows_that_overlap_are_refused(self, draft: RuleSet, client: Client) -> None:
        save_draft(draft.pk, [SPEND, FESTIVAL | {"group": "festivals"}])

        response = add(client, draft, "festival", **TYPED | {"group": "festivals", "config_window_before": "3"})

        [message] = response.context["form"].errors["config_window"]
        assert "overlap with those of Double 11" in message

    def test_what_the_form_does_not_ask_about_is_kept(self, draft: RuleSet, client: Client) -> None:
        save_draft(draft.pk, [FESTIVAL | {"conditions": {"product_tags": ["spring"]}, "enabled": False}])

        client.post(page("rule", draft.pk, "festival"), TYPED)

        kept = draft.rules.get()
        assert (kept.conditions, kept.enabled, kept.code) == ({"product_tags": ["spring"]}, False, "festival")

    def test_goods_and_tags_are_picked_from_what_the_shop_has(
        self, draft: RuleSet, client: Client, shop: Channel
    ) -> None:
        tea = ProductFactory(channel=shop, code="T1", title="Green tea", category="Tea")
        TagFactory(name="老客户")

        text = read(client, "add_rule", draft.pk, "festival")

        assert "Green tea · T1" in text
        assert "老客户" in text
        add(client, draft, "festival", **TYPED, conditions_products=[str(tea.pk)], conditions_categories=["Tea"])
        assert draft.rules.get(code="festival").conditions == {"products": [tea.pk], "categories": ["Tea"]}

    def test_products_are_found_by_a_part_of_their_title(self, owner: User, client: Client, shop: Channel) -> None:
        tea = ProductFactory(channel=shop, code="T1", title="Green tea")
        ProductFactory(channel=shop, code="P1", title="Pot")

        found = client.get(page("products"), {"term": "green"}).json()

        assert found["results"] == [{"id": tea.pk, "text": "Green tea · T1"}]

    def test_its_form_asks_as_many_questions_however_much_the_shop_has(
        self, draft: RuleSet, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        ProductFactory.create_batch(20)
        TagFactory.create_batch(20)

        with django_assert_max_num_queries(18):
            client.get(page("add_rule", draft.pk, "festival"))

    @pytest.mark.parametrize("address", ["add_rule/no-such-kind", "rule/no-such-rule"])
    def test_what_there_is_not_is_not_found(self, address: str, draft: RuleSet, client: Client) -> None:
        name, argument = address.split("/")
        assert client.get(page(name, draft.pk, argument)).status_code == 404


def sent(form: Any) -> dict[str, Any]:
    """What a browser sends for a form that nobody touched."""
    data: dict[str, Any] = {}
    for field in form:
        shown = field.field.widget.get_context(field.html_name, field.field.prepare_value(field.value()), {})
        name = field.html_name
        widget = type(field.field.widget).__name__
        match widget:
            case "WindowWidget":
                data |= {f"{name}_{part}": value for part, value in shown["chosen"].items()}
            case "TimesWidget":
                data |= {f"{name}_from": shown["begins"], f"{name}_until": shown["ends"]}
            case "StepsWidget":
                data[f"{name}_from"] = [str(first) for first, _second in shown["rows"]]
                data[f"{name}_points"] = [str(second) for _first, second in shown["rows"]]
            case "TableWidget":
                data[f"{name}_word"] = [word for word, _label, _factor in shown["rows"]]
                data[f"{name}_factor"] = [factor for _word, _label, factor in shown["rows"]]
            case "SharesWidget":
                for number, part in enumerate(("product", "percent", "points")):
                    data[f"{name}_{part}"] = [str(row[number]) for row in shown["rows"]]
            case _:
                value = shown["widget"]["value"]
                many = getattr(field.field.widget, "allow_multiple_selected", False)
                data[name] = (value or []) if many else (value[0] if isinstance(value, list) else value or "")
    return data


class TestWhoMay:
    PAGES = ("change", "kinds", "review", "discard")

    def test_nobody_without_a_permission_sees_anything(self, draft: RuleSet, client: Client, grant: Grant) -> None:
        client.force_login(grant("crm.view_member"))

        for name in ("changelist", "compare", "add", "products"):
            assert client.get(page(name)).status_code == 403
        for name in self.PAGES:
            assert client.get(page(name, draft.pk)).status_code == 403

    def test_who_may_look_changes_nothing(self, draft: RuleSet, client: Client, grant: Grant) -> None:
        client.force_login(grant("loyalty.view_ruleset"))

        for address in (page("changelist"), page("compare"), page("change", draft.pk)):
            response = client.get(address)
            assert response.status_code == 200
            assert page("kinds", draft.pk) not in response.content.decode()
        for address in (
            page("add"), page("kinds", draft.pk), page("add_rule", draft.pk, "spend"), page("rule", draft.pk, "spend"),
            page("act", draft.pk, "spend"), page("discard", draft.pk), page("review", draft.pk),
            page("roll_back", draft.pk),
        ):  # fmt: skip
            assert client.post(address, {"act": "delete"}).status_code == 403
        assert codes(draft) == ["spend"]

    def test_who_works_on_drafts_does_not_publish(self, draft: RuleSet, client: Client, grant: Grant) -> None:
        client.force_login(grant("loyalty.change_ruleset"))

        assert page("review", draft.pk) not in read(client, "change", draft.pk)
        assert client.get(page("review", draft.pk)).status_code == 403
        assert client.post(page("review", draft.pk)).status_code == 403
        assert client.post(page("roll_back", 0)).status_code == 403

    def test_who_publishes_does_not_work_on_drafts(self, draft: RuleSet, client: Client, grant: Grant) -> None:
        client.force_login(grant("loyalty.publish_ruleset"))

        assert client.get(page("review", draft.pk)).status_code == 200
        assert client.get(page("rule", draft.pk, "spend")).status_code == 403

    def test_nobody_deletes_or_edits_a_published_set(self, admin_client: Client, at: datetime) -> None:
        published = publish_rules(SPEND, since=at)

        assert admin_client.post(page("delete", published.pk)).status_code == 403
        admin_client.post(page("change", published.pk), {"reason": "Mine"})
        published.refresh_from_db()
        assert published.reason == "A new season"
        assert EarnRule.objects.count() == 1
