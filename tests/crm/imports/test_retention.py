"""Uploaded order files have their time; what their rows became has none."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse

from crm import tasks
from crm.imports import jobs, retention
from crm.imports.retention import Forgotten, forget_order_files
from crm.models import Channel, ImportFile, ImportJob, ImportProblem, Order, User
from loyalty.nightly import run_nightly
from tests.crm.files import COMPLETED, Trade, order_list
from tests.factories import StaffFactory
from tests.staff import Grant

pytestmark = pytest.mark.django_db

State = ImportJob.State
NINETY = timedelta(days=90)
DAMAGED = Trade(3, "mei_chen", no="3.51531E+16")


@pytest.fixture(autouse=True)
def uploads(settings: LazySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads land in the test's own folder, and no worker is at home."""
    settings.MEDIA_ROOT, settings.ORDER_FILE_DAYS = tmp_path, 90
    monkeypatch.setattr(tasks.run_import, "delay", lambda _job: None)


@pytest.fixture
def owner() -> User:
    user: User = StaffFactory()
    return user


@pytest.fixture
def ready(shop: Channel, owner: User, at: datetime) -> ImportJob:
    """An upload of two good rows and a bad one that has been checked."""
    content = order_list([Trade(1, "mei_chen", "1.50", COMPLETED), Trade(2, "bo_li", "2.50", COMPLETED), DAMAGED])
    upload = SimpleUploadedFile("march.csv", content.encode("gbk"))
    job = jobs.create(channel=shop, profile=None, uploads=[upload], actor_id=owner.pk, at=at)
    jobs.check(job.pk, at=at)
    job.refresh_from_db()
    return job


@pytest.fixture
def done(ready: ImportJob, owner: User, at: datetime) -> ImportJob:
    """The same, imported at noon."""
    jobs.confirm(ready.pk, actor_id=owner.pk, at=at)
    jobs.run(ready.pk, clock=lambda: at)
    ready.refresh_from_db()
    return ready


def path_of(job: ImportJob) -> Path:
    return Path(job.files.get().file.path)


def test_the_file_goes_after_ninety_days_and_what_was_imported_stays(done: ImportJob, at: datetime) -> None:
    path, before = path_of(done), done.files.get()
    assert before.inspection["samples"]

    assert forget_order_files(at + NINETY - timedelta(seconds=1), 0, 10) == Forgotten(0, None)
    assert path.exists()
    assert forget_order_files(at + NINETY, 0, 10) == Forgotten(1, done.pk)

    file = done.files.get()
    assert not path.exists()
    assert (file.file.name, file.removed_at, file.name) == ("", at + NINETY, "march.csv")
    assert (file.inspection["samples"], file.inspection["problems"]) == ([], [])
    assert (file.counts, file.sha256, file.inspection["header"]) == (
        before.counts, before.sha256, before.inspection["header"],
    )  # fmt: skip
    assert Order.objects.count() == 2
    assert ImportProblem.objects.filter(file=file).exists()
    assert forget_order_files(at + NINETY, 0, 10) == Forgotten(0, None)


def test_the_night_does_it(done: ImportJob, at: datetime) -> None:
    path = path_of(done)

    steps = {step.step: step for step in run_nightly(at + NINETY, at=at + NINETY)}

    assert steps["uploads"].lots == 1
    assert not path.exists()


@pytest.mark.parametrize("days", [0, -5])
def test_zero_days_keep_it_and_so_does_nonsense(
    done: ImportJob, at: datetime, settings: LazySettings, days: int
) -> None:
    settings.ORDER_FILE_DAYS = days

    assert forget_order_files(at + timedelta(days=4000), 0, 10) == Forgotten(0, None)
    assert path_of(done).exists()


@pytest.mark.parametrize("state", [State.CHECKING, State.QUEUED, State.RUNNING])
def test_what_is_on_its_way_keeps_its_files(done: ImportJob, at: datetime, state: str) -> None:
    ImportJob.objects.update(state=state)

    assert forget_order_files(at + NINETY, 0, 10) == Forgotten(0, None)


def test_what_nobody_has_confirmed_is_called_off(ready: ImportJob, owner: User, at: datetime) -> None:
    forget_order_files(at + NINETY, 0, 10)

    ready.refresh_from_db()
    assert (ready.state, ready.finished_at) == (State.CANCELLED, at + NINETY)
    with pytest.raises(jobs.WrongState):
        jobs.confirm(ready.pk, actor_id=owner.pk, at=at)


@pytest.mark.parametrize(("state", "step"), [(State.DONE, jobs.run_again), (State.FAILED, jobs.resume)])
def test_without_its_file_it_is_not_run_again(
    done: ImportJob, owner: User, at: datetime, state: str, step: Any
) -> None:
    ImportJob.objects.update(state=state)
    forget_order_files(at + NINETY, 0, 10)

    with pytest.raises(jobs.WrongState):
        step(done.pk, actor_id=owner.pk, at=at)


def test_one_that_was_discarded_has_no_file_left_and_is_written_down(
    ready: ImportJob, owner: User, at: datetime, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        jobs.discard(ready.pk, actor_id=owner.pk, at=at)

    assert forget_order_files(at + NINETY, 0, 10).files == 1
    assert forget_order_files(at + NINETY, 0, 10).files == 0


def test_a_disk_that_refuses_is_asked_again_the_next_night(
    done: ImportJob, at: datetime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuses(*_arguments: object, **_names: object) -> None:
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr("django.db.models.fields.files.FieldFile.delete", refuses)
        assert forget_order_files(at + NINETY, 0, 10) == Forgotten(0, done.pk)

    assert "cannot be deleted" in caplog.text
    assert forget_order_files(at + NINETY, 0, 10).files == 1


def test_it_goes_on_after_the_last_import_of_a_chunk(done: ImportJob, at: datetime) -> None:
    assert forget_order_files(at + NINETY, done.pk, 10) == Forgotten(0, None)


def test_its_page_says_so_and_offers_no_way_to_run_it_again(done: ImportJob, at: datetime, grant: Grant) -> None:
    client = Client(headers={"accept-language": "en"})
    client.force_login(grant("crm.add_importjob", "crm.view_importjob"), "django.contrib.auth.backends.ModelBackend")
    page = reverse("admin:crm_importjob_change", args=[done.pk])
    assert "Run again" in client.get(page).content.decode()

    forget_order_files(at + NINETY, 0, 10)

    text = client.get(page).content.decode()
    assert "The uploaded files were deleted on" in text
    assert "Run again" not in text
    assert "mei_chen" not in text


def test_the_lock_of_its_import_is_held_meanwhile(
    done: ImportJob, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever would run it again waits, and then finds that there is nothing to run."""
    asked: list[str] = []
    whole = retention._forget

    def look(file: ImportFile, at: datetime) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT mode FROM pg_locks WHERE relation = 'crm_importjob'::regclass AND pid = pg_backend_pid()"
            )
            asked.extend(mode for (mode,) in cursor.fetchall())
        return whole(file, at)

    monkeypatch.setattr(retention, "_forget", look)
    forget_order_files(at + NINETY, 0, 10)

    assert "RowShareLock" in asked
