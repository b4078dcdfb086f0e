"""Publishing tier schemes: the preview, the differences, the publication itself, and the way back."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from crm import tasks
from crm.admin.schemes.publishing import Shown, publish_shown
from crm.models import Channel, SchemePreview, StaffAction, TierGrant, TierScheme, User
from crm.tiers import preview_jobs
from crm.tiers.presets import load_scheme_preset
from crm.tiers.schemebook import draft_of, find_scheme, publish, save_draft, scheme_at
from tests.cast import NOON
from tests.crm.tiers.seller import Seller
from tests.factories import MemberFactory, StaffFactory
from tests.staff import Grant

pytestmark = pytest.mark.django_db

LIST = reverse("admin:crm_tierscheme_changelist")
COMPARE = reverse("admin:crm_tierscheme_compare")
LATER = NOON + timedelta(days=7)


@pytest.fixture(autouse=True)
def noon() -> Any:
    """The story happens at noon of 10 March 2026 in Shanghai."""
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody takes jobs up by himself here."""
    monkeypatch.setattr(tasks.run_scheme_preview, "delay", lambda job_id: None)


@pytest.fixture
def owner(client: Client, grant: Grant) -> User:
    """Who may work on schemes, publish them and see members, signed in."""
    user = grant("crm.change_tierscheme", "crm.publish_tierscheme", "crm.view_member")
    client.force_login(user)
    return user


@pytest.fixture
def draft(db: None) -> TierScheme:
    """A draft with the scheme of Vancl: VIP at 2000 yuan."""
    return load_scheme_preset("vancl", at=NOON, actor_id=None).draft


@pytest.fixture
def published(draft: TierScheme) -> TierScheme:
    return publish(draft.pk, effective_from=NOON, at=NOON, actor_id=None, reason="The first one")


@pytest.fixture
def seller(shop: Channel) -> Seller:
    return Seller(shop)


def page(name: str, scheme: TierScheme) -> str:
    return reverse(f"admin:crm_tierscheme_{name}", args=[scheme.pk])


def see(client: Client, scheme: TierScheme) -> SchemePreview:
    """Ask for a preview, and be the worker that makes it."""
    client.post(page("preview", scheme))
    job = SchemePreview.objects.latest("pk")
    assert preview_jobs.run(job.pk, clock=lambda: NOON)
    job.refresh_from_db()
    return job


def send(client: Client, draft: TierScheme, **said: str) -> Any:
    """Fill in the form of the review and send it."""
    token = client.get(page("review", draft)).context["token"]
    return client.post(
        page("review", draft), {"token": token, "since": "now", "reason": "Better", "unseen": "on"} | said, follow=True
    )


def change_threshold(scheme: TierScheme, amount: int) -> TierScheme:
    """A draft of the scheme with another threshold for VIP."""
    copy = draft_of(scheme.version or 0, at=NOON, actor_id=None)
    save_draft(copy.pk, {}, [{"tier": "vip", "reach": [{"metric": "spend", "at_least": amount}]}])
    return copy


class TestPreview:
    def test_it_is_asked_for_and_waits_for_a_worker(self, client: Client, owner: User, draft: TierScheme) -> None:
        assert "看看会怎样" in client.get(page("review", draft)).content.decode()
        answer = client.post(page("preview", draft), follow=True)
        assert answer.redirect_chain[-1][0] == page("review", draft) + "#preview"
        assert 'id="progress"' in answer.content.decode()
        assert StaffAction.objects.get().action == "tier_scheme.preview"

    def test_one_that_is_on_its_way_is_enough(self, client: Client, owner: User, draft: TierScheme) -> None:
        client.post(page("preview", draft))
        client.post(page("preview", draft))
        assert SchemePreview.objects.count() == 1

    def test_the_browser_loads_the_page_anew_when_it_is_done(
        self, client: Client, owner: User, draft: TierScheme
    ) -> None:
        client.post(page("preview", draft))
        assert "HX-Refresh" not in client.get(page("progress", draft))
        preview_jobs.run(SchemePreview.objects.get().pk, clock=lambda: NOON)
        assert client.get(page("progress", draft))["HX-Refresh"] == "true"

    def test_it_shows_who_goes_where_and_what_it_costs(
        self, client: Client, owner: User, draft: TierScheme, seller: Seller
    ) -> None:
        big = seller.member("豪客")
        seller.member("看客")
        seller.buys(big, 2000, "2026-02-10")
        seller.buys(big, 1000, "2025-12-20")

        see(client, draft)
        answer = client.get(page("review", draft))

        found = answer.context["previewed"]
        assert (found.members, found.up, found.down, found.stay) == (2, 1, 0, 1)
        [flow] = found.rising
        assert (flow.before, flow.after, flow.members) == ("普通会员", "VIP会员", 1)
        assert flow.examples == [(big.pk, str(big))]
        assert [(row.rung.name, row.more) for row in found.rungs] == [
            ("普通会员", -1), ("VIP会员", 1), ("SVIP会员", 0),
        ]  # fmt: skip
        assert found.costs_more == 20  # 2 percent of the 1000 yuan of the last quarter.
        assert "多花 20.00 元" in answer.content.decode()
        assert not TierGrant.objects.exists()

    def test_names_are_for_those_who_may_see_members(
        self, client: Client, grant: Grant, draft: TierScheme, seller: Seller
    ) -> None:
        seller.buys(seller.member("豪客"), 2000, "2026-02-10")
        client.force_login(grant("crm.change_tierscheme"))
        see(client, draft)
        answer = client.get(page("review", draft))
        assert answer.context["previewed"].rising[0].examples == []
        assert "豪客" not in answer.content.decode()

    def test_a_draft_that_was_changed_since_says_so(self, client: Client, owner: User, published: TierScheme) -> None:
        draft = change_threshold(published, 3000)
        see(client, draft)
        assert client.get(page("review", draft)).context["seen"]
        save_draft(draft.pk, {"validity_months": 6}, [{"tier": "vip", "reach": [{"metric": "spend", "at_least": 1}]}])
        answer = client.get(page("review", draft))
        assert not answer.context["seen"]
        assert "之后又有修改" in answer.content.decode()

    def test_a_draft_that_makes_no_sense_is_not_previewed(self, client: Client, owner: User, draft: TierScheme) -> None:
        save_draft(draft.pk, {}, [{"tier": "vip", "reach": []}])
        answer = client.post(page("preview", draft), follow=True)
        assert "没有设置任何条件" in answer.content.decode()
        assert not SchemePreview.objects.exists()

    def test_an_old_version_can_be_seen_before_going_back(
        self, client: Client, owner: User, published: TierScheme
    ) -> None:
        newer = change_threshold(published, 3000)
        publish(newer.pk, effective_from=NOON, at=NOON, actor_id=None, reason="Dearer")
        see(client, published)
        assert client.get(page("change", published)).context["seen"]

    def test_saving_the_editor_can_lead_straight_to_it(self, client: Client, owner: User, draft: TierScheme) -> None:
        answer = client.get(page("change", draft))
        data = {"shown": answer.context["shown"], "review": "1"}
        for form in (answer.context["settings"], *answer.context["rungs"]):
            for bound in form:
                value = bound.value()
                if value is not None and value is not False:
                    data[bound.html_name] = value
        answer = client.post(page("change", draft), data)
        assert answer["Location"] == page("review", draft) + "#preview"
        assert SchemePreview.objects.get().scheme == draft

    def test_the_review_costs_the_same_however_many_members_move(
        self, client: Client, owner: User, draft: TierScheme, seller: Seller
    ) -> None:
        def queries() -> int:
            see(client, draft)
            with CaptureQueriesContext(connection) as captured:
                client.get(page("review", draft))
            return len(captured)

        seller.buys(seller.member("one"), 2000, "2026-02-10")
        few = queries()
        for number in range(5):
            seller.buys(seller.member(f"more {number}"), 3000, "2026-02-10")
        MemberFactory.create_batch(5)
        assert queries() == few


class TestPublishing:
    def test_from_now_on_with_a_reason(self, client: Client, owner: User, draft: TierScheme) -> None:
        send(client, draft, reason="开张")
        scheme = TierScheme.objects.get()
        assert (scheme.version, scheme.reason, scheme.published_by, scheme.effective_from) == (1, "开张", owner, NOON)
        logged = StaffAction.objects.get()
        assert (logged.action, logged.reason, logged.actor, logged.details["version"]) == (
            "tier_scheme.publish", "开张", owner, 1,
        )  # fmt: skip

    def test_from_a_later_moment_on(self, client: Client, owner: User, published: TierScheme) -> None:
        draft = change_threshold(published, 3000)
        answer = send(client, draft, since="later", effective_from="2026-03-17T12:00")
        draft.refresh_from_db()
        assert draft.effective_from == LATER
        current = scheme_at(NOON)
        assert current is not None
        assert current.version == 1
        assert "第 2 版" in answer.content.decode()

    @pytest.mark.parametrize(
        "said",
        [{"reason": ""}, {"since": "later"}, {"since": "later", "effective_from": "2026-03-01T12:00"}, {"unseen": ""}],
    )
    def test_what_is_missing_is_said_and_nothing_is_published(
        self, client: Client, owner: User, draft: TierScheme, said: dict[str, str]
    ) -> None:
        answer = send(client, draft, **said)
        assert answer.context["form"].errors
        assert TierScheme.objects.get().version is None

    def test_who_has_seen_the_preview_need_not_say_so(self, client: Client, owner: User, draft: TierScheme) -> None:
        see(client, draft)
        send(client, draft, unseen="")
        assert TierScheme.objects.get().version == 1

    def test_sending_it_twice_publishes_once(self, client: Client, owner: User, published: TierScheme) -> None:
        draft = change_threshold(published, 3000)
        data = {"since": "now", "reason": "Better", "unseen": "on"}
        data["token"] = client.get(page("review", draft)).context["token"]
        client.post(page("review", draft), data)
        answer = client.post(page("review", draft), data, follow=True)
        assert "没有再次发布" in answer.content.decode()
        assert TierScheme.objects.exclude(version=None).count() == 2

    def test_a_draft_that_a_colleague_changed_is_not_published(
        self, client: Client, owner: User, published: TierScheme
    ) -> None:
        draft = change_threshold(published, 3000)
        token = client.get(page("review", draft)).context["token"]
        save_draft(draft.pk, {}, [{"tier": "vip", "reach": [{"metric": "spend", "at_least": 1}]}])
        client.post(
            page("review", draft), {"token": token, "since": "now", "reason": "Better", "unseen": "on"}, follow=True
        )
        draft.refresh_from_db()
        assert draft.version is None

    def test_nor_when_another_was_published_meanwhile(self, published: TierScheme) -> None:
        mine, theirs = change_threshold(published, 3000), change_threshold(published, 4000)
        shown = Shown.now(mine.pk)
        publish(theirs.pk, effective_from=NOON, at=NOON, actor_id=None, reason="Faster")
        by = StaffFactory().pk
        assert publish_shown(shown, effective_from=NOON, at=NOON, actor_id=by, reason="Better") is None
        mine.refresh_from_db()
        assert mine.version is None
        assert not StaffAction.objects.exists()

    def test_a_page_that_was_open_for_too_long_publishes_nothing(
        self, client: Client, owner: User, draft: TierScheme
    ) -> None:
        token = client.get(page("review", draft)).context["token"]
        with time_machine.travel(NOON + timedelta(hours=2), tick=False):
            client.force_login(owner)
            data = {"token": token, "since": "now", "reason": "Better", "unseen": "on"}
            answer = client.post(page("review", draft), data, follow=True)
        assert "打开时间过长" in answer.content.decode()
        assert TierScheme.objects.get().version is None

    def test_what_changes_is_shown_beside_what_is_in_force(
        self, client: Client, owner: User, published: TierScheme
    ) -> None:
        draft = change_threshold(published, 3000)
        answer = client.get(page("review", draft))
        assert "VIP会员：升级条件" in [row.label for row in answer.context["different"]]
        assert "消费金额 ≥ 3,000 元" in answer.content.decode()


class TestGoingBack:
    def test_one_click_publishes_the_old_scheme_again(self, client: Client, owner: User, published: TierScheme) -> None:
        newer = change_threshold(published, 3000)
        publish(newer.pk, effective_from=NOON, at=NOON, actor_id=None, reason="Dearer")
        token = client.get(page("change", published)).context["token"]

        answer = client.post(page("roll_back", published), {"token": token, "reason": "太贵了"}, follow=True)

        assert "第 3 版" in answer.content.decode()
        again = TierScheme.objects.get(version=3)
        assert find_scheme(again.pk).rungs == find_scheme(published.pk).rungs
        logged = StaffAction.objects.get()
        assert (logged.action, logged.reason, logged.details["back_to"]) == ("tier_scheme.roll_back", "太贵了", 1)

    @pytest.mark.parametrize("said", [{"reason": ""}, {"token": "forged"}])
    def test_without_a_reason_or_what_was_shown_nothing_happens(
        self, client: Client, owner: User, published: TierScheme, said: dict[str, str]
    ) -> None:
        data = {"token": Shown.now(published.pk).token(), "reason": "Back"} | said
        client.post(page("roll_back", published), data)
        assert TierScheme.objects.count() == 1

    def test_twice_is_once(self, client: Client, owner: User, published: TierScheme) -> None:
        data = {"token": Shown.now(published.pk).token(), "reason": "Back"}
        client.post(page("roll_back", published), data)
        client.post(page("roll_back", published), data)
        assert TierScheme.objects.count() == 2

    def test_there_is_no_way_back_to_a_draft(self, client: Client, owner: User, draft: TierScheme) -> None:
        client.post(page("roll_back", draft), {"token": Shown.now(draft.pk).token(), "reason": "Back"})
        assert TierScheme.objects.get().version is None

    def test_it_is_not_done_by_looking(self, client: Client, owner: User, published: TierScheme) -> None:
        assert client.get(page("roll_back", published)).status_code == 405


class TestComparing:
    def test_any_two_stand_side_by_side(self, client: Client, owner: User, published: TierScheme) -> None:
        draft = change_threshold(published, 3000)
        answer = client.get(COMPARE, {"before": published.pk, "after": draft.pk})
        assert "VIP会员：升级条件" in [row.label for row in answer.context["different"]]
        assert answer.context["same"]

    def test_without_schemes_there_is_nothing_to_compare(self, client: Client, owner: User) -> None:
        assert "没有可以比较的" in client.get(COMPARE).content.decode()

    @pytest.mark.parametrize("number", ["999999", "1" * 17])
    def test_what_is_not_there_is_not_found(
        self, client: Client, owner: User, published: TierScheme, number: str
    ) -> None:
        assert client.get(COMPARE, {"before": number}).status_code == 404


class TestPermissions:
    def test_nobody_else_sees_them(self, client: Client, grant: Grant, published: TierScheme) -> None:
        draft = draft_of(1, at=NOON, actor_id=None)
        client.force_login(grant("crm.view_tier", "crm.view_member"))
        for address in (COMPARE, page("review", draft), page("progress", draft), page("change", published)):
            assert client.get(address).status_code == 403, address
        for name in ("preview", "review", "roll_back"):
            assert client.post(page(name, draft)).status_code == 403, name

    def test_who_may_change_drafts_does_not_publish(self, client: Client, grant: Grant, draft: TierScheme) -> None:
        client.force_login(grant("crm.change_tierscheme"))
        assert "发布此方案" not in client.get(page("review", draft)).content.decode()
        data = {"token": Shown.now(draft.pk).token(), "since": "now", "reason": "Better", "unseen": "on"}
        assert client.post(page("review", draft), data).status_code == 403
        assert client.post(page("roll_back", draft), data).status_code == 403
        assert TierScheme.objects.get().version is None

    def test_who_may_only_look_starts_no_preview(self, client: Client, grant: Grant, draft: TierScheme) -> None:
        client.force_login(grant("crm.view_tierscheme"))
        assert client.get(page("review", draft)).status_code == 200
        assert client.post(page("preview", draft)).status_code == 403
