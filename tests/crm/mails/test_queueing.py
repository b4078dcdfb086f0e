"""Writing mails down with the fact they tell of."""

from datetime import datetime, timedelta

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from crm import tasks
from crm.choices import MailState
from crm.mails.preferences import set_mail_preferences, stop_mails
from crm.mails.queueing import Notice, Queued, queue_mails, queue_selected
from crm.models import Channel, Mail, Member
from tests.crm.mails.conftest import UPGRADE, Write
from tests.factories import IdentityFactory, MemberFactory, UserFactory

pytestmark = pytest.mark.django_db


def notice(member: Member, fact: str = "7") -> Notice:
    return Notice(fact, member.pk, UPGRADE)


class TestOnce:
    def test_the_same_fact_is_told_once(self, xiaolu: Member, at: datetime) -> None:
        first = queue_mails("tier_upgraded", [notice(xiaolu)], at=at)
        again = queue_mails("tier_upgraded", [notice(xiaolu)], at=at + timedelta(days=1))

        assert (first, again) == (Queued(queued=1), Queued(known=1))
        assert Mail.objects.get().queued_at == at

    def test_of_another_kind_it_is_another_mail(self, xiaolu: Member, at: datetime) -> None:
        queue_mails("tier_upgraded", [notice(xiaolu)], at=at)
        assert queue_mails("tier_ending", [notice(xiaolu)], at=at).queued == 1

    def test_a_fact_that_is_undone_is_not_told(self, xiaolu: Member, at: datetime, no_other_worker: list[None]) -> None:
        with transaction.atomic():
            queue_mails("tier_upgraded", [notice(xiaolu)], at=at)
            transaction.set_rollback(True)
        assert not Mail.objects.exists()
        assert no_other_worker == []

    def test_an_unknown_kind_is_refused(self, xiaolu: Member, at: datetime) -> None:
        with pytest.raises(LookupError):
            queue_mails("christmas", [notice(xiaolu)], at=at)

    def test_it_is_one_statement_however_many(
        self, shop: Channel, at: datetime, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        members = [MemberFactory(email=f"m{number}@example.com") for number in range(50)]
        notices = [notice(member, str(member.pk)) for member in members]
        with django_assert_num_queries(3):  # The savepoint, the statement, its release.
            assert queue_mails("tier_upgraded", notices, at=at).queued == 50

    def test_rows_of_a_statement_are_written_down_the_same_way(
        self, xiaolu: Member, dayong: Member, at: datetime
    ) -> None:
        select = """SELECT 'joined:' || id, id, jsonb_build_object('tier', name), NULL::timestamptz
                      FROM crm_member WHERE name = %(name)s"""
        assert queue_selected("tier_upgraded", named(select), {"name": "王大勇"}, at=at) == Queued(queued=1)
        mail = Mail.objects.get()
        assert (mail.member, mail.key, mail.facts) == (dayong, f"tier_upgraded:joined:{dayong.pk}", {"tier": "王大勇"})


def named(select: str) -> str:
    return f"SELECT * FROM ({select}) AS n (fact, member_id, facts, useless_after)"


class TestWhoGetsIt:
    def test_a_member_without_an_address_gets_none_and_is_counted(self, shop: Channel, at: datetime) -> None:
        nobody = MemberFactory()
        IdentityFactory(channel=shop, member=nobody, email="l***@example.com")  # As platforms mask addresses.
        assert queue_mails("tier_upgraded", [notice(nobody)], at=at) == Queued(unreachable=1)

    def test_nor_does_who_wants_no_such_mails(self, xiaolu: Member, dayong: Member, at: datetime) -> None:
        stop_mails(xiaolu.pk, "tier_upgraded", at=at, actor_id=None)
        stop_mails(dayong.pk, at=at, actor_id=None)
        notices = [notice(xiaolu, "1"), notice(dayong, "2")]
        assert queue_mails("tier_upgraded", notices, at=at) == Queued(unwanted=2)
        assert queue_mails("tier_ending", notices, at=at) == Queued(queued=1, unwanted=1)

    def test_who_takes_it_back_gets_them_again(self, xiaolu: Member, at: datetime) -> None:
        stop_mails(xiaolu.pk, at=at, actor_id=None)
        set_mail_preferences(xiaolu.pk, wanted=["tier_upgraded"], at=at, actor_id=None)
        assert queue_mails("tier_upgraded", [notice(xiaolu)], at=at).queued == 1

    def test_once_an_address_is_known_the_fact_can_still_be_told(self, at: datetime, db: None) -> None:
        nobody = MemberFactory()
        queue_mails("tier_upgraded", [notice(nobody)], at=at)
        Member.objects.filter(pk=nobody.pk).update(user=UserFactory(email="proven@example.com"))
        assert queue_mails("tier_upgraded", [notice(nobody)], at=at).queued == 1


class TestWakingAWorker:
    def test_a_worker_is_called_once_the_fact_is_committed(
        self, xiaolu: Member, write: Write, no_other_worker: list[None],
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:  # fmt: skip
        with django_capture_on_commit_callbacks(execute=True):
            write(xiaolu)
            assert no_other_worker == []
        assert len(no_other_worker) == 1

    def test_nobody_is_called_for_nothing(
        self, xiaolu: Member, write: Write, at: datetime, no_other_worker: list[None],
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:  # fmt: skip
        write(xiaolu)
        with django_capture_on_commit_callbacks(execute=True):
            queue_mails("tier_upgraded", [Notice("1", xiaolu.pk, UPGRADE)], at=at)
        assert no_other_worker == []

    def test_a_dead_broker_loses_nothing(
        self, xiaolu: Member, write: Write, monkeypatch: pytest.MonkeyPatch,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:  # fmt: skip
        def away() -> None:
            raise tasks.send_mails.OperationalError

        monkeypatch.setattr(tasks.send_mails, "delay", away)
        with django_capture_on_commit_callbacks(execute=True):
            mail = write(xiaolu)
        assert mail.state == MailState.QUEUED
