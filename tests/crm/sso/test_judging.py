"""What a token with a good signature has to say to be believed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.choices import SsoFault
from crm.sso.judging import LONGEST_LIFE, SKEW, Purpose, TokenRefused, audience, judge, storable
from tests.cast import NOON

OURS = audience("tea", Purpose.SIGN_IN)
NOW = int(NOON.timestamp())


def claims(**changes: Any) -> dict[str, Any]:
    return {"sub": "小鹿爱喝茶", "aud": OURS, "iat": NOW, "exp": NOW + 120, "jti": "0123456789abcdef"} | changes


def fault(**changes: Any) -> tuple[SsoFault, str]:
    with pytest.raises(TokenRefused) as refusal:
        judge(claims(**changes), audience=OURS, at=NOON)
    return refusal.value.fault, refusal.value.claim


def test_a_good_token_vouches_for_the_name_on_the_channel() -> None:
    said = judge(claims(), audience=OURS, at=NOON)

    assert (said.subject, said.nonce) == ("小鹿爱喝茶", "0123456789abcdef")
    assert said.stale_at == datetime.fromtimestamp(NOW + 120, tz=UTC) + SKEW


def test_the_audience_may_be_one_of_several() -> None:
    assert judge(claims(aud=["other", OURS]), audience=OURS, at=NOON).subject == "小鹿爱喝茶"


@pytest.mark.parametrize("aud", [None, "", "pointkeeper:tea:embed", "pointkeeper:coffee:sign-in", [], {"a": 1}, 7])
def test_a_token_for_another_shop_or_purpose_is_refused(aud: object) -> None:
    assert fault(aud=aud) == (SsoFault.WRONG_AUDIENCE, "aud")


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("sub", None), ("sub", ""), ("sub", 7), ("sub", "x" * 121), ("sub", " nick"), ("sub", "a\0b"),
        ("sub", "\ud800"),
        ("jti", None), ("jti", "short"), ("jti", "x" * 65), ("jti", 12345678),
        ("iat", None), ("iat", "1773115200"), ("iat", True), ("iat", 1.5), ("exp", None), ("exp", "soon"),
        ("nbf", "x"),
    ],
)  # fmt: skip
def test_a_claim_of_the_wrong_kind_is_named(claim: str, value: object) -> None:
    assert fault(**{claim: value}) == (SsoFault.BAD_CLAIM, claim)


@pytest.mark.parametrize("life", [0, -1, 301, 10**30])
def test_a_token_lives_for_five_minutes_at_most(life: int) -> None:
    assert fault(exp=NOW + life) == (SsoFault.WRONG_LIFE, "exp")


def test_clocks_may_differ_by_a_minute() -> None:
    late = NOW - 120 - 59
    judge(claims(iat=late, exp=late + 120), audience=OURS, at=NOON)
    judge(claims(iat=NOW + 60, exp=NOW + 180), audience=OURS, at=NOON)

    assert fault(iat=late - 1, exp=late + 119) == (SsoFault.EXPIRED, "exp")
    assert fault(iat=NOW + 61, exp=NOW + 181) == (SsoFault.NOT_YET, "iat")
    assert fault(nbf=NOW + 61) == (SsoFault.NOT_YET, "nbf")


@given(
    begun=st.integers(-(10**6), 10**6), life=st.integers(-1000, 1000), wait=st.integers(-1000, 1000)
)  # Seconds before or after noon.
def test_a_token_is_taken_within_its_life_and_the_skew_and_never_else(begun: int, life: int, wait: int) -> None:
    issued = NOW + begun
    at = NOON + timedelta(seconds=begun + wait)
    good = 0 < life <= LONGEST_LIFE.total_seconds() and -60 <= wait < life + 60
    try:
        said = judge(claims(iat=issued, exp=issued + life), audience=OURS, at=at)
    except TokenRefused:
        assert not good
    else:
        assert good
        assert said.stale_at > at


@pytest.mark.parametrize(("text", "can_be"), [("小鹿🦌", True), ("", True), ("a\0b", False), ("\udfff", False)])
def test_what_a_database_can_keep_is_told_from_what_it_cannot(text: str, can_be: bool) -> None:
    assert storable(text) is can_be


def test_without_a_good_signature_nothing_more_is_told() -> None:
    told = {fault: TokenRefused(fault).public() for fault in SsoFault}

    assert {fault for fault, public in told.items() if public is not fault} == {
        SsoFault.UNREADABLE, SsoFault.UNKNOWN_KEY, SsoFault.REVOKED_KEY, SsoFault.WRONG_ALGORITHM,
        SsoFault.BAD_SIGNATURE, SsoFault.LOST_SECRET,
    }  # fmt: skip
