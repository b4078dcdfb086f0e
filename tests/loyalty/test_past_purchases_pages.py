"""The pages of points for past purchases: who may open them, what they ask, what they say before anything is given."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from crm.models import Member, StaffAction, User
from loyalty import tasks
from loyalty.explain import explain, headline
from loyalty.models import Entry, Grant, PastGap
from loyalty.statement import history
from tests.loyalty.postings import balance
from tests.staff import Grant as GrantPermissions

pytestmark = pytest.mark.usefixtures("books_add_up", "in_english")

UPLOAD = "admin:loyalty_pastgap_add"
HEADER = "channel,name on the platform,total,last purchase"
FORM = {"new_gap": "before June 2026", "rate": "base", "rounding": "down", "counts_from": "today"}


@pytest.fixture
def in_english() -> Any:
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> None:
    """Uploads land in the test's own folder."""
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody takes up what is sent to a worker; the stories run it themselves."""
    monkeypatch.setattr(tasks.run_grant, "delay", lambda grant_id: None)
    monkeypatch.setattr(tasks.check_grant, "delay", lambda grant_id: None)


@pytest.fixture
def maker(grant: GrantPermissions, client: Client) -> User:
    """陈丽, who may give points to many and add members."""
    user = grant("loyalty.add_grant", "crm.add_member")
    client.force_login(user)
    return user


def table(*lines: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("past.csv", "\n".join((HEADER, *lines)).encode())


def uploaded(client: Client, *lines: str, **changes: str) -> Any:
    """Fill the form in and follow to where it leads."""
    data = FORM | changes | {"upload": table(*lines)}
    return client.post(reverse(UPLOAD), data, follow=True, headers={"accept-language": "en"})


def text(page: Any) -> str:
    return " ".join(page.content.decode().split())


def step(client: Client, name: str, **data: str) -> Any:
    url = reverse(f"admin:loyalty_grant_{name}", args=[Grant.objects.latest("pk").pk])
    return client.post(url, data, follow=True, headers={"accept-language": "en"})


class TestWhoMay:
    @pytest.mark.parametrize("page", [UPLOAD, "admin:loyalty_pastgap_sample"])
    def test_only_who_may_give_points_to_many_opens_it(
        self, page: str, grant: GrantPermissions, client: Client
    ) -> None:
        client.force_login(grant("loyalty.view_grant", "loyalty.approve_grant", "loyalty.view_pastgap"))
        assert client.get(reverse(page)).status_code == 403

        client.force_login(grant("loyalty.add_grant"))
        assert client.get(reverse(page)).status_code == 200

    def test_a_stranger_is_sent_to_sign_in(self, db: None, client: Client) -> None:
        assert client.get(reverse(UPLOAD)).status_code == 302

    def test_the_list_of_times_needs_the_permission_to_see_it(self, grant: GrantPermissions, client: Client) -> None:
        url = reverse("admin:loyalty_pastgap_changelist")
        client.force_login(grant("loyalty.add_grant"))
        assert client.get(url).status_code == 403

        client.force_login(grant("loyalty.view_pastgap"))
        assert client.get(url).status_code == 200

    def test_who_may_not_add_members_is_not_asked_and_cannot_tick_it(
        self, grant: GrantPermissions, xiaolu: Member, client: Client
    ) -> None:
        client.force_login(grant("loyalty.add_grant"))
        assert "makes_members" not in client.get(reverse(UPLOAD)).context["form"].fields

        uploaded(client, "tea,new_one,100,", makes_members="on")

        assert Grant.objects.get().rows.get().code == "unknown_name"

    def test_only_the_maker_confirms(
        self, maker: User, grant: GrantPermissions, xiaolu: Member, client: Client
    ) -> None:
        uploaded(client, "tea,小鹿爱喝茶,100,")

        client.force_login(grant("loyalty.add_grant", "loyalty.view_grant"))
        assert step(client, "confirm", reason="Mine now").status_code == 403
        assert Grant.objects.get().state == Grant.State.READY


class TestTheForm:
    def test_it_says_what_the_rules_in_force_give(self, maker: User, client: Client) -> None:
        assert "1,000 yuan are 1,000 points" in text(client.get(reverse(UPLOAD), headers={"accept-language": "en"}))

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"new_gap": ""}, {"new_gap": "Say which time"}),
            ({"rate": "own"}, {"per": "needs this number", "points": "needs this number"}),
            ({"rate": "own", "per": "10"}, {"points": "needs this number"}),
            ({"rate": "own", "per": "0", "points": "1"}, {"per": "0.01"}),
            ({"counts_from": "yesterday"}, {"counts_from": "valid choice"}),
        ],
    )
    def test_what_is_missing_or_wrong_is_said_at_its_field(
        self, changes: dict[str, str], told: dict[str, str], maker: User, client: Client
    ) -> None:
        errors = uploaded(client, "tea,小鹿爱喝茶,100,", **changes).context["form"].errors

        assert set(errors) == set(told)
        assert all(words in str(errors[field]) for field, words in told.items())
        assert not Grant.objects.exists()

    def test_a_known_time_and_a_new_name_at_once_are_refused(self, maker: User, xiaolu: Member, client: Client) -> None:
        gap = PastGap.objects.create(name="before 2026", made_by=maker, made_at=timezone.now())

        page = uploaded(client, "tea,小鹿爱喝茶,100,", gap=str(gap.pk))

        assert "not both" in str(page.context["form"].errors["new_gap"])

    @pytest.mark.parametrize("language", ["zh-hans", "en"])
    def test_the_sample_can_be_uploaded_as_it_is(
        self, language: str, maker: User, xiaolu: Member, client: Client
    ) -> None:
        url = reverse("admin:loyalty_pastgap_sample")
        sample = client.get(url, headers={"accept-language": language}).content
        data = FORM | {"makes_members": "on", "upload": SimpleUploadedFile("sample.csv", sample)}

        client.post(reverse(UPLOAD), data)

        assert list(Grant.objects.get().rows.order_by("line_no").values_list("points", "code")) == [
            (1280, ""),
            (99, ""),
        ]


class TestFromTheFileToThePoints:
    def test_the_page_previews_then_gives_on_the_makers_word_and_reports(
        self, maker: User, xiaolu: Member, client: Client
    ) -> None:
        page = text(uploaded(client, "tea,小鹿爱喝茶,1280.50,", "tea,new_one,99,", "tea,小**茶,9,", makes_members="on"))
        assert "Purchases of the time “before June 2026”" in page
        assert "a point for each whole yuan" in page
        assert "1 of them new" in page
        assert "is masked" in page
        assert "cost 137.90 yuan" in page
        assert not Entry.objects.exists()

        step(client, "confirm", reason="Thank you")
        tasks.run_grant(Grant.objects.get().pk)

        page = text(client.get(reverse("admin:loyalty_grant_change", args=[Grant.objects.get().pk])))
        assert balance(xiaolu) == 1280
        assert Member.objects.count() == 2
        assert "rows.csv" in page
        assert {"grant.past", "grant.make", "grant.confirm", "grant.members", "grant.done"} <= set(
            StaffAction.objects.values_list("action", flat=True)
        )

    def test_the_page_says_who_would_be_a_repeat_and_offers_no_way_around_it(
        self, maker: User, xiaolu: Member, dayong: Member, client: Client
    ) -> None:
        uploaded(client, "tea,小鹿爱喝茶,100,")
        step(client, "confirm", reason="Thank you")
        tasks.run_grant(Grant.objects.get().pk)

        page = uploaded(client, "tea,小鹿爱喝茶,200,", "tea,dayong_w,50,", new_gap="Before june 2026")

        assert "1 member already has points for purchases of the time “before June 2026”" in text(page)
        assert [row.member_id for row in page.context["repeated"]] == [xiaolu.pk]
        assert "repeat_reason" not in page.context["confirm_form"].fields
        step(client, "confirm", reason="Thank you", again="on", repeat_reason="He wants more")
        tasks.run_grant(Grant.objects.latest("pk").pk)
        assert (balance(xiaolu), balance(dayong)) == (100, 50)

    def test_another_time_with_the_same_members_is_warned_of(self, maker: User, xiaolu: Member, client: Client) -> None:
        uploaded(client, "tea,小鹿爱喝茶,100,")
        step(client, "confirm", reason="Thank you")
        tasks.run_grant(Grant.objects.get().pk)

        assert "before June 2026: 1 member" in text(uploaded(client, "tea,小鹿爱喝茶,100,", new_gap="Juni"))

    def test_the_buyer_reads_what_they_are_for(self, maker: User, xiaolu: Member, client: Client) -> None:
        uploaded(client, "tea,小鹿爱喝茶,1280.50,")
        step(client, "confirm", reason="Thank you")
        tasks.run_grant(Grant.objects.get().pk)

        line = history(xiaolu.pk, limit=1)[0]
        assert headline(line) == "For earlier purchases"
        assert explain(line)[:2] == [
            "Purchases of the time “before June 2026”, 1280.50 yuan in all: 1280 points.",
            "Reason: Thank you",
        ]

    def test_a_grant_that_a_worker_checks_is_read_the_same_way(
        self, maker: User, xiaolu: Member, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("loyalty.admin.past_purchases.CHECK_AT_ONCE", 1)
        uploaded(client, "tea,小鹿爱喝茶,100,")
        grant = Grant.objects.get()
        assert grant.state == Grant.State.CHECKING

        tasks.check_grant(grant.pk)

        assert grant.rows.get().points == 100

    def test_a_file_that_says_too_little_names_what_is_missing(
        self, maker: User, xiaolu: Member, client: Client
    ) -> None:
        data = FORM | {"upload": SimpleUploadedFile("past.csv", b"channel,buyer\ntea,x")}
        page = client.post(reverse(UPLOAD), data, follow=True, headers={"accept-language": "en"})

        assert "The first row must name the columns: “total”" in text(page)
        assert reverse(UPLOAD) in text(page)
