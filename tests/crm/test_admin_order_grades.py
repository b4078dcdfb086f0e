"""Saying that a tool's grades come with orders, and what the page of an import tells of them."""

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from crm import orders
from crm.imports import jobs, pipeline
from crm.models import Channel, ImportJob, ImportProblem, MemberPlatformGrade, PlatformTool, User
from tests.crm.files import HEADER, Trade, order_list
from tests.factories import PlatformGradeFactory, PlatformToolFactory
from tests.staff import Grant

pytestmark = pytest.mark.django_db

COLUMN = "会员等级"
TRADES = [Trade(number, f"buyer{number}") for number in range(1, 7)]
GRADES = ["金牌", "钻石", "", "钻石", "很" * 61, "金牌"]


@pytest.fixture(autouse=True)
def folder(settings: object, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]


@pytest.fixture
def keeper(client: Client, grant: Grant) -> User:
    """Who may import orders and set up tools, signed in."""
    user = grant(
        "crm.add_importjob", "crm.view_platformtool", "crm.add_platformtool", "crm.change_platformtool",
        "crm.view_platformgrade",
    )  # fmt: skip
    client.force_login(user)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return user


@pytest.fixture
def tool(shop: Channel) -> PlatformTool:
    tool = PlatformToolFactory(name="会员关系管理", channel=shop, from_orders=True, order_column=COLUMN)
    PlatformGradeFactory(tool=tool, name="金牌", discount_percent=90)
    return tool


def content(column: str = COLUMN) -> bytes:
    """An order list with a column of grades more."""
    header, *lines = order_list(TRADES).splitlines()
    rows = [f"{line},{grade}" for line, grade in zip(lines, GRADES, strict=True)]
    return "\n".join([f"{header},{column}", *rows]).encode("gbk")


def upload(client: Client, shop: Channel, column: str = COLUMN) -> str:
    file = SimpleUploadedFile("march.csv", content(column))
    data = {"channel": shop.pk, "profile": "", "uploads": [file]}
    return client.post(reverse("admin:crm_importjob_add"), data, follow=True).text


def page(client: Client) -> Any:
    return client.get(reverse("admin:crm_importjob_change", args=[ImportJob.objects.get().pk]))


class TestImport:
    def test_says_before_it_runs_what_comes_of_the_grades(
        self, client: Client, keeper: User, tool: PlatformTool, shop: Channel
    ) -> None:
        assert "grades are read from column “会员等级”." in upload(client, shop)
        assert "because the file has no column “会员等级”." in upload(client, shop, "别的")
        PlatformTool.objects.update(order_column="订单状态")
        assert "because the import reads column “订单状态” as a field of the order." in upload(client, shop, "又一列")

    def test_keeps_grades_counts_them_and_tells_what_a_person_has_to_look_at(
        self, client: Client, keeper: User, tool: PlatformTool, shop: Channel
    ) -> None:
        upload(client, shop)
        job = ImportJob.objects.get()
        jobs.confirm(job.pk, actor_id=keeper.pk, at=timezone.now())
        jobs.run(job.pk, clock=timezone.now)

        assert MemberPlatformGrade.objects.filter(source="march.csv").count() == 4
        context = page(client).context
        figures = {str(label): value for label, value in context["figures"]}
        assert (figures["Members with a new grade on another tool"], figures["Refused rows"]) == (4, 0)
        assert context["refused"] is None
        told = context["remarks"]
        assert (told["number"], [row.line_no for row in told["rows"]]) == (2, [3, 6])
        assert "takes nothing off until you enter it" in told["rows"][0].reason
        # What stands in a column nobody knows may be an address.
        assert "“•••”" in told["rows"][1].reason

        body = b"".join(client.get(reverse("admin:crm_importjob_refused", args=[job.pk])))
        rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig"))))
        assert [row[1] for row in rows[1:]] == ["3", "6"]

    def test_whose_worker_is_killed_goes_on_and_tells_nothing_twice(
        self, client: Client, keeper: User, tool: PlatformTool, shop: Channel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        upload(client, shop)
        job = ImportJob.objects.get()
        jobs.confirm(job.pk, actor_id=keeper.pk, at=timezone.now())
        whole, batches = pipeline.run_file, iter(range(9))
        monkeypatch.setattr(pipeline, "run_file", lambda source, **kwargs: whole(source, **{**kwargs, "size": 2}))
        record = orders.record_prepared

        def die(*args: Any, **kwargs: Any) -> Any:
            report = record(*args, **kwargs)
            if next(batches) == 1:
                raise KeyboardInterrupt
            return report

        monkeypatch.setattr(pipeline, "record_prepared", die)
        with pytest.raises(KeyboardInterrupt):
            jobs.run(job.pk, clock=timezone.now)
        assert MemberPlatformGrade.objects.count() == 2

        later = timezone.now() + timedelta(minutes=5)
        jobs.run(job.pk, clock=lambda: later)

        assert MemberPlatformGrade.objects.count() == 4
        assert list(ImportProblem.objects.values_list("line_no", "code")) == [
            (3, "grade_unpriced"), (6, "grade_unreadable"),
        ]  # fmt: skip


class TestSettings:
    def save(self, client: Client, **fields: Any) -> Any:
        empty = {"grades-TOTAL_FORMS": 0, "grades-INITIAL_FORMS": 0, "name": "网店版"}
        return client.post("/admin/crm/platformtool/add/", empty | fields)

    def test_name_the_channel_and_the_column(self, client: Client, keeper: User, shop: Channel) -> None:
        self.save(client, channel=shop.pk, from_orders="on", order_column=f" {COLUMN} ")

        tool = PlatformTool.objects.get()
        assert (tool.from_orders, tool.order_column) == (True, COLUMN)

    def test_without_them_nothing_is_saved(self, client: Client, keeper: User, shop: Channel) -> None:
        errors = self.save(client, from_orders="on").context["adminform"].form.errors

        assert set(errors) == {"channel", "order_column"}
        assert not PlatformTool.objects.exists()

    def test_a_column_that_the_import_has_a_field_for_is_refused(
        self, client: Client, keeper: User, shop: Channel
    ) -> None:
        for column in ("订单状态", "买家会员名", "总金额"):
            answer = self.save(client, channel=shop.pk, from_orders="on", order_column=column)
            refused = answer.status_code == 200 and "order_column" in answer.context["adminform"].form.errors
            assert refused is (column != "总金额")

    def test_two_tools_cannot_read_the_same_column(
        self, client: Client, keeper: User, tool: PlatformTool, shop: Channel
    ) -> None:
        assert self.save(client, channel=shop.pk, from_orders="on", order_column=COLUMN).status_code == 200
        assert PlatformTool.objects.count() == 1

    def test_show_which_columns_the_latest_file_has(
        self, client: Client, keeper: User, tool: PlatformTool, shop: Channel
    ) -> None:
        upload(client, shop)

        shown = client.get(reverse("admin:crm_platformtool_change", args=[tool.pk])).text
        assert f"The latest file “march.csv” has, among others: {COLUMN}、{HEADER[5]}、{HEADER[6].strip()}" in shown
