"""The pages that import grades on other tools and members without discount."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks

from crm.admin import member_lists
from crm.memberlists import jobs
from crm.models import (
    Channel,
    Member,
    MemberList,
    MemberPlatformGrade,
    NoDiscount,
    PlatformGrade,
    PlatformTool,
    StaffAction,
)
from tests.factories import NoDiscountFactory, PlatformToolFactory
from tests.staff import Grant

pytestmark = pytest.mark.django_db

GRADES = "/admin/crm/platformtool/import/"
LIST = "/admin/crm/nodiscount/"
Commits = DjangoCaptureOnCommitCallbacks
ENGLISH = {"accept-language": "en"}


@pytest.fixture
def tool(shop: Channel) -> PlatformTool:
    return PlatformToolFactory(name="会员关系管理", channel=shop)


@pytest.fixture
def keeper(client: Client, grant: Grant) -> Client:
    """Who may import grades and change the list, signed in."""
    client.force_login(grant(
        "crm.view_platformtool", "crm.change_memberplatformgrade", "crm.view_nodiscount", "crm.add_nodiscount",
        "crm.change_nodiscount",
    ))  # fmt: skip
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


@pytest.fixture(autouse=True)
def folder(settings: object, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]


def upload(client: Client, path: str, text: str, **fields: Any) -> Any:
    file = SimpleUploadedFile("list.csv", text.encode())
    return client.post(path, {"upload": file, "reason": "From the tool", **fields})


def confirmed(client: Client, page: str, commits: Commits) -> str:
    """The page after the worker has done what was confirmed there."""
    with commits(execute=True):
        client.post(page, {"step": "confirm"})
    return client.get(page).text


def test_grades_are_uploaded_looked_at_confirmed_and_reported(
    keeper: Client, tool: PlatformTool, xiaolu: Member, tasks_at_once: None,
    django_capture_on_commit_callbacks: Commits,
) -> None:  # fmt: skip
    text = "平台昵称,等级,折扣\n小鹿爱喝茶,金牌,9折\nnobody,金牌,9折"
    page = upload(keeper, GRADES, text, kind="grades", tool=tool.pk, day="2026-03-10").url

    seen = keeper.get(page).text
    assert "What it would do" in seen
    assert "金牌 (90%)" in seen
    assert "Nobody is known as “nobody” in this channel." in seen
    assert not MemberPlatformGrade.objects.exists()

    assert "What was done" in confirmed(keeper, page, django_capture_on_commit_callbacks)
    assert MemberPlatformGrade.objects.get().member == xiaolu
    assert StaffAction.objects.get().action == "members.grades"
    assert "list.csv" in keeper.get(GRADES).text


def test_nothing_is_written_before_a_worker_has_it(keeper: Client, tool: PlatformTool, xiaolu: Member) -> None:
    page = upload(keeper, GRADES, "平台昵称,等级\n小鹿爱喝茶,金牌", kind="grades", tool=tool.pk, day="2026-03-10").url

    shown = keeper.post(page, {"step": "confirm"}, follow=True).text

    assert "Waiting for a worker." in shown and "part=progress" in shown
    assert not MemberPlatformGrade.objects.exists()
    assert "HX-Refresh" not in keeper.get(f"{page}&part=progress")


def test_a_double_click_imports_once_and_says_so(
    keeper: Client, tool: PlatformTool, xiaolu: Member, tasks_at_once: None,
    django_capture_on_commit_callbacks: Commits,
) -> None:  # fmt: skip
    text = "平台昵称,等级\n小鹿爱喝茶,金牌"
    page = upload(keeper, GRADES, text, kind="grades", tool=tool.pk, day="2026-03-10").url

    confirmed(keeper, page, django_capture_on_commit_callbacks)
    assert "This step is no longer possible" in confirmed(keeper, page, django_capture_on_commit_callbacks)

    assert StaffAction.objects.count() == 1
    assert keeper.get(f"{page}&part=progress")["HX-Refresh"] == "true"


def test_a_large_file_is_looked_at_by_a_worker(
    keeper: Client, tool: PlatformTool, tasks_at_once: None, monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Commits,
) -> None:  # fmt: skip
    monkeypatch.setattr(member_lists, "CHECK_AT_ONCE", 10)
    text = "平台昵称,等级\n小鹿爱喝茶,金牌"
    with django_capture_on_commit_callbacks() as waiting:
        page = upload(keeper, GRADES, text, kind="grades", tool=tool.pk, day="2026-03-10").url
    assert "The file is being looked at." in keeper.get(page).text

    for callback in waiting:
        callback()
    assert "What it would do" in keeper.get(page).text


def test_a_list_that_waits_can_be_discarded(keeper: Client, tool: PlatformTool, xiaolu: Member) -> None:
    text = "平台昵称,等级\n小鹿爱喝茶,金牌"
    page = upload(keeper, GRADES, text, kind="grades", tool=tool.pk, day="2026-03-10").url

    keeper.post(page, {"step": "discard"})
    keeper.post(page, {"step": "confirm"})

    assert not MemberPlatformGrade.objects.exists()
    assert 'value="confirm"' not in keeper.get(page).text


def test_a_list_that_broke_off_offers_to_resume(keeper: Client, tool: PlatformTool, xiaolu: Member) -> None:
    text = "平台昵称,等级\n小鹿爱喝茶,金牌"
    page = upload(keeper, GRADES, text, kind="grades", tool=tool.pk, day="2026-03-10").url
    MemberList.objects.update(state="failed", error={"said": jobs.BROKE_OFF})

    shown = keeper.get(page).text

    assert "press Resume to go on." in shown and 'value="resume"' in shown


@pytest.mark.parametrize("done", [False, True])
def test_all_rows_left_out_can_be_downloaded_before_and_after(
    done: bool, keeper: Client, tool: PlatformTool, tasks_at_once: None, django_capture_on_commit_callbacks: Commits
) -> None:
    text = "平台昵称,等级\n" + "\n".join(f"nobody{number},金牌" for number in range(70)) + "\n小鹿爱喝茶,"
    page = upload(keeper, GRADES, text, kind="grades", tool=tool.pk, day="2026-03-10").url
    if done:
        confirmed(keeper, page, django_capture_on_commit_callbacks)

    rows = b"".join(keeper.get(f"{page}&part=rows")).decode("utf-8-sig").splitlines()

    assert rows[0] == "Line,Whom it seems to mean,Column,Reason"
    assert rows[1].startswith('2,tea · nobody0,平台昵称,"Nobody is known as “nobody0” in this channel.')
    assert rows[71].startswith('72,小鹿爱喝茶,等级,"Column “等级” is empty.')
    assert len(rows) == 72


def test_a_file_that_is_none_says_why(keeper: Client, tool: PlatformTool) -> None:
    page = upload(keeper, GRADES, "姓名,电话号\na,b", kind="grades", tool=tool.pk, day="2026-03-10").url

    assert "These columns name no grades, or nobody: 姓名, 电话号." in keeper.get(page).text


def test_a_file_of_the_future_and_one_without_a_reason_are_refused(keeper: Client, tool: PlatformTool) -> None:
    response = upload(keeper, GRADES, "a,b", kind="grades", tool=tool.pk, day="2099-03-10", reason="")

    assert set(response.context["form"].errors) == {"day", "reason"}


def test_who_may_import_one_kind_does_not_see_the_other(
    keeper: Client, tool: PlatformTool, xiaolu: Member, grant: Grant
) -> None:
    text = "平台昵称,等级\n小鹿爱喝茶,金牌"
    page = upload(keeper, GRADES, text, kind="grades", tool=tool.pk, day="2026-03-10").url
    number = page.rpartition("=")[2]
    keeper.force_login(grant("crm.change_nodiscount"))

    assert keeper.post(page, {"step": "confirm"}).status_code == 403
    assert keeper.get(f"{LIST}import/?list={number}").status_code == 404
    assert keeper.get(f"{LIST}import/?list=x").status_code == 404
    assert "list.csv" not in keeper.get(f"{LIST}import/").text
    assert MemberList.objects.get().state == "ready"


@pytest.mark.parametrize("path", [GRADES, f"{LIST}import/"])
def test_who_may_not_sees_no_page(path: str, client: Client, grant: Grant) -> None:
    client.force_login(grant("crm.view_platformtool", "crm.view_nodiscount", "crm.view_member"))

    assert client.get(path).status_code == 403


def test_phones_are_masked_for_those_who_may_not_see_them(keeper: Client, tool: PlatformTool) -> None:
    text = "手机,等级\n13912345678,金牌"
    page = upload(keeper, GRADES, text, kind="grades", tool=tool.pk, day="2026-03-10").url

    assert "13912345678" not in keeper.get(page).content.decode()


def test_members_are_put_on_the_list_and_taken_off_by_files(
    keeper: Client, xiaolu: Member, tasks_at_once: None, django_capture_on_commit_callbacks: Commits
) -> None:
    for kind, until in (("no_discount", True), ("discount_again", False)):
        page = upload(keeper, f"{LIST}import/", "平台昵称\n小鹿爱喝茶", kind=kind).url
        confirmed(keeper, page, django_capture_on_commit_callbacks)
        assert (NoDiscount.objects.get().until is None) is until


def test_one_member_is_put_on_the_list_by_hand(keeper: Client, xiaolu: Member) -> None:
    keeper.post(f"{LIST}add/", {"member": xiaolu.pk, "reason": "A reseller"})

    row = NoDiscount.objects.get()
    assert (row.member, row.reason, row.until) == (xiaolu, "A reseller", None)
    assert (StaffAction.objects.get().action, StaffAction.objects.get().member) == ("no_discount.add", xiaolu)


def test_a_member_who_is_on_the_list_stays_as_he_is(keeper: Client, xiaolu: Member) -> None:
    NoDiscountFactory(member=xiaolu)

    assert keeper.post(f"{LIST}add/", {"member": xiaolu.pk, "reason": "Again"}).status_code == 302
    assert NoDiscount.objects.get().reason == "A reseller"


def test_members_are_taken_off_the_list_with_a_reason(keeper: Client, xiaolu: Member) -> None:
    row = NoDiscountFactory(member=xiaolu)
    data = {"action": "take_off", "_selected_action": row.pk, "select_across": "0"}
    assert "Kept in the staff log." in keeper.post(LIST, data).content.decode()
    assert NoDiscount.objects.get().until is None

    keeper.post(LIST, {**data, "apply": "1", "reason": "No more"})

    row.refresh_from_db()
    assert (row.until is not None, row.until_reason) == (True, "No more")
    assert "No more" in keeper.get(LIST).content.decode()


def test_a_tool_and_what_its_grades_take_off_are_kept_and_logged(client: Client, grant: Grant, shop: Channel) -> None:
    client.force_login(grant(
        "crm.view_platformtool", "crm.add_platformtool", "crm.change_platformtool", "crm.add_platformgrade",
        "crm.change_platformgrade", "crm.view_platformgrade",
    ))  # fmt: skip

    client.post("/admin/crm/platformtool/add/", {
        "name": "网店版客户管理", "channel": shop.pk, "grades-TOTAL_FORMS": 1, "grades-INITIAL_FORMS": 0,
        "grades-0-name": "金牌", "grades-0-discount_percent": "90",
    })  # fmt: skip

    assert PlatformGrade.objects.get().discount_percent == 90
    action = StaffAction.objects.get()
    assert (action.action, action.details["grades"]) == ("platform_tool.add", {"金牌": "90.00"})
    assert client.get(reverse("admin:crm_platformtool_changelist"), headers=ENGLISH).status_code == 200
