"""Tags: the words themselves, members marked with them one by one, many at once, and in a spreadsheet."""

from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import gettext
from tablib import Dataset

from crm.models import Channel, Member, MemberTag, StaffAction, Tag, User
from crm.resources import MemberResource
from crm.tags import retag
from tests.factories import MemberFactory, MemberTagFactory, StaffFactory, TagFactory
from tests.staff import Grant

pytestmark = pytest.mark.django_db

MEMBERS = "admin:crm_member_changelist"


@pytest.fixture
def friend(db: None) -> Tag:
    return TagFactory(name="茶友", colour="success")


@pytest.fixture
def both(xiaolu: Member, dayong: Member) -> list[Member]:
    return [xiaolu, dayong]


@pytest.fixture
def wholesale(db: None) -> Tag:
    return TagFactory(name="批发")


@pytest.fixture
def keeper(client: Client, grant: Grant) -> User:
    """Who looks after the members, signed in."""
    user = grant("crm.view_member", "crm.change_member")
    client.force_login(user)
    return user


def tags_of(member: Member) -> set[str]:
    return set(MemberTag.objects.filter(member=member).values_list("tag__name", flat=True))


class TestWords:
    def test_a_tag_is_made_and_the_staff_log_says_so(self, client: Client, grant: Grant) -> None:
        client.force_login(grant("crm.view_tag", "crm.add_tag"))
        client.post(reverse("admin:crm_tag_add"), {"name": "茶友", "colour": "success"})
        assert Tag.objects.get().name == "茶友"
        assert StaffAction.objects.get().action == "tag.add"

    @pytest.mark.parametrize("name", ["茶友,批发", "茶友、批发", "茶友；批发"])
    def test_a_name_has_nothing_in_it_that_separates_tags(self, name: str, client: Client, grant: Grant) -> None:
        client.force_login(grant("crm.view_tag", "crm.add_tag"))
        page: Any = client.post(reverse("admin:crm_tag_add"), {"name": name, "colour": "success"})
        assert "name" in page.context["adminform"].form.errors

    def test_its_name_never_changes_its_colour_does(self, client: Client, grant: Grant, friend: Tag) -> None:
        client.force_login(grant("crm.view_tag", "crm.change_tag"))
        client.post(reverse("admin:crm_tag_change", args=[friend.pk]), {"name": "Other", "colour": "danger"})
        friend.refresh_from_db()
        assert (friend.name, friend.colour) == ("茶友", "danger")

    def test_a_tag_that_a_member_has_is_not_deleted(
        self, client: Client, grant: Grant, friend: Tag, wholesale: Tag, xiaolu: Member
    ) -> None:
        MemberTagFactory(member=xiaolu, tag=friend)
        client.force_login(grant("crm.view_tag", "crm.delete_tag"))
        statuses = [
            client.post(reverse("admin:crm_tag_delete", args=[tag.pk]), {"post": "yes"}).status_code
            for tag in (friend, wholesale)
        ]
        assert statuses == [403, 302]
        assert list(Tag.objects.all()) == [friend]
        assert StaffAction.objects.get().details == {"tag": "批发"}

    def test_the_list_counts_members_in_the_same_number_of_queries(
        self, client: Client, grant: Grant, friend: Tag
    ) -> None:
        for member in MemberFactory.create_batch(3):
            MemberTagFactory(member=member, tag=friend)
        client.force_login(grant("crm.view_tag"))
        url = reverse("admin:crm_tag_changelist")
        page = client.get(url)
        assert [tag.number for tag in page.context["cl"].result_list] == [3]
        assert "None" not in page.content.decode()
        with CaptureQueriesContext(connection) as few:
            client.get(url)
        TagFactory.create_batch(20)
        with CaptureQueriesContext(connection) as many:
            client.get(url)
        assert len(few) == len(many)


class TestRetagging:
    def test_what_a_member_has_already_stays_as_it_was(self, xiaolu: Member, friend: Tag, at: datetime) -> None:
        first, second = StaffFactory(), StaffFactory()
        for actor in (first, second):
            retag([xiaolu.pk], add=[friend], actor_id=actor.pk, at=at, reason="Buys often")
        assert MemberTag.objects.get().added_by == first
        assert [action.details["changed"] for action in StaffAction.objects.order_by("pk")] == [1, 0]

    def test_two_statements_serve_any_number_of_members(self, friend: Tag, wholesale: Tag, at: datetime) -> None:
        members = MemberFactory.create_batch(30)
        boss = StaffFactory()
        with CaptureQueriesContext(connection) as queries:
            changed = retag(
                [m.pk for m in members], add=[friend], remove=[wholesale], actor_id=boss.pk, at=at, reason="New year"
            )
        assert changed == 30
        assert len([query for query in queries if "crm_membertag" in query["sql"]]) == 2


class TestManyMembers:
    def act(self, client: Client, action: str, *members: Member, **data: Any) -> Any:
        chosen = {"action": action, "_selected_action": [member.pk for member in members]}
        response: Any = client.post(reverse(MEMBERS), {**chosen, **data}, follow=True)
        return response

    def test_tags_are_added_to_all_selected_with_a_reason(
        self, keeper: User, client: Client, both: list[Member], friend: Tag
    ) -> None:
        asked = self.act(client, "add_tags", *both)
        assert asked.context["number"] == 2
        assert not MemberTag.objects.exists()
        self.act(client, "add_tags", *both, apply="1", tags=[friend.pk], reason="Met at the fair")
        assert [tags_of(member) for member in both] == [{"茶友"}, {"茶友"}]
        action = StaffAction.objects.get()
        assert (action.action, action.actor, action.reason, action.member) == (
            "members.tag", keeper, "Met at the fair", None,
        )  # fmt: skip
        assert action.details == {"members": 2, "changed": 2, "added": ["茶友"], "removed": []}

    def test_tags_are_taken_away_again(
        self, keeper: User, client: Client, xiaolu: Member, friend: Tag, wholesale: Tag
    ) -> None:
        for tag in (friend, wholesale):
            MemberTagFactory(member=xiaolu, tag=tag)
        self.act(client, "remove_tags", xiaolu, apply="1", tags=[friend.pk], reason="Moved away")
        assert tags_of(xiaolu) == {"批发"}
        assert StaffAction.objects.get().member == xiaolu

    def test_without_a_tag_or_a_reason_nothing_happens(
        self, keeper: User, client: Client, xiaolu: Member, friend: Tag
    ) -> None:
        for data in ({"reason": "Why not"}, {"tags": [friend.pk]}):
            page = self.act(client, "add_tags", xiaolu, apply="1", **data)
            assert page.context["form"].errors
        assert not MemberTag.objects.exists() and not StaffAction.objects.exists()

    def test_looking_is_not_tagging(self, client: Client, grant: Grant, xiaolu: Member, friend: Tag) -> None:
        client.force_login(grant("crm.view_member"))
        self.act(client, "add_tags", xiaolu, apply="1", tags=[friend.pk], reason="Why not")
        assert tags_of(xiaolu) == set()

    def test_the_list_filters_by_tag(
        self, keeper: User, client: Client, xiaolu: Member, dayong: Member, friend: Tag
    ) -> None:
        for tag in (friend, TagFactory(name="老客")):
            MemberTagFactory(member=xiaolu, tag=tag)
        assert "老客、茶友" in client.get(reverse(MEMBERS)).content.decode()
        assert list(client.get(reverse(MEMBERS), {"tag": friend.pk}).context["cl"].result_list) == [xiaolu]
        assert list(client.get(reverse(MEMBERS), {"tag": "x"}).context["cl"].result_list) == []


class TestOneMember:
    def test_the_page_shows_who_gave_a_tag_and_when(
        self, keeper: User, client: Client, xiaolu: Member, friend: Tag, at: datetime
    ) -> None:
        MemberTagFactory(member=xiaolu, tag=friend, added_at=at, added_by=keeper)
        page = client.get(reverse("admin:crm_member_change", args=[xiaolu.pk])).content.decode()
        assert "茶友" in page
        assert keeper.username in page

    def test_tags_are_ticked_and_unticked(
        self, keeper: User, client: Client, xiaolu: Member, friend: Tag, wholesale: Tag
    ) -> None:
        MemberTagFactory(member=xiaolu, tag=friend)
        page = reverse("admin:crm_member_tags", args=[xiaolu.pk])
        shown = client.get(page).context["form"].initial
        assert shown == {"tags": [friend.pk], "shown": str(friend.pk)}
        client.post(page, {"tags": [wholesale.pk], "shown": shown["shown"], "reason": "Buys for his shop"})
        assert tags_of(xiaolu) == {"批发"}
        action = StaffAction.objects.get()
        assert (action.member, action.reason) == (xiaolu, "Buys for his shop")

    def test_two_people_at_once_do_not_undo_each_other(
        self, keeper: User, client: Client, xiaolu: Member, friend: Tag, wholesale: Tag
    ) -> None:
        page = reverse("admin:crm_member_tags", args=[xiaolu.pk])
        MemberTagFactory(member=xiaolu, tag=friend)  # By somebody else, after this page was opened without any tag.
        client.post(page, {"tags": [wholesale.pk], "shown": "", "reason": "Buys for his shop"})
        assert tags_of(xiaolu) == {"茶友", "批发"}

    def test_a_form_that_was_tampered_with_is_refused(self, keeper: User, client: Client, xiaolu: Member) -> None:
        page: Any = client.post(
            reverse("admin:crm_member_tags", args=[xiaolu.pk]), {"shown": "all of them", "reason": "x"}
        )
        assert "shown" in page.context["form"].errors

    def test_it_needs_the_permission_and_a_member(self, client: Client, grant: Grant, xiaolu: Member) -> None:
        client.force_login(grant("crm.view_member"))
        assert client.get(reverse("admin:crm_member_tags", args=[xiaolu.pk])).status_code == 403
        client.force_login(grant("crm.change_member"))
        assert client.get(reverse("admin:crm_member_tags", args=[xiaolu.pk + 1])).status_code == 404


class TestFiles:
    """The column of tags in a member file."""

    def imported(self, at: datetime, *rows: dict[str, Any], actor: User | None = None) -> Any:
        dataset = Dataset(headers=list(rows[0]))
        for row in rows:
            dataset.append(list(row.values()))
        resource = MemberResource(full=True, at=at, actor_id=actor.pk if actor else None)
        return resource.import_data(dataset, dry_run=False, raise_errors=False, use_transactions=True)

    def test_the_cell_has_all_tags_of_the_member(
        self, xiaolu: Member, friend: Tag, wholesale: Tag, at: datetime
    ) -> None:
        boss = StaffFactory()
        MemberTagFactory(member=xiaolu, tag=friend)
        self.imported(at, {"id": xiaolu.pk, "tags": "批发, "}, actor=boss)
        assert tags_of(xiaolu) == {"批发"}
        assert MemberTag.objects.get().added_by == boss

    def test_an_empty_cell_takes_all_away_and_a_missing_column_none(
        self, xiaolu: Member, friend: Tag, at: datetime
    ) -> None:
        MemberTagFactory(member=xiaolu, tag=friend)
        self.imported(at, {"id": xiaolu.pk, "name": "Lin"})
        assert tags_of(xiaolu) == {"茶友"}
        self.imported(at, {"id": xiaolu.pk, "tags": ""})
        assert tags_of(xiaolu) == set()

    def test_a_new_member_comes_with_tags(self, shop: Channel, friend: Tag, wholesale: Tag, at: datetime) -> None:
        self.imported(at, {"identities": "tea:mei", "tags": "茶友、批发"})
        assert tags_of(Member.objects.get()) == {"茶友", "批发"}

    def test_an_unknown_tag_refuses_the_row(self, xiaolu: Member, friend: Tag, at: datetime) -> None:
        refused = self.imported(at, {"id": xiaolu.pk, "tags": "茶友、茶有"}).invalid_rows
        assert [row.number for row in refused] == [2]
        assert "tags" in refused[0].field_specific_errors
        assert tags_of(xiaolu) == set()

    def test_what_goes_out_comes_back_as_no_change(
        self, xiaolu: Member, friend: Tag, wholesale: Tag, at: datetime
    ) -> None:
        for tag in (friend, wholesale):
            MemberTagFactory(member=xiaolu, tag=tag)
        exported = MemberResource(full=True).export(Member.objects.all())
        assert exported[gettext("Tags")] == ["批发、茶友"]
        assert self.imported(at, *exported.dict).totals["skip"] == 1
