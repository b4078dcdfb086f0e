"""The last mail: to the address that was erased, once, and the address is nowhere when it has gone."""

from datetime import datetime, timedelta

import pytest
from django.core import mail as post
from django.db import IntegrityError, connection, transaction

from crm.choices import MailProblem, MailState
from crm.mails.farewell import DATA_ERASED, Reader, reader_of, say_farewell
from crm.mails.outcomes import LEASE
from crm.mails.preferences import mail_preferences, set_mail_preferences, stop_mails
from crm.mails.settling import drop, send_again, take_as_sent
from crm.models import Mail, Member
from crm.personal.erasing import erase_member
from crm.personal.registry import Erasure
from tests.crm.mails.conftest import Send
from tests.crm.mails.mail_server import MailServer
from tests.factories import StaffFactory

pytestmark = pytest.mark.django_db

ADDRESS = "xiaolu@example.com"
DAY = timedelta(days=1)


def erase(member: Member, at: datetime) -> Mail:
    erase_member(Erasure(member.pk, at, actor_id=StaffFactory().pk, reason="She asked"))
    return Mail.objects.get(kind="data_erased")


def all_tables() -> str:
    """Every row of every table, as text."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        text = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" AS t')
            text += [row[0] for row in cursor.fetchall()]
    return "\n".join(text)


class TestOnce:
    def test_it_goes_to_the_address_that_was_erased_and_nothing_keeps_it(
        self, xiaolu: Member, send: Send, at: datetime
    ) -> None:
        mail = erase(xiaolu, at)
        assert ADDRESS in all_tables()

        assert (send().sent, send().tried) == (1, 0)

        [sent] = post.outbox
        assert sent.to == [ADDRESS]
        assert ADDRESS not in all_tables()
        mail.refresh_from_db()
        assert (mail.state, mail.address, mail.last_address) == (MailState.SENT, "", "")

    def test_it_is_in_his_language_without_his_name_and_without_a_way_back(
        self, xiaolu: Member, send: Send, at: datetime
    ) -> None:
        set_mail_preferences(xiaolu.pk, wanted=[], language="en", at=at, actor_id=None)
        erase(xiaolu, at)
        send()

        [sent] = post.outbox
        assert "Your data was erased" in sent.subject
        assert "Your address is deleted once it is sent." in str(sent.body)
        assert "林小鹿" not in str(sent.body)
        assert "http" not in str(sent.body)
        assert "List-Unsubscribe" not in sent.extra_headers

    def test_without_a_word_of_his_it_is_in_the_shops_language(self, xiaolu: Member, send: Send, at: datetime) -> None:
        erase(xiaolu, at)
        send()

        assert "您的资料已删除" in post.outbox[0].subject

    def test_who_wants_no_mails_is_told_all_the_same(self, xiaolu: Member, send: Send, at: datetime) -> None:
        stop_mails(xiaolu.pk, at=at, actor_id=None)
        erase(xiaolu, at)

        assert send().sent == 1

    def test_who_has_no_address_is_told_nothing(self, xiaolu: Member, at: datetime) -> None:
        Member.objects.filter(pk=xiaolu.pk).update(email="")
        xiaolu.identities.update(email="x***@example.com")

        erase_member(Erasure(xiaolu.pk, at, actor_id=StaffFactory().pk, reason="She asked"))

        assert not Mail.objects.exists()

    def test_an_erasure_that_is_undone_is_not_told(self, xiaolu: Member, at: datetime) -> None:
        with transaction.atomic():
            erase(xiaolu, at)
            transaction.set_rollback(True)
        assert not Mail.objects.exists()

    def test_it_is_none_of_the_kinds_that_one_chooses(self, xiaolu: Member) -> None:
        assert DATA_ERASED not in [wish.kind for wish in mail_preferences(xiaolu.pk).wishes]


class TestForgotten:
    """However it ends."""

    @pytest.fixture
    def last(self, xiaolu: Member, at: datetime) -> Mail:
        return erase(xiaolu, at)

    def after(self, mail: Mail) -> tuple[str, str]:
        mail.refresh_from_db()
        assert mail.last_address == ""
        assert ADDRESS not in all_tables()
        return mail.state, mail.problem

    def test_refused_for_good(self, last: Mail, send: Send, server: MailServer) -> None:
        server.answers["RCPT"] = f"550 no {ADDRESS} here"
        send()
        assert self.after(last) == (MailState.FAILED, MailProblem.RECIPIENT)

    def test_no_answer(self, last: Mail, send: Send, server: MailServer) -> None:
        server.answers["mail"] = ""
        send()
        assert self.after(last) == (MailState.IN_DOUBT, MailProblem.NO_ANSWER)

    def test_a_server_that_is_away_for_two_days(self, last: Mail, send: Send, server: MailServer, at: datetime) -> None:
        server.answers["hello"] = "421 later"
        send()
        last.refresh_from_db()
        assert (last.state, last.last_address) == (MailState.QUEUED, ADDRESS)

        send(at + 2 * DAY + timedelta(seconds=1))

        assert self.after(last) == (MailState.SKIPPED, MailProblem.TOO_LATE)

    def test_called_off_by_staff(self, last: Mail, at: datetime) -> None:
        drop([last.pk], at=at, actor_id=StaffFactory().pk, reason="A mistake")
        assert self.after(last) == (MailState.SKIPPED, MailProblem.CALLED_OFF)

    @pytest.mark.parametrize("state", [MailState.CLAIMED, MailState.SENDING])
    def test_a_worker_that_hangs_and_a_person_who_settles_it(
        self, last: Mail, send: Send, at: datetime, state: MailState
    ) -> None:
        Mail.objects.update(state=state, lease_until=at, token="0" * 32, attempts=12)
        send(at + LEASE)
        assert self.after(last)[0] in {MailState.FAILED, MailState.IN_DOUBT}
        take_as_sent([last.pk], at=at, actor_id=StaffFactory().pk, reason="It arrived")
        assert post.outbox == []

    def test_sent_again_it_has_nowhere_to_go(self, last: Mail, send: Send, server: MailServer, at: datetime) -> None:
        server.answers["RCPT"] = "550 no"
        send()
        send_again([last.pk], at=at, actor_id=StaffFactory().pk, reason="Once more")
        send()
        assert self.after(last) == (MailState.SKIPPED, MailProblem.NO_ADDRESS)

    def test_the_database_lets_no_other_way_keep_it(self, last: Mail, at: datetime) -> None:
        with pytest.raises(IntegrityError, match="crm_mail_forgets_the_last_address"), transaction.atomic():
            Mail.objects.update(state=MailState.SENT, sent_at=at)

    def test_a_reader_without_an_address_makes_no_row(self, xiaolu: Member, at: datetime) -> None:
        say_farewell(xiaolu.pk, Reader("", "en"), at)
        assert not Mail.objects.exists()

    def test_the_reader_is_who_mails_go_to(self, xiaolu: Member, at: datetime) -> None:
        set_mail_preferences(xiaolu.pk, wanted=[], language="en", at=at, actor_id=None)
        assert reader_of(xiaolu.pk) == Reader(ADDRESS, "en")
