"""What the system checks say of a deployment."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from config.checks import check_deployment
from config.embedded import locations

SOUND: dict[str, Any] = {
    "ALLOWED_HOSTS": ["points.example"],
    "BROKER_URL": "redis://queue.example/0",
    "DATABASE_URL": "postgres://db.example/points",
    "DEBUG": False,
    "DEFAULT_FROM_EMAIL": "My Shop <points@shop.example>",
    "DEMO": False,
    "EMAIL_TIMEOUT": 30,
    "EMAIL_URL": "smtp://mail.example",
    "GRANT_MEMBER_LIMIT": 10_000,
    "GRANT_TOTAL_LIMIT": 100_000,
    "HTTPS": True,
    "SECRET_KEY": "chosen by the operator",
    "SHOP_URL": "https://points.example",
    "SMS_BODY": '{"to": "{phone}", "params": {"code": "{code}"}}',
    "SMS_HEADERS": '{"Authorization": "Bearer abc"}',
    "SMS_URL": "https://sms.example/send",
    "SPEND_CODE_POINTS": 2_000,
}


@pytest.fixture
def warnings(settings: Settings) -> Callable[..., list[str]]:
    """Return the ids of the warnings a sound deployment gets once some of its settings are changed."""

    def ids(**changes: Any) -> list[str]:
        for name, value in (SOUND | changes).items():
            setattr(settings, name, value)
        found = check_deployment(None)
        assert all(message.hint for message in found), "Every warning says how to mend it."
        return [str(message.id) for message in found]

    return ids


def test_a_sound_deployment_gets_no_warning(warnings: Callable[..., list[str]]) -> None:
    assert warnings() == []


def test_ones_own_machine_may_have_everything_by_default(warnings: Callable[..., list[str]]) -> None:
    assert (
        warnings(DATABASE_URL="", BROKER_URL="", EMAIL_URL="", DEMO=True, HTTPS=False, ALLOWED_HOSTS=["localhost"])
        == []
    )


def test_debug_pages_are_not_for_the_public(warnings: Callable[..., list[str]]) -> None:
    assert warnings(DEBUG=True) == ["config.W001"]


def test_the_demo_is_not_for_the_public(warnings: Callable[..., list[str]]) -> None:
    assert warnings(DEMO=True) == ["config.W002"]


def test_a_generated_key_belongs_to_one_machine(warnings: Callable[..., list[str]], settings: Settings) -> None:
    assert warnings(SECRET_KEY=locations.secret_key(settings.VAR_DIR)) == ["config.W003"]


@pytest.mark.parametrize("hosts", [[], ["localhost", "127.0.0.1"]])
def test_a_shop_that_only_knows_this_machine_is_reported(warnings: Callable[..., list[str]], hosts: list[str]) -> None:
    assert warnings(ALLOWED_HOSTS=hosts) == ["config.W004"]


def test_a_broker_on_one_machine_is_reported(warnings: Callable[..., list[str]]) -> None:
    assert warnings(BROKER_URL="") == ["config.W005"]


def test_mails_that_nobody_gets_are_reported(warnings: Callable[..., list[str]]) -> None:
    assert warnings(EMAIL_URL="") == ["config.W006"]


@pytest.mark.parametrize("address", ["", "points.example", "ftp://points.example", "https://"])
def test_a_shop_without_an_address_is_reported(warnings: Callable[..., list[str]], address: str) -> None:
    assert warnings(SHOP_URL=address) == ["config.W010"]


def test_links_to_this_machine_are_no_use_to_a_buyer(warnings: Callable[..., list[str]]) -> None:
    assert warnings(SHOP_URL="http://localhost:8000") == ["config.W011"]


@pytest.mark.parametrize("sender", ["Pointkeeper <points@localhost>", "My Shop"])
def test_a_sender_that_no_mail_server_takes_is_reported(warnings: Callable[..., list[str]], sender: str) -> None:
    assert warnings(DEFAULT_FROM_EMAIL=sender) == ["config.W012"]


@pytest.mark.parametrize("seconds", [None, 0, 600])
def test_a_mail_server_that_may_take_too_long_is_reported(
    warnings: Callable[..., list[str]], seconds: int | None
) -> None:
    assert warnings(EMAIL_TIMEOUT=seconds) == ["config.W013"]


@pytest.mark.parametrize(("days", "expected"), [(-1, ["config.W022"]), (3651, ["config.W022"]), (0, []), (1, [])])
def test_order_files_that_are_never_deleted_by_mistake_are_reported(
    warnings: Callable[..., list[str]], days: int, expected: list[str]
) -> None:
    assert warnings(ORDER_FILE_DAYS=days) == expected


@pytest.mark.parametrize("percent", [Decimal(0), Decimal(-1), Decimal(101)])
def test_a_threshold_that_warns_of_all_rules_or_of_none_is_reported(
    warnings: Callable[..., list[str]], percent: Decimal
) -> None:
    assert warnings(EARNING_WARNING_PERCENT=percent) == ["config.W007"]


def test_a_limit_below_zero_asks_two_people_for_nothing(warnings: Callable[..., list[str]]) -> None:
    assert warnings(GRANT_MEMBER_LIMIT=-1) == ["config.W008"]
    assert warnings(GRANT_MEMBER_LIMIT=-2, GRANT_TOTAL_LIMIT=-1) == ["config.W008"]
    assert warnings(GRANT_MEMBER_LIMIT=0, GRANT_TOTAL_LIMIT=0) == []


def test_a_limit_for_a_member_above_that_of_a_grant_is_never_reached(warnings: Callable[..., list[str]]) -> None:
    assert warnings(GRANT_MEMBER_LIMIT=100_001) == ["config.W009"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"SMS_URL": "sms.example"}, ["config.W015"]),
        ({"SMS_URL": "http://sms.example/send"}, ["config.W016"]),
        ({"SMS_BODY": "{"}, ["config.W017"]),
        ({"SMS_BODY": '{"text": "{text}"}'}, ["config.W017"]),
        ({"SMS_HEADERS": "Authorization: abc"}, ["config.W018"]),
        ({"SMS_FORMAT": "xml"}, ["config.W018"]),
        ({"SMS_TIMEOUT": 0}, ["config.W018"]),
        ({"SMS_HOURLY_LIMIT": 0}, ["config.W018"]),
        ({"SPEND_CODE_POINTS": -1}, ["config.W019"]),
        ({"WEIXIN_KEY": "wx01"}, ["config.W020"]),
        ({"WEIBO_SECRET": "s"}, ["config.W020"]),
        ({"WEIXIN_MP_SECRET": "s"}, ["config.W020"]),
        ({"WEIXIN_MP_KEY": "wx02", "WEIXIN_MP_SECRET": "s"}, []),
        ({"WEIXIN_KEY": "1", "WEIXIN_SECRET": "s", "WEIXIN_MP_KEY": "1", "WEIXIN_MP_SECRET": "s"}, ["config.W021"]),
        ({"WEIBO_KEY": "1", "WEIBO_SECRET": "s"}, []),
        ({"SMS_URL": "", "SMS_BODY": "{"}, []),
        ({"SMS_URL": "console:", "SMS_BODY": "{"}, []),
    ],
)
def test_codes_by_phone_are_set_up_whole(
    changes: dict[str, Any], expected: list[str], warnings: Callable[..., list[str]]
) -> None:
    assert warnings(**changes) == expected
