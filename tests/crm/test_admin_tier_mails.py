"""Which mails about tiers a shop writes, as staff say it."""

from datetime import datetime

import pytest
import time_machine
from django.test import Client

from crm.models import StaffAction, TierMailPlan
from tests.staff import Grant

pytestmark = pytest.mark.django_db

LIST = "/admin/crm/tiermailplan/"
PAGE = f"{LIST}1/change/"


def test_the_list_leads_to_the_one_plan_with_what_a_shop_begins_with(client: Client, grant: Grant) -> None:
    client.force_login(grant("crm.view_tiermailplan", "crm.change_tiermailplan"))

    assert client.get(LIST).url == PAGE  # type: ignore[attr-defined]
    plan = TierMailPlan.objects.get()
    assert (plan.tells_upgrades, plan.tells_claims, plan.claim_days, plan.ending_days) == (True, True, 3, 7)
    assert client.get(PAGE).status_code == 200


def test_a_change_is_kept_and_logged(client: Client, grant: Grant, at: datetime) -> None:
    user = grant("crm.view_tiermailplan", "crm.change_tiermailplan")
    client.force_login(user)
    client.get(LIST)

    client.post(PAGE, {"tells_claims": "on", "claim_days": "5", "ending_days": "0"})

    plan = TierMailPlan.objects.get()
    assert (plan.tells_upgrades, plan.tells_claims, plan.claim_days, plan.ending_days) == (False, True, 5, 0)
    action = StaffAction.objects.get()
    assert (action.action, action.actor) == ("mail.tier_plan", user)
    assert action.details == {"tells_upgrades": False, "tells_claims": True, "claim_days": 5, "ending_days": 0}


def test_who_may_only_look_changes_nothing_and_others_see_nothing(client: Client, grant: Grant) -> None:
    client.force_login(grant("crm.view_tiermailplan"))
    client.get(LIST)
    assert client.post(PAGE, {"claim_days": "5", "ending_days": "0"}).status_code == 403

    client.force_login(grant("crm.view_member"))
    assert client.get(LIST).status_code == 403


def test_there_is_nothing_to_add_or_to_delete(client: Client, grant: Grant, at: datetime) -> None:
    client.force_login(grant("crm.view_tiermailplan", "crm.add_tiermailplan", "crm.delete_tiermailplan"))
    with time_machine.travel(at, tick=False):
        assert client.get(f"{LIST}add/").status_code == 403
        assert client.get(f"{LIST}1/delete/").status_code in {302, 403}
