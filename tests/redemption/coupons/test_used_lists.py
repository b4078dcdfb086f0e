"""Lists of used coupons from a shop platform: looked over, confirmed, and the same again changes nothing."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from crm.models import Channel, Member, StaffAction
from redemption import desk
from redemption.coupons.ending import end_expired
from redemption.coupons.used_lists import UsedList, look_over_used, mark_used
from redemption.coupons.voiding import void_coupons
from redemption.models import Coupon, CouponPlan
from tests.cast import GivePoints
from tests.redemption.coupons.conftest import Take
from tests.staff import Grant

DAY = timedelta(days=1)


@pytest.fixture
def coupons(xiaolu: Member, plan: CouponPlan, take: Take, give_points: GivePoints) -> list[Coupon]:
    """Four coupons of five yuan."""
    give_points(xiaolu, 1000)
    return [take(xiaolu, plan, 5) for _ in range(4)]


def look(tmp_path: Path, at: datetime, *lines: str, head: str = "券码,使用时间,订单号") -> UsedList:
    path = tmp_path / "used.csv"
    path.write_text("\n".join([head, *lines]), encoding="utf-8")
    return look_over_used(path, at)


def problems(found: UsedList) -> list[tuple[int, str]]:
    return [(problem.line_no, problem.problem) for problem in found.problems]


def test_a_list_marks_coupons_as_used_with_time_order_and_shop(
    *, coupons: list[Coupon], tmp_path: Path, shop: Channel, clerk: int, at: datetime
) -> None:
    later = at + 2 * DAY
    found = look(tmp_path, later, f"{coupons[0].spoken_code.lower()},2026-03-11 18:30,TB900", f"{coupons[1].code},,")
    assert (len(found.uses), found.yuan, found.same, found.problems) == (2, 10, 0, [])

    assert mark_used(found.uses, channel_id=shop.pk, file="used.csv", actor_id=clerk, at=later) == 2

    first, second = (Coupon.objects.get(pk=coupon.pk) for coupon in coupons[:2])
    assert (first.state, first.order_no, first.used_in) == ("used", "TB900", shop)
    assert first.used_at == datetime.fromisoformat("2026-03-11T18:30+08:00")
    assert second.used_at == later
    assert StaffAction.objects.filter(action="coupon.use").count() == 2


def test_the_same_list_again_changes_nothing(coupons: list[Coupon], tmp_path: Path, clerk: int, at: datetime) -> None:
    line = f"{coupons[0].code},2026-03-10 12:00,TB900"
    found = look(tmp_path, at, line)
    mark_used(found.uses, channel_id=None, file="used.csv", actor_id=clerk, at=at)

    again = look(tmp_path, at + DAY, line, line)

    assert (again.uses, again.same, again.problems) == ([], 1, [])
    assert mark_used(found.uses, channel_id=None, file="used.csv", actor_id=clerk, at=at) == 0
    assert StaffAction.objects.filter(action="coupons.used").count() == 1


def test_rows_that_cannot_be_say_why(coupons: list[Coupon], tmp_path: Path, clerk: int, at: datetime) -> None:
    used, void, ready, other = coupons
    desk.use(used.code, actor_id=clerk, at=at)
    Coupon.objects.filter(pk=used.pk).update(order_no="TB1")
    void_coupons([void.pk], reason="A test", actor_id=clerk, at=at)

    found = look(
        tmp_path, at + DAY, f"{used.code},,TB2", f"{void.code},,", "K7PF-2MRX-94TT,,", ",,TB9", f"{ready.code},soon,",
        f"{ready.code},2026-04-01,", f"{ready.code},2026-03-01,", f"{other.code},,TB3", f"{other.code},,TB4",
    )  # fmt: skip

    assert problems(found) == [
        (2, "other_order"), (3, "void"), (4, "unknown"), (5, "empty"), (6, "time_wrong"), (7, "future"),
        (8, "too_early"), (10, "twice"),
    ]  # fmt: skip
    assert all(problem.message() for problem in found.problems)


def test_what_was_used_in_time_counts_also_after_the_night(
    coupons: list[Coupon], tmp_path: Path, clerk: int, at: datetime
) -> None:
    end = coupons[0].expires_at
    end_expired(end, end, 0, 100)

    found = look(
        tmp_path,
        end + DAY,
        f"{coupons[0].code},2026-06-08,TB1",
        f"{coupons[1].code},2026-06-09,",
        f"{coupons[2].code},,",
    )

    assert problems(found) == [(3, "too_late"), (4, "when")]
    assert mark_used(found.uses, channel_id=None, file="used.csv", actor_id=clerk, at=end + DAY) == 1


def test_points_that_went_back_are_not_spent_again(coupons: list[Coupon], tmp_path: Path, at: datetime) -> None:
    CouponPlan.objects.update(expiry_gives_back=True)
    end = coupons[0].expires_at
    end_expired(end, end, 0, 100)

    assert problems(look(tmp_path, end + DAY, f"{coupons[0].code},2026-06-01,")) == [(2, "given_back")]


class TestPage:
    ADDRESS = "admin:redemption_coupon_used"

    def test_a_list_is_seen_before_it_is_taken(
        self, coupons: list[Coupon], clock: None, client: Client, grant: Grant
    ) -> None:
        client.force_login(grant("redemption.use_coupon", "redemption.view_coupon"))
        file = SimpleUploadedFile("used.csv", f"code\n{coupons[0].code}\nnothing\n".encode())

        page = client.post(reverse(self.ADDRESS), {"upload": file})
        assert Coupon.objects.filter(state="used").count() == 0
        client.post(reverse(self.ADDRESS), {"word": page.context["word"]})

        assert Coupon.objects.filter(state="used").count() == 1

    def test_others_do_not_see_it(self, client: Client, grant: Grant) -> None:
        client.force_login(grant("redemption.view_coupon"))
        assert client.get(reverse(self.ADDRESS)).status_code == 403


class TestExport:
    ADDRESS = "admin:redemption_coupon_export"

    @pytest.mark.parametrize("kind", ["csv", "xlsx"])
    def test_it_needs_a_reason_and_is_logged(
        self, kind: str, coupons: list[Coupon], clock: None, client: Client, grant: Grant
    ) -> None:
        client.force_login(grant("redemption.export_coupon"))
        asked = {"plan": "", "state": "issued", "first_day": "2026-03-10", "last_day": "2026-03-10", "kind": kind}
        assert "attachment" not in client.post(reverse(self.ADDRESS), asked).headers.get("Content-Disposition", "")

        answer = client.post(reverse(self.ADDRESS), asked | {"reason": "For the platform"})

        body = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
        assert f"coupons.{kind}" in answer.headers["Content-Disposition"]
        if kind == "csv":
            assert coupons[0].code in body.decode()
        logged = StaffAction.objects.get(action="coupons.export")
        assert (logged.reason, logged.details["coupons"]) == ("For the platform", 4)

    def test_others_do_not_see_it(self, client: Client, grant: Grant) -> None:
        client.force_login(grant("redemption.view_coupon", "redemption.use_coupon"))
        assert client.get(reverse(self.ADDRESS)).status_code == 403


class TestVoidInTheList:
    def test_selected_coupons_become_void_after_a_reason(
        self, coupons: list[Coupon], clock: None, client: Client, grant: Grant
    ) -> None:
        client.force_login(grant("redemption.view_coupon", "redemption.void_coupon"))
        chosen = {"action": "make_void", "_selected_action": [coupon.pk for coupon in coupons]}
        page = client.post(reverse("admin:redemption_coupon_changelist"), chosen)
        assert Coupon.objects.filter(state="void").count() == 0
        assert page.status_code == 200

        client.post(
            reverse("admin:redemption_coupon_changelist"), chosen | {"apply": "1", "reason": "The plan was wrong"}
        )

        assert Coupon.objects.filter(state="void", void_reason="The plan was wrong").count() == 4

    def test_it_is_not_offered_to_others(self, coupons: list[Coupon], client: Client, grant: Grant) -> None:
        client.force_login(grant("redemption.view_coupon", "redemption.use_coupon"))
        chosen = {"action": "make_void", "_selected_action": [coupons[0].pk], "apply": "1", "reason": "No"}
        client.post(reverse("admin:redemption_coupon_changelist"), chosen)

        assert not Coupon.objects.filter(state="void").exists()


class TestDesk:
    ADDRESS = "admin:redemption_coupon_check"

    def test_look_ups_are_throttled_whether_the_code_exists_or_not(
        self, coupons: list[Coupon], clock: None, client: Client, grant: Grant
    ) -> None:
        client.force_login(grant("redemption.use_coupon"))
        answers = [client.get(reverse(self.ADDRESS), {"code": "K7PF-2MRX-94TT"}).status_code for _ in range(61)]

        assert answers == [200] * 60 + [429]
        assert client.get(reverse(self.ADDRESS), {"code": coupons[0].code}).status_code == 429
        assert client.post(reverse(self.ADDRESS), {"code": coupons[0].code}).status_code == 429

    def test_who_may_not_look_gets_the_same_answer_to_every_code(
        self, coupons: list[Coupon], client: Client, grant: Grant
    ) -> None:
        codes = [coupons[0].code, "K7PF-2MRX-94TT", "nonsense"]
        assert {client.get(reverse(self.ADDRESS), {"code": code}).status_code for code in codes} == {302}
        client.force_login(grant("redemption.view_coupon"))
        answers = [client.get(reverse(self.ADDRESS), {"code": code}) for code in codes]
        assert [answer.status_code for answer in answers] == [403] * 3
        assert not any("¥" in answer.content.decode() for answer in answers)
