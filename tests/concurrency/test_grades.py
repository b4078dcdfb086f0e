"""A list and the orders of one tool's channel, at the same time: both bring a grade that the tool does not have."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections, transaction

from crm import order_grades
from crm.choices import ListKind
from crm.memberlists import importing, jobs
from crm.models import Channel, MemberList, MemberPlatformGrade, PlatformGrade, PlatformTool
from crm.orders import record
from tests.cast import NOON
from tests.concurrency.test_imports import wait_for_a_waiter
from tests.crm.reports import DAYONG, row
from tests.factories import IdentityFactory, PlatformToolFactory

pytestmark = pytest.mark.django_db(transaction=True)

COLUMN = "会员等级"


@pytest.fixture
def tool(shop: Channel, settings: object, tmp_path: Path) -> PlatformTool:
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]
    IdentityFactory(channel=shop, external_id="buyer")
    return PlatformToolFactory(channel=shop, from_orders=True, order_column=COLUMN)


@pytest.fixture
def listed(tool: PlatformTool) -> MemberList:
    """A list that a worker may write: the buyer is 金牌, since yesterday."""
    upload = SimpleUploadedFile("list.csv", "平台昵称,等级\nbuyer,金牌".encode())
    found = jobs.create(
        kind=ListKind.GRADES, tool_id=tool.pk, seen_at=NOON - timedelta(days=1), reason="From the tool", upload=upload,
        actor_id=None, at=NOON,
    )  # fmt: skip
    jobs.check(found.pk, clock=lambda: NOON)
    jobs.confirm(found.pk, actor_id=None, at=NOON)
    return found


def alone(act: Callable[[], object]) -> None:
    try:
        act()
    finally:
        connections.close_all()


def race(shop: Channel, listed: MemberList) -> None:
    """Have the list written while an import of orders has added the grade and is not committed yet."""
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            record(shop, [row(buyer=DAYONG, raw={COLUMN: "金牌"})], at=NOON)
            written = pool.submit(alone, lambda: jobs.run(listed.pk, clock=lambda: NOON))
            wait_for_a_waiter(written)
        written.result(timeout=60)


def test_take_turns_and_nothing_is_lost(shop: Channel, tool: PlatformTool, listed: MemberList) -> None:
    race(shop, listed)

    listed.refresh_from_db()
    assert (listed.state, listed.error) == ("done", {})
    assert PlatformGrade.objects.get().name == "金牌"
    assert Counter(MemberPlatformGrade.objects.values_list("grade__name", flat=True)) == {"金牌": 2}


def test_control_without_the_tools_lock_the_list_breaks_off(
    shop: Channel, tool: PlatformTool, listed: MemberList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_grades, "_LOCK", "SELECT 1 WHERE %(tools)s IS NULL")
    monkeypatch.setattr(importing, "_LOCK_TOOL", "SELECT 1")

    race(shop, listed)

    listed.refresh_from_db()
    assert (listed.state, listed.error) == ("failed", {"said": jobs.BROKE_OFF})
    assert MemberPlatformGrade.objects.count() == 1
