"""The statement of an account for staff: filters, pages, stories, downloads, and what a page costs."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import load_workbook
from pytest_django import DjangoAssertNumQueries

from crm.models import Channel, Member, StaffAction, User
from loyalty import api as loyalty
from loyalty.choices import EntryKind
from loyalty.models import Entry
from loyalty.posting import accrual
from loyalty.statement import Filters, Moves, StatementPage, statement_page, whole_statement
from tests.factories import OrderFactory
from tests.loyalty.postings import earned, waiting, write
from tests.staff import Grant

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MANY = 20_000


@pytest.fixture
def clerk(grant: Grant, client: Client) -> User:
    """Somebody who may see accounts and nothing else, signed in and reading English."""
    user = grant("loyalty.view_account")
    client.force_login(user)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return user


@pytest.fixture
def story(shop: Channel, xiaolu: Member, at: datetime) -> None:
    """林小鹿's account: an order, pending points, a gift, a hold and a coupon, a day apart."""
    order = OrderFactory(channel=shop, member=xiaolu, external_no="35153131")
    write(
        accrual(
            xiaolu.pk, 90, key="order", effective_at=at - 30 * DAY, available_at=at, order_id=order.pk,
            reference="tea", expires_at=at + 300 * DAY,
        ),
        at=at,
    )  # fmt: skip
    write(waiting(xiaolu, 40, key="waits", at=at + DAY), at=at + DAY)
    loyalty.adjust(xiaolu.pk, 10, key="gift", at=at + 2 * DAY, reason="=A broken cup", actor_id=None)
    loyalty.hold(xiaolu.pk, 5, key="hold", at=at + 3 * DAY, deadline=None)
    loyalty.burn(xiaolu.pk, 20, key="coupon", at=at + 4 * DAY, reference="C1", trace={"yuan": "2"})


def url(member: Member, name: str = "statement") -> str:
    return reverse(f"admin:loyalty_account_{name}", args=[member.pk])


def get(client: Client, member: Member, **query: Any) -> Any:
    response: Any = client.get(url(member), query)
    return response


def points(response: Any) -> list[int]:
    return [row["line"].points for row in response.context["rows"]]


@pytest.mark.usefixtures("clerk", "story")
class TestPage:
    def test_lines_come_newest_first_with_the_balance_after_each(self, client: Client, xiaolu: Member) -> None:
        response = get(client, xiaolu)

        assert points(response) == [-20, -5, 10, 0, 90]
        assert [row["line"].balance_after for row in response.context["rows"]] == [75, 95, 100, 90, 90]
        assert 'class="pk-number">95<' in response.content.decode()

    def test_each_line_tells_its_story_when_it_is_unfolded(self, client: Client, xiaolu: Member) -> None:
        shown = get(client, xiaolu).content.decode()

        assert "Reason: =A broken cup" in shown
        assert "Valid through" in shown
        assert "Recorded on" in shown  # The order's points, recorded a month after.
        assert reverse("admin:loyalty_entry_change", args=[Entry.objects.get(key="gift").pk]) in shown

    @pytest.mark.parametrize(
        ("query", "seen"),
        [
            ({"kind": "adjustment"}, [10]),
            ({"kind": "burn"}, [-20]),
            ({"moves": "pending"}, [0]),
            ({"moves": "held"}, [-5]),
            ({"text": "broken CUP"}, [10]),
            ({"text": "c1"}, [-20]),
            ({"text": "35153131"}, [90]),
            ({"text": "100%"}, []),
            ({"since": "2026-03-12"}, [-20, -5, 10]),
            ({"until": "2026-03-11"}, [0, 90]),
            ({"until": "2026-02-28"}, [90]),
            ({"since": "2026-03-11", "until": "2026-03-12"}, [10, 0]),
            ({"since": "2026-03-11", "until": "9999-12-31"}, [-20, -5, 10, 0]),
            ({"kind": "accrual", "moves": "pending"}, [0]),
        ],
    )
    def test_filters_leave_the_lines_that_match(
        self, query: dict[str, str], seen: list[int], client: Client, xiaolu: Member
    ) -> None:
        assert points(get(client, xiaolu, **query)) == seen

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"kind": "theft"}, "kind"),
            ({"since": "yesterday"}, "since"),
            ({"since": "2026-02-30"}, "since"),
            ({"since": "2026-03-12", "until": "2026-03-11"}, "until"),
            ({"text": "x" * 121}, "text"),
        ],
    )
    def test_a_filter_that_means_nothing_is_marked_and_shows_no_lines(
        self, query: dict[str, str], field: str, client: Client, xiaolu: Member
    ) -> None:
        response = get(client, xiaolu, **query)

        assert field in response.context["form"].errors
        assert response.context["rows"] == []

    @pytest.mark.parametrize("value", ["x", "-1", "٣", "9" * 40, "1.5"])
    def test_a_page_that_means_nothing_is_the_newest(self, value: str, client: Client, xiaolu: Member) -> None:
        assert points(get(client, xiaolu, before=value)) == [-20, -5, 10, 0, 90]

    def test_a_nul_in_the_address_is_refused_and_no_error_page(self, client: Client, xiaolu: Member) -> None:
        assert get(client, xiaolu, text="\0").status_code == 400

    def test_somebody_else_s_lines_are_not_shown(self, client: Client, dayong: Member) -> None:
        response = get(client, dayong)

        assert response.status_code == 200
        assert points(response) == []

    def test_a_member_that_does_not_exist_has_no_statement(self, client: Client) -> None:
        assert client.get(reverse("admin:loyalty_account_statement", args=[10**12])).status_code == 404
        assert client.get(reverse("admin:loyalty_account_statement", args=[10**40])).status_code == 404


def test_without_the_permission_there_is_no_statement(client: Client, grant: Grant, xiaolu: Member) -> None:
    client.force_login(grant("crm.view_member", "loyalty.adjust_points", "loyalty.export_statement"))

    assert client.get(url(xiaolu)).status_code == 403
    assert client.get(url(xiaolu, "statement_export")).status_code == 403


def test_the_pages_of_the_member_and_of_the_account_lead_to_it(
    client: Client, grant: Grant, xiaolu: Member, at: datetime
) -> None:
    write(earned(xiaolu, 5, key="in", at=at), at=at)
    client.force_login(grant("crm.view_member", "loyalty.view_account"))

    for page in ("crm_member_change", "loyalty_account_change"):
        assert url(xiaolu) in client.get(reverse(f"admin:{page}", args=[xiaolu.pk])).content.decode()


class TestPaging:
    """Seven lines, three a page."""

    @pytest.fixture(autouse=True)
    def lines(self, xiaolu: Member, dayong: Member, at: datetime) -> None:
        for number in range(1, 8):
            write(earned(dayong, 100, key=f"his {number}", at=at), at=at)
            write(earned(xiaolu, number, key=f"hers {number}", at=at), at=at)

    @staticmethod
    def page(member: Member, **where: Any) -> StatementPage:
        return statement_page(member.pk, limit=3, **where)

    @staticmethod
    def seen(page: StatementPage) -> list[int]:
        return [line.points for line in page.lines]

    def test_older_pages_follow_without_gap_or_overlap(self, xiaolu: Member) -> None:
        first = self.page(xiaolu)
        second = self.page(xiaolu, before_id=first.older)
        third = self.page(xiaolu, before_id=second.older)

        assert [self.seen(page) for page in (first, second, third)] == [[7, 6, 5], [4, 3, 2], [1]]
        assert (first.newer, third.older) == (None, None)

    def test_and_newer_ones_lead_back(self, xiaolu: Member) -> None:
        third = self.page(xiaolu, before_id=self.page(xiaolu, before_id=self.page(xiaolu).older).older)
        second = self.page(xiaolu, after_id=third.newer)

        assert self.seen(second) == [4, 3, 2]
        assert self.seen(self.page(xiaolu, before_id=second.older)) == [1]
        assert self.seen(self.page(xiaolu, after_id=second.newer)) == [7, 6, 5]

    def test_a_page_that_lost_its_beginning_is_the_newest_one_whole(self, xiaolu: Member) -> None:
        fifth = Entry.objects.get(key="hers 5").pk

        assert self.seen(self.page(xiaolu, after_id=fifth)) == [7, 6, 5]

    def test_filters_stay_on_from_page_to_page(self, xiaolu: Member, client: Client, clerk: User) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("loyalty.admin.statement.LINES", 3)
            links = get(client, xiaolu, kind="accrual", text="").context["links"]

        assert links["older"].startswith("kind=accrual&before=")
        assert links["newer"] == ""


class TestDownload:
    @pytest.fixture
    def bookkeeper(self, grant: Grant, client: Client) -> User:
        user = grant("loyalty.view_account", "loyalty.export_statement")
        client.force_login(user)
        return user

    @staticmethod
    def download(client: Client, member: Member, **query: str) -> bytes:
        response: Any = client.get(url(member, "statement_export"), query)
        assert response.status_code == 200
        return b"".join(response.streaming_content)

    @pytest.mark.usefixtures("story")
    def test_csv_has_every_line_that_matches_and_no_formula(
        self, bookkeeper: User, client: Client, xiaolu: Member
    ) -> None:
        text = self.download(client, xiaolu, since="2026-03-12", format="csv").decode("utf-8-sig")

        rows = list(csv.reader(io.StringIO(text)))
        assert [(row[5], row[8]) for row in rows[1:]] == [("-20", "75"), ("-5", "95"), ("10", "100")]
        assert rows[3][11] == "'=A broken cup"
        assert {len(row) for row in rows} == {14}

    @pytest.mark.usefixtures("story", "bookkeeper")
    def test_xlsx_has_numbers_that_are_numbers(self, client: Client, xiaolu: Member) -> None:
        content = self.download(client, xiaolu, format="xlsx")

        sheet = load_workbook(io.BytesIO(content)).active
        assert sheet is not None
        rows = list(sheet.iter_rows(values_only=True))
        assert [row[5] for row in rows[1:]] == [-20, -5, 10, 0, 90]
        assert rows[3][11] == "'=A broken cup"
        assert rows[5][12] == "2027-01-04"

    @pytest.mark.usefixtures("story")
    def test_the_staff_log_says_who_took_what(self, bookkeeper: User, client: Client, xiaolu: Member) -> None:
        self.download(client, xiaolu, kind="burn")

        action = StaffAction.objects.get()
        assert (action.action, action.actor, action.member) == ("statement.export", bookkeeper, xiaolu)
        assert action.details == {"format": "csv", "filters": {"kind": "burn"}}

    @pytest.mark.usefixtures("clerk")
    def test_who_may_only_look_cannot_download(self, client: Client, xiaolu: Member) -> None:
        assert "export/" not in get(client, xiaolu).content.decode()
        assert client.get(url(xiaolu, "statement_export")).status_code == 403
        assert not StaffAction.objects.exists()

    @pytest.mark.usefixtures("bookkeeper")
    def test_a_filter_that_means_nothing_downloads_nothing(self, client: Client, xiaolu: Member) -> None:
        assert client.get(url(xiaolu, "statement_export"), {"kind": "theft"}).status_code == 404
        assert not StaffAction.objects.exists()

    def test_a_long_statement_is_read_piece_by_piece(self, xiaolu: Member, at: datetime) -> None:
        for number in range(1, 8):
            write(earned(xiaolu, number, key=f"in {number}", at=at), at=at)
        with CaptureQueriesContext(connection) as queries:
            lines = [line.points for line in whole_statement(xiaolu.pk, at_once=3)]

        assert lines == [7, 6, 5, 4, 3, 2, 1]
        assert len(queries) == 4


class TestCost:
    """An account with many thousand entries. Another one was busy before, and has been since."""

    ENTRIES = """
        INSERT INTO loyalty_entry (account_id, kind, points, pending, held, balance_after, key, digest, effective_at,
                                   recorded_at, reference, reason, trace)
        SELECT %(member)s::bigint, 'accrual', 1, 0, 0, n, %(member)s::bigint || ':' || n, '', '2026-01-01',
               '2026-01-01', '', '', '{}'
          FROM generate_series(%(first)s::integer, %(last)s::integer) AS n
    """

    @pytest.fixture
    def long_account(self, xiaolu: Member, dayong: Member) -> None:
        with connection.cursor() as cursor:
            # Nobody may write these tables but the journal, which this plays here.
            cursor.execute("SET LOCAL loyalty.journal = 'on'")
            cursor.execute(
                "INSERT INTO loyalty_account (member_id, balance, pending, held, version)"
                " VALUES (%s, %s, 0, 0, 1), (%s, %s, 0, 0, 1)",
                [xiaolu.pk, MANY, dayong.pk, MANY],
            )
            for member, first, last in ((dayong, 1, MANY), (xiaolu, 1, MANY), (dayong, MANY + 1, 2 * MANY)):
                cursor.execute(self.ENTRIES, {"member": member.pk, "first": first, "last": last})
            cursor.execute("SET LOCAL loyalty.journal = 'off'")
            cursor.execute("ANALYZE loyalty_entry")

    @staticmethod
    def plan(member: Member, **where: Any) -> dict[str, Any]:
        with CaptureQueriesContext(connection) as queries:
            statement_page(member.pk, limit=50, **where)
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {queries.captured_queries[0]['sql']}")
            found = cursor.fetchone()[0]
        plan: dict[str, Any] = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
        return plan

    @classmethod
    def nodes(cls, plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield plan
        for child in plan.get("Plans", ()):
            yield from cls.nodes(child)

    @pytest.mark.usefixtures("long_account")
    @pytest.mark.parametrize("place", ["newest", "deep", "oldest", "back"])
    def test_a_page_reads_no_more_than_its_own_lines_however_deep_it_lies(self, place: str, xiaolu: Member) -> None:
        middle = Entry.objects.get(key=f"{xiaolu.pk}:{MANY // 2}").pk
        oldest = Entry.objects.get(key=f"{xiaolu.pk}:60").pk
        where = {"newest": {}, "deep": {"before_id": middle}, "oldest": {"before_id": oldest}}.get(
            place, {"after_id": middle}
        )

        nodes = list(self.nodes(self.plan(xiaolu, **where)))

        entries = [node for node in nodes if node.get("Relation Name") == "loyalty_entry" and "Index Name" in node]
        assert entries[0]["Index Name"] == "loyalty_entry_account"
        assert entries[0]["Actual Rows"] == 51
        for node in nodes:
            read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            assert read * node["Actual Loops"] <= 51, node["Node Type"]
            assert node["Node Type"] != "Seq Scan" or node["Relation Name"] != "loyalty_entry"

    @pytest.mark.usefixtures("clerk", "long_account")
    def test_a_page_asks_the_same_few_questions_whether_it_has_one_line_or_fifty(
        self, client: Client, xiaolu: Member, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        oldest = Entry.objects.get(key=f"{xiaolu.pk}:1").pk
        get(client, xiaolu)
        # The session with the person, two for his permissions, the member, the sums of the account, the lines.
        for query in ({}, {"before": oldest + 1}):
            with django_assert_num_queries(6) as seen:
                get(client, xiaolu, **query)
            assert not any("COUNT" in one["sql"] or "OFFSET" in one["sql"] for one in seen.captured_queries)


def test_what_a_filter_asks_for_is_what_it_leaves(xiaolu: Member, at: datetime) -> None:
    write(earned(xiaolu, 5, key="in", at=at), waiting(xiaolu, 7, key="waits", at=at), at=at)

    wanted = Filters(kinds=(EntryKind.ACCRUAL,), since=at, until=at + DAY, moves=Moves.PENDING)

    assert [line.pending for line in loyalty.history(xiaolu.pk, filters=wanted)] == [7]
    assert not loyalty.history(xiaolu.pk, filters=Filters(until=at))
