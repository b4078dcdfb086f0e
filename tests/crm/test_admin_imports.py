"""Importing orders in the admin: upload, preview, confirmation, result."""

import csv
import io
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from openpyxl import Workbook
from pytest_django import DjangoCaptureOnCommitCallbacks

from crm.admin import imports as pages
from crm.models import Channel, ImportJob, ImportProfile, Order, User
from tests.crm.files import Trade, order_list
from tests.staff import Grant

State = ImportJob.State

LIN = Trade(1, "小鹿爱喝茶", "88.50")
MEI = Trade(2, "mei_chen", "60.00")
DAMAGED = Trade(3, "dayong_w", no="3.51531E+16")


@pytest.fixture(autouse=True)
def folder(settings: object, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]


@pytest.fixture
def importer(grant: Grant, client: Client) -> User:
    """Somebody who may import orders and see personal data, signed in."""
    user = grant("crm.add_importjob", "crm.view_personal_data")
    client.force_login(user)
    return user


def upload(client: Client, shop: Channel, *trades: Trade, name: str = "march.csv", follow: bool = True) -> Any:
    file = SimpleUploadedFile(name, order_list(trades).encode("gbk"))
    data = {"channel": shop.pk, "profile": "", "uploads": [file]}
    response: Any = client.post(reverse("admin:crm_importjob_add"), data, follow=follow)
    return response


def step(client: Client, job: ImportJob, name: str) -> Any:
    response: Any = client.post(reverse(f"admin:crm_importjob_{name}", args=[job.pk]), follow=True)
    return response


def page(client: Client, job: ImportJob) -> str:
    return client.get(reverse("admin:crm_importjob_change", args=[job.pk])).content.decode()


Commits = DjangoCaptureOnCommitCallbacks


def test_an_upload_shows_what_is_in_the_file_before_anything_is_written(
    importer: User, client: Client, shop: Channel
) -> None:
    shown = upload(client, shop, LIN, DAMAGED).content.decode()
    assert "march.csv" in shown
    assert "gb18030" in shown
    assert "小鹿爱喝茶" in shown
    assert "3.51531E+16" in shown
    assert "收货人姓名" in shown
    assert ImportJob.objects.get().state == State.READY
    assert not Order.objects.exists()


def test_confirmation_imports_and_the_result_is_shown(
    importer: User, client: Client, shop: Channel, tasks_at_once: None, django_capture_on_commit_callbacks: Commits
) -> None:
    upload(client, shop, LIN, MEI, DAMAGED)
    job = ImportJob.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        step(client, job, "confirm")
    job.refresh_from_db()
    assert job.state == State.DONE
    assert Order.objects.count() == 2
    context = client.get(reverse("admin:crm_importjob_change", args=[job.pk])).context
    assert [value for _label, value in context["figures"]] == [2, 0, 0, 2, 0, 148, 0, 0, 0, 1]
    assert context["refused"]["rows"][0].line_no == 4


def test_a_second_confirmation_says_that_it_came_too_late(
    importer: User, client: Client, shop: Channel, tasks_at_once: None, django_capture_on_commit_callbacks: Commits
) -> None:
    upload(client, shop, LIN)
    job = ImportJob.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        step(client, job, "confirm")
        late = step(client, job, "confirm")
    assert [message.level_tag for message in late.context["messages"]] == ["warning"]


def test_a_file_that_was_imported_before_is_announced(
    importer: User, client: Client, shop: Channel, tasks_at_once: None, django_capture_on_commit_callbacks: Commits
) -> None:
    upload(client, shop, LIN)
    first = ImportJob.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        step(client, first, "confirm")
    again = upload(client, shop, LIN, name="march (1).csv")
    assert again.context["files"][0].before.job_id == first.pk


def test_a_new_file_is_not_announced_as_known(importer: User, client: Client, shop: Channel) -> None:
    upload(client, shop, LIN)
    assert upload(client, shop, LIN).context["files"][0].before is None


def test_discarding_writes_nothing(importer: User, client: Client, shop: Channel) -> None:
    upload(client, shop, LIN)
    job = ImportJob.objects.get()
    step(client, job, "discard")
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    assert not Order.objects.exists()


def test_what_is_no_table_is_refused_with_a_reason_and_cannot_be_confirmed(
    importer: User, client: Client, shop: Channel
) -> None:
    picture = SimpleUploadedFile("orders.csv", b"\x89PNG\r\n\x1a\n" + bytes(64), content_type="text/csv")
    data = {"channel": shop.pk, "uploads": [picture]}
    response = client.post(reverse("admin:crm_importjob_add"), data, follow=True)
    assert response.context["files"][0].unreadable
    assert not response.context["can_confirm"]
    assert not response.context["can_resume"]


def test_several_files_are_one_import(importer: User, client: Client, shop: Channel) -> None:
    files = [
        SimpleUploadedFile("march.csv", order_list([LIN]).encode("gbk")),
        SimpleUploadedFile("april.csv", order_list([MEI]).encode("utf-8-sig")),
    ]
    client.post(reverse("admin:crm_importjob_add"), {"channel": shop.pk, "uploads": files})
    encodings = ImportJob.objects.get().files.values_list("name", "encoding")
    assert list(encodings) == [("march.csv", "gb18030"), ("april.csv", "utf-8-sig")]


def test_a_form_without_a_file_comes_back_with_a_complaint(importer: User, client: Client, shop: Channel) -> None:
    response = client.post(reverse("admin:crm_importjob_add"), {"channel": shop.pk})
    assert response.context["form"].errors["uploads"]


def test_a_file_that_is_too_large_is_refused(
    importer: User, client: Client, shop: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm.admin.import_forms.MAX_BYTES", 10)
    response = upload(client, shop, LIN)
    assert "march.csv" in str(response.context["form"].errors["uploads"])


def test_a_profile_reads_a_shops_own_columns(importer: User, client: Client, shop: Channel) -> None:
    columns = {"order_no": "Invoice", "buyer": "Customer", "placed_at": "Date", "paid": "Total"}
    profile = ImportProfile.objects.create(code="till", name="Till", settings={"columns": columns})
    file = SimpleUploadedFile("till.csv", b"Invoice,Customer,Date,Total\n7001,C-17,2026-03-01 10:00:00,45.00\n")
    data = {"channel": shop.pk, "profile": profile.pk, "uploads": [file]}
    response = client.post(reverse("admin:crm_importjob_add"), data, follow=True)
    assert response.context["files"][0].file.format == "csv"


def test_without_a_channel_the_page_says_to_make_one(importer: User, client: Client) -> None:
    assert client.get(reverse("admin:crm_importjob_add")).context["no_channel"]


@pytest.mark.usefixtures("importer", "tasks_at_once")
def test_a_large_upload_is_checked_by_a_worker(
    client: Client, shop: Channel, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Commits
) -> None:
    monkeypatch.setattr(pages, "CHECK_AT_ONCE", 10)
    with django_capture_on_commit_callbacks(execute=True):
        upload(client, shop, LIN, follow=False)
        job = ImportJob.objects.get()
        assert job.state == State.CHECKING
        assert client.get(reverse("admin:crm_importjob_change", args=[job.pk])).context["busy"]
    job.refresh_from_db()
    assert job.state == State.READY


def test_a_packed_upload_is_checked_by_a_worker_and_a_workbook_imports(
    importer: User,
    client: Client,
    shop: Channel,
    tasks_at_once: None,
    django_capture_on_commit_callbacks: Commits,
) -> None:
    book, content = Workbook(), io.BytesIO()
    for row in csv.reader(io.StringIO(order_list([LIN, MEI]))):
        book.active.append([cell.removeprefix('="').removesuffix('"') for cell in row])
    book.save(content)
    file = SimpleUploadedFile("march.xlsx", content.getvalue())
    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("admin:crm_importjob_add"), {"channel": shop.pk, "profile": "", "uploads": [file]})
        job = ImportJob.objects.get()
        assert job.state == State.CHECKING
    job.refresh_from_db()
    assert (job.state, job.files.get().encoding) == (State.READY, "xlsx")
    with django_capture_on_commit_callbacks(execute=True):
        step(client, job, "confirm")
    assert Order.objects.count() == 2


class TestPersonalData:
    """Staff who may import and not see personal data."""

    @pytest.fixture
    def job(self, grant: Grant, client: Client, shop: Channel, at: datetime) -> ImportJob:
        user = grant("crm.add_importjob")
        client.force_login(user)
        upload(client, shop, LIN, Trade(4, "a***b"))
        return ImportJob.objects.get()

    def test_the_first_rows_are_masked(self, job: ImportJob, client: Client) -> None:
        shown = page(client, job)
        assert "某省某市某路1号" not in shown
        assert "13800000001" not in shown
        assert LIN.external_no in shown
        assert "88.50" in shown

    def test_the_value_of_a_refused_name_is_masked(self, job: ImportJob, client: Client) -> None:
        assert "a***b" not in page(client, job)


class TestRefusedRows:
    @pytest.fixture
    def job(
        self, importer: User, client: Client, shop: Channel, tasks_at_once: None,
        django_capture_on_commit_callbacks: Commits,
    ) -> ImportJob:  # fmt: skip
        """An import that refused sixty rows, one of them a formula."""
        evil = Trade(999, "mei_chen", paid="=1+1")
        upload(client, shop, LIN, *[DAMAGED] * 59, evil)
        job = ImportJob.objects.get()
        with django_capture_on_commit_callbacks(execute=True):
            step(client, job, "confirm")
        return job

    def test_they_are_shown_in_pages(self, job: ImportJob, client: Client) -> None:
        url = reverse("admin:crm_importjob_change", args=[job.pk])
        assert len(client.get(url).context["refused"]["rows"]) == 50
        assert len(client.get(url, {"p": 2}).context["refused"]["rows"]) == 10

    def test_they_are_downloaded_as_csv_that_is_safe_to_open(self, job: ImportJob, client: Client) -> None:
        response: Any = client.get(reverse("admin:crm_importjob_refused", args=[job.pk]))
        content = b"".join(response.streaming_content).decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(content)))
        assert len(rows) == 61
        assert rows[1][:3] == ["march.csv", "3", "订单编号"]
        assert rows[-1][5] == "'=1+1"
        assert "attachment" in response["Content-Disposition"]


class TestProgress:
    @pytest.fixture
    def job(self, importer: User, client: Client, shop: Channel) -> ImportJob:
        """A job in the middle of its work, with a sign of life a moment ago."""
        upload(client, shop, LIN)
        job = ImportJob.objects.get()
        job.state, job.beat_at = State.RUNNING, timezone.now()
        job.save()
        job.files.update(rows=1000, counts={"rows": 250, "seconds": 0.5})
        return job

    def fragment(self, client: Client, job: ImportJob) -> Any:
        response: Any = client.get(reverse("admin:crm_importjob_progress", args=[job.pk]))
        return response

    def test_it_says_how_far_it_is_how_fast_and_how_long_it_will_take(self, job: ImportJob, client: Client) -> None:
        progress = self.fragment(client, job).context["progress"]
        assert (progress.percent, progress.rate, progress.remaining) == (25, 500, 2)

    def test_the_page_asks_again_every_second_and_without_scripts_offers_to(
        self, job: ImportJob, client: Client
    ) -> None:
        shown = page(client, job)
        assert 'hx-trigger="every 1s"' in shown
        assert "<noscript>" in shown.split('id="progress"')[1]

    def test_a_finished_job_loads_the_page(self, job: ImportJob, client: Client) -> None:
        ImportJob.objects.filter(pk=job.pk).update(state=State.DONE)
        assert self.fragment(client, job)["HX-Refresh"] == "true"

    def test_a_job_without_a_sign_of_life_offers_to_resume(
        self, job: ImportJob, client: Client, tasks_at_once: None, django_capture_on_commit_callbacks: Commits
    ) -> None:
        ImportJob.objects.filter(pk=job.pk).update(beat_at=timezone.now() - timedelta(seconds=61))
        shown = client.get(reverse("admin:crm_importjob_change", args=[job.pk])).context
        assert shown["stalled"]
        assert shown["can_resume"]
        with django_capture_on_commit_callbacks(execute=True):
            step(client, job, "resume")
        job.refresh_from_db()
        assert job.state == State.DONE

    def test_a_job_that_moves_does_not(self, job: ImportJob, client: Client) -> None:
        assert not client.get(reverse("admin:crm_importjob_change", args=[job.pk])).context["can_resume"]


class TestPermissions:
    @pytest.fixture
    def job(self, importer: User, client: Client, shop: Channel) -> ImportJob:
        upload(client, shop, LIN)
        return ImportJob.objects.get()

    @pytest.mark.parametrize("name", ["confirm", "discard", "resume", "again"])
    def test_seeing_imports_is_not_running_them(self, name: str, job: ImportJob, client: Client, grant: Grant) -> None:
        client.force_login(grant("crm.view_importjob"))
        assert page(client, job)
        assert client.post(reverse(f"admin:crm_importjob_{name}", args=[job.pk])).status_code == 403

    @pytest.mark.parametrize("name", ["change", "progress", "refused"])
    def test_other_staff_see_nothing(self, name: str, job: ImportJob, client: Client, grant: Grant) -> None:
        client.force_login(grant("crm.view_member"))
        assert client.get(reverse(f"admin:crm_importjob_{name}", args=[job.pk])).status_code == 403

    def test_other_staff_cannot_upload(self, client: Client, grant: Grant, shop: Channel) -> None:
        client.force_login(grant("crm.view_importjob"))
        assert upload(client, shop, LIN).status_code == 403

    @pytest.mark.parametrize("name", ["change", "progress", "refused", "confirm"])
    def test_strangers_are_sent_to_the_login(self, name: str, job: ImportJob, client: Client) -> None:
        client.logout()
        assert not get_user(client).is_authenticated
        response = client.get(reverse(f"admin:crm_importjob_{name}", args=[job.pk]))
        assert response.status_code == 302
        assert "/admin/login/" in response["Location"]

    @pytest.mark.parametrize("name", ["confirm", "discard", "resume", "again"])
    def test_a_step_is_never_taken_by_following_a_link(self, name: str, job: ImportJob, client: Client) -> None:
        assert client.get(reverse(f"admin:crm_importjob_{name}", args=[job.pk])).status_code == 405
