"""The pages for the profile and for a campaign's code."""

from datetime import date, datetime, timedelta

import pytest
from django.test import Client

from crm.models import Member
from loyalty.models import Account
from tests.loyalty.rulesets import SPEND, publish_rules, rule
from tests.redemption.conftest import SignIn


@pytest.fixture
def rewarded(db: None, at: datetime) -> None:
    """Fifty points for the profile, twenty for a code, 88 at the birthday."""
    publish_rules(
        SPEND,
        rule("profile", {"points": 50}),
        rule("birthday", {"points": 88}),
        rule("campaign", {"word": "TEA26", "points": 20}),
        since=at - timedelta(days=9),
    )


def balance(member: Member) -> int:
    return Account.objects.filter(pk=member.pk).values_list("balance", flat=True).first() or 0


def test_the_points_page_names_the_ways_that_are_rewarded(xiaolu: Member, rewarded: None, sign_in: SignIn) -> None:
    page = sign_in(xiaolu).get("/").content.decode()

    assert 'href="/profile/"' in page
    assert 'href="/code/"' in page


def test_without_rules_it_names_none(xiaolu: Member, sign_in: SignIn) -> None:
    assert "More ways to earn points" not in sign_in(xiaolu).get("/").content.decode()


class TestTheProfile:
    def test_it_asks_for_what_is_missing_and_no_more(self, xiaolu: Member, rewarded: None, sign_in: SignIn) -> None:
        page = sign_in(xiaolu).get("/profile/").content.decode()

        assert "A complete profile brings 50 points, once." in page
        assert "Every birthday brings 88 points." in page
        assert 'name="birthday"' in page
        assert 'name="name"' not in page
        assert "林小鹿" in page

    def test_whoever_completes_it_gets_the_gift(self, xiaolu: Member, rewarded: None, sign_in: SignIn) -> None:
        client = sign_in(xiaolu)

        page = client.post("/profile/", {"birthday": "1993-05-01", "phone": "13800000001"}, follow=True)

        assert "your profile is complete, and 50 points are yours" in page.content.decode()
        xiaolu.refresh_from_db()
        assert (xiaolu.birthday, xiaolu.phone, balance(xiaolu)) == (date(1993, 5, 1), "13800000001", 50)
        assert "Complete my profile" not in client.get("/").content.decode()

    def test_a_birthday_is_set_once(self, xiaolu: Member, rewarded: None, sign_in: SignIn) -> None:
        client = sign_in(xiaolu)
        client.post("/profile/", {"birthday": "1993-05-01"})

        client.post("/profile/", {"birthday": "1993-03-11", "name": "Somebody"})

        xiaolu.refresh_from_db()
        assert (xiaolu.birthday, xiaolu.name) == (date(1993, 5, 1), "林小鹿")

    @pytest.mark.parametrize(
        ("field", "typed", "told"),
        [
            ("birthday", "2026-03-11", "This day is still to come."),
            ("birthday", "1093-05-01", "Please check the year."),
            ("birthday", "yesterday", "Enter a valid date."),
            ("phone", "138****0001", "Write the whole phone number"),
        ],
    )
    def test_a_slip_is_named_and_nothing_saved(
        self, *, field: str, typed: str, told: str, xiaolu: Member, rewarded: None, sign_in: SignIn
    ) -> None:
        page = sign_in(xiaolu).post("/profile/", {field: typed}).content.decode()

        assert told in page
        xiaolu.refresh_from_db()
        assert (xiaolu.birthday, xiaolu.phone) == (None, "")

    def test_a_profile_that_was_complete_already_can_collect(
        self, xiaolu: Member, rewarded: None, sign_in: SignIn
    ) -> None:
        xiaolu.birthday, xiaolu.phone = date(1993, 5, 1), "13800000001"
        xiaolu.save()
        client = sign_in(xiaolu)
        assert "Collect the points" in client.get("/profile/").content.decode()

        client.post("/profile/")
        client.post("/profile/")

        assert balance(xiaolu) == 50

    def test_without_a_rule_it_can_still_be_filled_in(self, xiaolu: Member, sign_in: SignIn) -> None:
        page = sign_in(xiaolu).post("/profile/", {"birthday": "1993-05-01"}, follow=True).content.decode()

        assert "Saved. Thank you." in page
        assert "brings" not in page


class TestCodes:
    def test_a_code_brings_its_points_once(self, xiaolu: Member, rewarded: None, sign_in: SignIn) -> None:
        client = sign_in(xiaolu)

        first = client.post("/code/", {"code": "tea26"}, follow=True).content.decode()
        second = client.post("/code/", {"code": "TEA26"}, follow=True).content.decode()

        assert "The code brought you 20 points." in first
        assert "You have used this code already." in second
        assert balance(xiaolu) == 20

    def test_a_wrong_code_tells_nothing(self, xiaolu: Member, rewarded: None, sign_in: SignIn) -> None:
        page = sign_in(xiaolu).post("/code/", {"code": "TEA25"}).content.decode()

        assert "No points for this code: it is mistyped, has ended or is not meant for you." in page

    def test_whoever_tries_many_codes_is_slowed_down(self, xiaolu: Member, rewarded: None, sign_in: SignIn) -> None:
        client = sign_in(xiaolu)

        answers = [client.post("/code/", {"code": f"TEA{number}"}).status_code for number in range(7)]

        assert answers == [200] * 5 + [429] * 2
        assert client.post("/code/", {"code": "TEA26"}).status_code == 429
        assert balance(xiaolu) == 0

    def test_without_a_campaign_there_is_no_page(self, xiaolu: Member, sign_in: SignIn) -> None:
        assert sign_in(xiaolu).get("/code/").status_code == 404


@pytest.mark.parametrize("path", ["/profile/", "/code/"])
def test_a_stranger_is_asked_who_he_is(path: str, client: Client, rewarded: None, clock: None) -> None:
    for answer in (client.get(path), client.post(path, {"code": "TEA26", "birthday": "1993-05-01"})):
        assert answer.status_code == 302
        assert answer["Location"].startswith("/account/login/code/")
