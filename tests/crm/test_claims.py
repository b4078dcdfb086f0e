"""Whose login is whose."""

from datetime import datetime

import pytest
from allauth.account.models import EmailAddress

from crm.claims import Claim, ClaimState, buyer_of, claim_member, find_claim, login_for
from crm.models import Channel, Member, StaffAction, User
from tests.factories import IdentityFactory, MemberFactory, StaffFactory


def proven(address: str) -> User:
    """A login whose owner has typed the code that was sent to the address."""
    login = login_for(address)
    assert login is not None
    EmailAddress.objects.filter(user=login).update(verified=True)
    return login


def test_the_one_member_with_the_proven_address_gets_the_login(xiaolu: Member, at: datetime) -> None:
    login = proven("xiaolu@example.com")

    claim = claim_member(login.pk, at)

    assert claim == Claim(ClaimState.TIED, "xiaolu@example.com", xiaolu.pk)
    found = buyer_of(login.pk)
    assert found is not None
    assert (found.member_id, found.name) == (xiaolu.pk, "林小鹿")


def test_an_address_that_only_a_platform_told_us_counts_as_well(dayong: Member, at: datetime) -> None:
    assert claim_member(proven("dayong@example.com").pk, at).member_id == dayong.pk


def test_capitals_make_no_difference(xiaolu: Member, at: datetime) -> None:
    Member.objects.filter(pk=xiaolu.pk).update(email="XiaoLu@Example.COM")

    assert claim_member(proven("xiaolu@EXAMPLE.com").pk, at).member_id == xiaolu.pk


def test_two_identities_of_one_member_do_not_make_him_two(xiaolu: Member, shop: Channel, at: datetime) -> None:
    IdentityFactory(channel=shop, member=xiaolu, external_id="second", email="xiaolu@example.com")

    assert claim_member(proven("xiaolu@example.com").pk, at).member_id == xiaolu.pk


def test_an_address_that_members_share_ties_none_and_merges_none(xiaolu: Member, dayong: Member, at: datetime) -> None:
    Member.objects.filter(pk=dayong.pk).update(email="xiaolu@example.com")
    login = proven("xiaolu@example.com")

    claim = claim_member(login.pk, at)

    assert claim == Claim(ClaimState.SHARED, "xiaolu@example.com")
    assert buyer_of(login.pk) is None
    assert Member.objects.filter(user=None).count() == Member.objects.count() == 2


def test_an_address_shared_with_a_member_who_has_a_login_ties_nobody_either(
    xiaolu: Member, dayong: Member, at: datetime
) -> None:
    claim_member(proven("dayong@example.com").pk, at)
    Member.objects.filter(pk=dayong.pk).update(email="xiaolu@example.com")

    assert claim_member(proven("xiaolu@example.com").pk, at).state is ClaimState.SHARED


def test_a_member_keeps_his_first_login(xiaolu: Member, shop: Channel, at: datetime) -> None:
    first = proven("xiaolu@example.com")
    claim_member(first.pk, at)
    IdentityFactory(channel=shop, member=xiaolu, external_id="second", email="other@example.com")

    claim = claim_member(proven("other@example.com").pk, at)

    assert claim == Claim(ClaimState.TAKEN, "other@example.com")
    xiaolu.refresh_from_db()
    assert xiaolu.user == first


def test_an_address_that_was_never_proven_claims_nothing(xiaolu: Member, at: datetime) -> None:
    staff = StaffFactory(email="xiaolu@example.com")
    EmailAddress.objects.create(user=staff, email="xiaolu@example.com", verified=False)

    assert claim_member(staff.pk, at) == Claim(ClaimState.UNKNOWN)


def test_looking_does_not_tie(xiaolu: Member) -> None:
    login = proven("xiaolu@example.com")

    assert find_claim(login.pk) == Claim(ClaimState.FREE, "xiaolu@example.com", xiaolu.pk)
    assert buyer_of(login.pk) is None


def test_claiming_again_changes_nothing_and_is_logged_once(xiaolu: Member, at: datetime) -> None:
    login = proven("xiaolu@example.com")

    assert claim_member(login.pk, at) == claim_member(login.pk, at)

    [logged] = StaffAction.objects.all()
    assert (logged.action, logged.member, logged.actor, logged.at) == ("member.claim", xiaolu, login, at)


def test_a_login_stays_tied_when_the_seller_changes_the_address(xiaolu: Member, at: datetime) -> None:
    login = proven("xiaolu@example.com")
    claim_member(login.pk, at)
    Member.objects.filter(pk=xiaolu.pk).update(email="new@example.com")

    assert login_for("xiaolu@example.com") == login
    assert claim_member(login.pk, at).state is ClaimState.TIED


def test_an_address_has_one_login_however_often_it_is_asked_for(xiaolu: Member) -> None:
    assert login_for("xiaolu@example.com") == login_for(" XIAOLU@example.com")
    assert User.objects.count() == 1


def test_an_address_that_nobody_knows_gets_no_login(xiaolu: Member) -> None:
    assert login_for("stranger@example.com") is None
    assert not User.objects.exists()


def test_an_empty_address_leads_nowhere(dayong: Member) -> None:
    MemberFactory(email="")

    assert login_for("") is None


def test_a_code_never_opens_a_staff_login(xiaolu: Member) -> None:
    staff = StaffFactory(email="xiaolu@example.com", is_superuser=True)

    login = login_for("xiaolu@example.com")

    assert login is not None
    assert login != staff
    assert not login.is_staff


@pytest.mark.parametrize("field", ["is_active", "is_staff"])
def test_a_login_that_was_switched_off_or_promoted_gets_no_code(field: str, xiaolu: Member) -> None:
    login = login_for("xiaolu@example.com")
    assert login is not None
    setattr(login, field, field == "is_staff")
    login.save()

    assert login_for("xiaolu@example.com") is None
