"""Codes of the shop platform: a file is looked over, taken whole or not at all, and handed out code by code."""

from datetime import datetime
from os import urandom
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse

from crm.models import Member, StaffAction
from redemption.codes import ALPHABET, LENGTH, new_codes, read_code
from redemption.coupons.pooling import CodeFile, add_codes, look_over_codes, make_codes, stock_of
from redemption.models import Coupon, CouponPlan, PoolCode
from tests.cast import GivePoints
from tests.redemption.coupons.conftest import Take
from tests.staff import Grant


@pytest.fixture(autouse=True)
def pooled(plan: CouponPlan) -> None:
    CouponPlan.objects.update(source="pool", low_codes=2)


def look(tmp_path: Path, plan: CouponPlan, at: datetime, text: str, *, usual: int | None = None) -> CodeFile:
    path = tmp_path / "codes.csv"
    path.write_text(text, encoding="utf-8")
    return look_over_codes(path, plan, usual_yuan=usual, at=at)


def test_a_file_names_codes_worth_and_last_day(tmp_path: Path, plan: CouponPlan, at: datetime) -> None:
    found = look(tmp_path, plan, at, "券码,面额,有效期至\nTB-001,5元,2026-12-31\nTB-002,10,\nTB-003,¥20.00,2026/4/1\n")

    assert not found.problems
    assert [(code.code, code.yuan) for code in found.codes] == [("TB-001", 5), ("TB-002", 10), ("TB-003", 20)]
    assert found.codes[0].valid_until == datetime.fromisoformat("2027-01-01T00:00+08:00")
    assert found.by_value == [(5, 1), (10, 1), (20, 1)]


def test_rows_that_are_of_no_use_say_why_and_show_no_code(tmp_path: Path, plan: CouponPlan, at: datetime) -> None:
    PoolCode.objects.create(plan=plan, yuan=5, code="KNOWN-CODE", added_at=at)
    found = look(
        tmp_path, plan, at,
        "code,worth,valid through\nKNOWN-CODE,5,\nTWICE-CODE,5,\nTWICE-CODE,5,\n,5,\nDEAR-CODE,7,\nODD-CODE,much,\n"
        "LATE-CODE,5,2026-03-09\nDATE-CODE,5,soon\n1.23E+18,5,\nNONE-CODE,,\n" + "X" * 65 + ",5,\nA B,5,\n",
    )  # fmt: skip

    assert [(problem.line_no, problem.problem) for problem in found.problems] == [
        (2, "known"), (4, "twice"), (5, "empty"), (6, "not_offered"), (7, "worth_wrong"), (8, "over"),
        (9, "date_wrong"), (10, "rounded"), (11, "worth_missing"), (12, "too_long"), (13, "unseen_characters"),
    ]  # fmt: skip
    assert [code.code for code in found.codes] == ["TWICE-CODE"]
    assert all(problem.message() for problem in found.problems)
    assert not any("KNOWN-CODE" in problem.code for problem in found.problems)


def test_the_worth_may_be_chosen_beside_the_file(tmp_path: Path, plan: CouponPlan, at: datetime) -> None:
    assert look(tmp_path, plan, at, "券码\nTB-001\n", usual=10).codes[0].yuan == 10


def test_the_same_file_again_adds_nothing(tmp_path: Path, plan: CouponPlan, clerk: int, at: datetime) -> None:
    codes = look(tmp_path, plan, at, "code\n" + "\n".join(f"TB-{n}" for n in range(500)), usual=5).codes

    assert [add_codes(plan.pk, codes, file="codes.csv", actor_id=clerk, at=at) for _ in range(2)] == [500, 0]
    assert StaffAction.objects.filter(action="coupons.codes").count() == 1


def test_they_are_handed_out_in_the_order_of_the_file_and_end_when_the_platform_says(
    xiaolu: Member, plan: CouponPlan, take: Take, give_points: GivePoints, at: datetime
) -> None:
    give_points(xiaolu, 1000)
    soon = datetime.fromisoformat("2026-03-12T00:00+08:00")
    PoolCode.objects.create(plan=plan, yuan=5, code="TB-OLD", added_at=at, valid_until=at)
    PoolCode.objects.create(plan=plan, yuan=5, code="TB-1", added_at=at, valid_until=soon)
    PoolCode.objects.create(plan=plan, yuan=5, code="TB-2", added_at=at)

    first, second = take(xiaolu, plan, 5), take(xiaolu, plan, 5)

    assert (first.code, first.spoken_code, first.expires_at) == ("TB-1", "TB-1", soon)
    assert second.code == "TB-2"
    assert stock_of(plan.pk, at) == [(5, 0, 2)]


class TestFreshCodes:
    def test_no_two_are_alike_and_each_has_its_check_character(self) -> None:
        codes = new_codes(2_000)

        assert len(set(codes)) == 2_000
        assert all(read_code(code) == code for code in codes)

    def test_they_fill_a_pool(self, plan: CouponPlan, clerk: int, at: datetime) -> None:
        assert make_codes(plan.pk, 10, 1_000, actor_id=clerk, at=at) == 1_000
        assert stock_of(plan.pk, at) == [(10, 1_000, 0)]

    def test_a_million_guesses_at_a_hundred_thousand_codes_find_none(
        self, plan: CouponPlan, clerk: int, at: datetime
    ) -> None:
        """A guesser who knows the alphabet, the length and how the check character is made only has to guess what
        stands before it; and here nobody slows him down."""
        assert make_codes(plan.pk, 5, 100_000, actor_id=clerk, at=at) == 100_000
        signs, even = LENGTH - 1, 256 - 256 % len(ALPHABET)
        sign_of = bytes(ord(ALPHABET[byte % len(ALPHABET)]) for byte in range(256))
        drawn = urandom(12 * 1_000_000).translate(sign_of, delete=bytes(range(even, 256))).decode()
        guesses = [drawn[start : start + signs] for start in range(0, 1_000_000 * signs, signs)]

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM redemption_poolcode AS c JOIN unnest(%s::text[]) AS g ON g = left(c.code, %s)",
                [guesses, signs],
            )
            [found] = cursor.fetchone()

        assert len(guesses) == 1_000_000
        assert found == 0


class TestPage:
    @pytest.fixture
    def manager(self, grant: Grant, client: Client, clock: None) -> Client:
        client.force_login(grant("redemption.view_couponplan", "redemption.add_poolcode", "redemption.export_coupon"))
        return client

    def address(self, plan: CouponPlan) -> str:
        return reverse("admin:redemption_couponplan_codes", args=[plan.pk])

    def test_a_file_is_seen_before_it_is_taken(self, manager: Client, plan: CouponPlan) -> None:
        file = SimpleUploadedFile("codes.csv", b"code,worth\nTB-000001,5\nTB-000002,7\n")
        page = manager.post(self.address(plan), {"upload": file, "yuan": ""})
        assert [problem.problem for problem in page.context["problems"]] == ["not_offered"]
        assert not PoolCode.objects.exists()

        manager.post(self.address(plan), {"word": page.context["word"]})
        manager.post(self.address(plan), {"word": page.context["word"]})

        assert [code.code for code in PoolCode.objects.all()] == ["TB-000001"]

    def test_codes_are_made_and_downloaded_with_a_reason(self, manager: Client, plan: CouponPlan) -> None:
        manager.post(self.address(plan), {"number": "3", "yuan": "5"})
        assert manager.post(self.address(plan), {"kind": "csv", "reason": ""}).status_code == 200

        file = manager.post(self.address(plan), {"kind": "csv", "reason": "For the platform"})
        lines = b"".join(file.streaming_content).decode().splitlines()  # type: ignore[attr-defined]

        assert len(lines) == 4
        assert StaffAction.objects.get(action="coupons.export").reason == "For the platform"

    def test_a_pool_that_runs_out_is_told_in_the_list(self, manager: Client, plan: CouponPlan, at: datetime) -> None:
        PoolCode.objects.create(plan=plan, yuan=5, code="TB-1", added_at=at)

        listed = manager.get(reverse("admin:redemption_couponplan_changelist")).context["cl"].result_list

        assert [row.fewest for row in listed] == [0]  # Of 10 and 20 yuan there are none.

    def test_others_do_not_see_it(self, client: Client, grant: Grant, plan: CouponPlan) -> None:
        client.force_login(grant("redemption.view_couponplan", "redemption.use_coupon"))
        assert client.get(self.address(plan)).status_code == 403


def test_a_code_that_is_a_coupon_s_already_does_not_come_into_a_pool(
    *, xiaolu: Member, plan: CouponPlan, take: Take, give_points: GivePoints, tmp_path: Path, at: datetime
) -> None:
    give_points(xiaolu, 100)
    CouponPlan.objects.update(source="generated")
    coupon = take(xiaolu, plan, 5)
    assert Coupon.objects.count() == 1

    found = look(tmp_path, plan, at, f"code,worth\n{coupon.code},5\n")

    assert [problem.problem for problem in found.problems] == ["known"]
