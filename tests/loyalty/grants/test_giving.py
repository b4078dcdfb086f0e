"""A grant is confirmed, approved and posted: once, within the limits, and never below zero."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from crm.models import Member, StaffAction, User
from loyalty.grants import approval, jobs, making, posting
from loyalty.grants.approval import MayNotApprove, NothingToGive, NotTheMaker, SamePerson, WrongState
from loyalty.grants.preview import earlier_grants
from loyalty.models import Account, Entry, Grant, Lot
from loyalty.movements import burn
from loyalty.validity import validity_end
from tests.factories import MemberFactory
from tests.loyalty.grants.files import BY_NUMBER, checked, csv_file, of, outcomes, posted, problems, row
from tests.loyalty.postings import balance, earned, left, returned, write

pytestmark = pytest.mark.usefixtures("books_add_up")

State = Grant.State
DAY = timedelta(days=1)


def actions() -> list[tuple[str, str, str]]:
    """What the staff log says: what, who and why."""
    return list(StaffAction.objects.order_by("pk").values_list("action", "actor__username", "reason"))


@pytest.fixture
def ready(xiaolu: Member, dayong: Member, maker: User, at: datetime) -> Grant:
    """A hundred points for 林小鹿 and two hundred for 王大勇, checked."""
    return checked(csv_file("tea,小鹿爱喝茶,100", "tea,dayong_w,200"), maker, at)


@pytest.fixture
def waiting(xiaolu: Member, maker: User, at: datetime) -> Grant:
    """Six hundred points for one member: more than one person may give. It waits for a second one."""
    grant = checked(csv_file("tea,小鹿爱喝茶,600"), maker, at)
    approval.confirm(grant.pk, actor_id=maker.pk, at=at, reason="A gift")
    grant.refresh_from_db()
    return grant


class TestPosting:
    def test_the_points_are_given_with_the_reason_and_by_whom(
        self, ready: Grant, xiaolu: Member, dayong: Member, maker: User, at: datetime
    ) -> None:
        posted(ready, at + DAY, reason="Spring gift")

        assert (balance(xiaolu), balance(dayong)) == (100, 200)
        entry = Entry.objects.get(account_id=xiaolu.pk)
        assert (entry.kind, entry.reason, entry.actor, entry.reference) == (
            "adjustment", "Spring gift", maker, f"grant:{ready.pk}",
        )  # fmt: skip
        assert entry.trace == {"by_hand": 100, "grant": ready.pk, "line": 2}
        assert (entry.effective_at, entry.lot.expires_at) == (at + DAY, validity_end(at + DAY))

    def test_all_of_it_is_in_the_staff_log(self, ready: Grant, at: datetime) -> None:
        posted(ready, at, reason="Spring gift")

        assert actions() == [
            ("grant.make", "chen.li", ""), ("grant.confirm", "chen.li", "Spring gift"),
            ("grant.done", "chen.li", "Spring gift"),
        ]  # fmt: skip
        assert StaffAction.objects.get(action="grant.done").details == {
            "grant": ready.pk, "given": 2, "points_given": 300, "points_taken": 0, "repeated": 0, "refused": 0,
        }  # fmt: skip

    def test_a_row_s_own_reason_and_validity_go_before(self, xiaolu: Member, maker: User, at: datetime) -> None:
        line = "tea,小鹿爱喝茶,5,A broken cup,2026-03-31"
        posted(checked(csv_file(line, header="channel,buyer,points,reason,valid through"), maker, at), at)

        entry = Entry.objects.get()
        assert entry.reason == "A broken cup"
        assert entry.lot.expires_at == datetime(2026, 4, 1, tzinfo=at.tzinfo)  # The last day counts whole.

    def test_a_validity_that_is_over_when_its_turn_comes_is_refused(
        self, xiaolu: Member, maker: User, at: datetime
    ) -> None:
        line = "tea,小鹿爱喝茶,5,2026-03-11"
        grant = posted(checked(csv_file(line, header="channel,buyer,points,valid through"), maker, at), at + 3 * DAY)

        assert (outcomes(grant), problems(grant)) == ({2: "refused"}, {2: "validity_over"})
        assert not Entry.objects.exists()

    def test_of_the_deductions_those_go_on_that_the_balance_suffices_for(
        self, xiaolu: Member, dayong: Member, maker: User, at: datetime
    ) -> None:
        write(earned(xiaolu, 100, key="in", at=at), earned(dayong, 10, key="his", at=at), at=at)
        lines = (of(xiaolu, -60), of(dayong, -11), of(xiaolu, -50), of(xiaolu, -40), of(dayong, 7))
        grant = posted(checked(csv_file(*lines, header=BY_NUMBER), maker, at), at)

        assert outcomes(grant) == {2: "given", 3: "given", 4: "refused", 5: "given", 6: "given"}
        assert (row(grant, 4).code, row(grant, 4).value) == ("not_enough", "40")
        assert (balance(xiaolu), balance(dayong)) == (0, 6)
        assert grant.counts["points_taken"] == 111

    def test_points_spent_since_the_preview_are_not_taken(self, xiaolu: Member, maker: User, at: datetime) -> None:
        write(earned(xiaolu, 100, key="in", at=at), at=at)
        grant = checked(csv_file(of(xiaolu, -100), header=BY_NUMBER), maker, at)
        burn(xiaolu.pk, 1, key="coupon", at=at)

        grant = posted(grant, at)

        assert outcomes(grant) == {2: "refused"}
        assert balance(xiaolu) == 99

    def test_whoever_never_had_points_has_none_to_take_and_gets_no_account(
        self, xiaolu: Member, maker: User, at: datetime
    ) -> None:
        grant = posted(checked(csv_file(of(xiaolu, -1), header=BY_NUMBER), maker, at), at)

        assert outcomes(grant) == {2: "refused"}
        assert not Account.objects.exists()

    def test_what_is_given_settles_a_debt_first(self, xiaolu: Member, maker: User, at: datetime) -> None:
        write(returned(xiaolu, 30, key="back", at=at), at=at)
        posted(checked(csv_file(of(xiaolu, 100), header=BY_NUMBER), maker, at), at)

        assert balance(xiaolu) == 70
        assert sum(left(xiaolu).values()) == 70

    @pytest.mark.parametrize("batch", [1, 2, 3, 100])
    def test_batches_of_any_size_come_to_the_same(
        self, batch: int, xiaolu: Member, maker: User, at: datetime, settings: Any
    ) -> None:
        settings.GRANT_TOTAL_LIMIT = 10_000
        members = [xiaolu, *MemberFactory.create_batch(4)]
        lines = [of(member, points) for points in (30, -20, 11, -22) for member in members]
        grant = checked(csv_file(*lines, header=BY_NUMBER), maker, at)
        approval.confirm(grant.pk, actor_id=maker.pk, at=at, reason="A gift")

        assert jobs.run(grant.pk, clock=lambda: at, batch=batch)

        grant.refresh_from_db()
        assert {balance(member) for member in members} == {21}  # 30 + 11 − 20; for 22 more it does not suffice.
        assert (grant.counts["given"], grant.counts["refused"]) == (15, 5)


class TestOnce:
    def test_the_same_file_again_gives_nothing(self, ready: Grant, maker: User, at: datetime, xiaolu: Member) -> None:
        posted(ready, at)
        again = checked(csv_file("tea,dayong_w,200", "tea,小鹿爱喝茶,100", name="again.csv"), maker, at + DAY)

        assert [(before.grant, before.rows) for before in earlier_grants(again.pk)] == [(ready, 2)]
        with pytest.raises(NothingToGive):
            approval.confirm(again.pk, actor_id=maker.pk, at=at, reason="A gift")
        assert balance(xiaolu) == 100

    def test_however_the_members_are_named_and_in_whatever_encoding(
        self, ready: Grant, maker: User, at: datetime, xiaolu: Member, dayong: Member
    ) -> None:
        posted(ready, at)
        again = checked(
            csv_file(f"100,{xiaolu.pk}", f"200.0,{dayong.pk}", header="积分,会员编号", encoding="gbk"), maker, at
        )

        assert again.figures["repeats"]["rows"] == 2

    def test_a_corrected_file_gives_only_what_is_new(
        self, maker: User, at: datetime, xiaolu: Member, dayong: Member
    ) -> None:
        posted(checked(csv_file("tea,小鹿爱喝茶,100", "tea,dayon_w,200"), maker, at), at)
        corrected = posted(checked(csv_file("tea,小鹿爱喝茶,100", "tea,dayong_w,200"), maker, at), at)

        assert outcomes(corrected) == {2: "repeated", 3: "given"}
        assert (balance(xiaolu), balance(dayong)) == (100, 200)

    def test_on_purpose_it_is_given_again_and_the_log_says_why(
        self, ready: Grant, maker: User, at: datetime, xiaolu: Member
    ) -> None:
        posted(ready, at)
        for number in (2, 3):
            again = checked(csv_file("tea,小鹿爱喝茶,100", "tea,dayong_w,200"), maker, at)
            again = posted(again, at, repeat_reason="Every month")
            assert outcomes(again) == {2: "given", 3: "given"}
            assert balance(xiaolu) == 100 * number
        assert ("grant.repeat", "chen.li", "Every month") in actions()

    def test_and_the_one_after_that_gives_nothing_again(
        self, ready: Grant, maker: User, at: datetime, xiaolu: Member
    ) -> None:
        posted(ready, at)
        posted(checked(csv_file("tea,小鹿爱喝茶,100"), maker, at), at, repeat_reason="Every month")
        late = checked(csv_file("tea,小鹿爱喝茶,100"), maker, at)

        with pytest.raises(NothingToGive):
            approval.confirm(late.pk, actor_id=maker.pk, at=at, reason="A gift")
        assert balance(xiaolu) == 200

    def test_two_uploads_of_a_file_that_were_both_confirmed_before_either_ran_give_it_once(
        self, xiaolu: Member, maker: User, at: datetime
    ) -> None:
        grants = [checked(csv_file("tea,小鹿爱喝茶,100"), maker, at) for _ in range(2)]
        for grant in grants:
            approval.confirm(grant.pk, actor_id=maker.pk, at=at, reason="A gift")
        for grant in grants:
            jobs.run(grant.pk, clock=lambda: at)

        assert [outcomes(grant) for grant in grants] == [{2: "given"}, {2: "repeated"}]
        assert balance(xiaolu) == 100

    def test_two_that_were_both_meant_again_give_it_once_more(self, xiaolu: Member, maker: User, at: datetime) -> None:
        posted(checked(csv_file("tea,小鹿爱喝茶,100"), maker, at), at)
        grants = [checked(csv_file("tea,小鹿爱喝茶,100"), maker, at) for _ in range(2)]
        for grant in grants:
            approval.confirm(grant.pk, actor_id=maker.pk, at=at, reason="A gift", repeat_reason="Again")
        for grant in grants:
            jobs.run(grant.pk, clock=lambda: at)

        assert balance(xiaolu) == 200

    def test_rows_that_say_the_same_twice_are_given_twice_only_when_they_are_meant(
        self, xiaolu: Member, dayong: Member, maker: User, at: datetime
    ) -> None:
        lines = ("tea,小鹿爱喝茶,100", "tea,小鹿爱喝茶,100", "tea,小鹿爱喝茶,100")
        posted(checked(csv_file(*lines), maker, at), at)
        assert balance(xiaolu) == 100
        posted(checked(csv_file(*lines), maker, at), at, with_duplicates=True)
        assert balance(xiaolu) == 300  # The first of the three was given before.

    def test_a_rejected_grant_has_given_nothing_so_its_file_may_come_again(
        self, waiting: Grant, boss: User, maker: User, at: datetime
    ) -> None:
        approval.reject(waiting.pk, actor_id=boss.pk, at=at, reason="Too much")
        again = checked(csv_file("tea,小鹿爱喝茶,600"), maker, at)

        assert again.figures["usual"]["rows"] == 1


class TestLimits:
    @pytest.mark.parametrize(
        ("lines", "state"),
        [
            ((500, 500), State.QUEUED),
            ((501,), State.WAITING),
            ((500, 499, 2), State.WAITING),
            ((-501,), State.WAITING),
            ((300, -201), State.WAITING),  # Of one member; what is taken does not make up for what is given.
        ],
    )
    def test_above_either_limit_a_second_person_is_asked(
        self, lines: tuple[int, ...], state: State, maker: User, at: datetime, xiaolu: Member
    ) -> None:
        members = [xiaolu, *MemberFactory.create_batch(2)]
        if -201 in lines:
            members = [xiaolu, xiaolu]
        write(earned(xiaolu, 600, key="in", at=at), at=at)
        rows = [of(member, points) for member, points in zip(members, lines, strict=False)]
        grant = checked(csv_file(*rows, header=BY_NUMBER), maker, at)

        assert approval.confirm(grant.pk, actor_id=maker.pk, at=at, reason="A gift") == state

    def test_duplicates_and_repeats_weigh_as_soon_as_they_are_meant(
        self, maker: User, at: datetime, xiaolu: Member
    ) -> None:
        lines = ("tea,小鹿爱喝茶,300", "tea,小鹿爱喝茶,300")
        grant = checked(csv_file(*lines), maker, at)

        state = approval.confirm(grant.pk, actor_id=maker.pk, at=at, reason="A gift", with_duplicates=True)

        assert state == State.WAITING

    def test_the_limits_of_the_day_of_confirmation_are_kept(
        self, waiting: Grant, settings: Any, boss: User, at: datetime
    ) -> None:
        assert (waiting.total_limit, waiting.member_limit) == (1000, 500)


class TestApproval:
    def test_until_somebody_else_says_yes_nothing_is_given(
        self, waiting: Grant, xiaolu: Member, boss: User, at: datetime
    ) -> None:
        assert not jobs.run(waiting.pk, clock=lambda: at)
        approval.approve(waiting.pk, actor_id=boss.pk, at=at + DAY, remark="As agreed")
        jobs.run(waiting.pk, clock=lambda: at + DAY)

        assert balance(xiaolu) == 600
        entry = Entry.objects.get()
        assert (entry.effective_at, entry.trace["approved_by"]) == (at + DAY, boss.pk)
        assert ("grant.approve", "zhao.min", "As agreed") in actions()

    def test_who_made_it_cannot_approve_it_whatever_he_may(self, waiting: Grant, maker: User, at: datetime) -> None:
        maker.is_superuser = True
        maker.save()

        with pytest.raises(SamePerson):
            approval.approve(waiting.pk, actor_id=maker.pk, at=at)
        with pytest.raises(SamePerson):
            approval.reject(waiting.pk, actor_id=maker.pk, at=at, reason="No")

    def test_the_database_refuses_it_too(self, waiting: Grant, maker: User) -> None:
        with pytest.raises(IntegrityError, match="loyalty_grant_decided_by_a_second_person"), transaction.atomic():
            Grant.objects.filter(pk=waiting.pk).update(decided_by=maker)

    @pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.DONE])
    def test_the_database_lets_nobody_go_past_the_second_person(self, waiting: Grant, state: State) -> None:
        with pytest.raises(IntegrityError, match="loyalty_grant_above_its_limit_approved"), transaction.atomic():
            Grant.objects.filter(pk=waiting.pk).update(state=state)

    def test_whoever_lacks_the_permission_cannot_approve(self, waiting: Grant, grant: Any, at: datetime) -> None:
        colleague = grant("loyalty.add_grant", "loyalty.view_grant")

        with pytest.raises(MayNotApprove):
            approval.approve(waiting.pk, actor_id=colleague.pk, at=at)

    def test_a_second_yes_comes_too_late(self, waiting: Grant, boss: User, at: datetime) -> None:
        approval.approve(waiting.pk, actor_id=boss.pk, at=at)

        with pytest.raises(WrongState):
            approval.approve(waiting.pk, actor_id=boss.pk, at=at)
        with pytest.raises(WrongState):
            approval.reject(waiting.pk, actor_id=boss.pk, at=at, reason="No")

    def test_a_no_needs_a_reason_and_is_final(self, waiting: Grant, boss: User, at: datetime, xiaolu: Member) -> None:
        with pytest.raises(ValueError, match="reason"):
            approval.reject(waiting.pk, actor_id=boss.pk, at=at, reason=" ")
        approval.reject(waiting.pk, actor_id=boss.pk, at=at, reason="Too much")

        assert not jobs.run(waiting.pk, clock=lambda: at)
        assert not Account.objects.exists()
        assert ("grant.reject", "zhao.min", "Too much") in actions()

    def test_only_its_maker_confirms_or_cancels_it(self, ready: Grant, boss: User, at: datetime) -> None:
        with pytest.raises(NotTheMaker):
            approval.confirm(ready.pk, actor_id=boss.pk, at=at, reason="A gift")
        with pytest.raises(NotTheMaker):
            approval.cancel(ready.pk, actor_id=boss.pk, at=at, reason="No")

    def test_a_grant_needs_a_reason(self, ready: Grant, maker: User, at: datetime) -> None:
        with pytest.raises(ValueError, match="reason"):
            approval.confirm(ready.pk, actor_id=maker.pk, at=at, reason="  ")

    def test_it_is_confirmed_once(self, ready: Grant, maker: User, at: datetime, no_worker: list[int]) -> None:
        approval.confirm(ready.pk, actor_id=maker.pk, at=at, reason="A gift")
        with pytest.raises(WrongState):
            approval.confirm(ready.pk, actor_id=maker.pk, at=at, reason="A gift")

    def test_calling_it_off_needs_a_reason_and_leaves_nothing_to_run(
        self, waiting: Grant, maker: User, boss: User, at: datetime
    ) -> None:
        with pytest.raises(ValueError, match="reason"):
            approval.cancel(waiting.pk, actor_id=maker.pk, at=at, reason="")
        approval.cancel(waiting.pk, actor_id=maker.pk, at=at, reason="The wrong file")

        with pytest.raises(WrongState):
            approval.approve(waiting.pk, actor_id=boss.pk, at=at)
        assert ("grant.cancel", "chen.li", "The wrong file") in actions()

    def test_what_was_posted_cannot_be_called_off(self, ready: Grant, maker: User, at: datetime) -> None:
        posted(ready, at)

        with pytest.raises(WrongState):
            approval.cancel(ready.pk, actor_id=maker.pk, at=at, reason="Too late")

    def test_a_file_of_nothing_but_problems_cannot_be_confirmed(
        self, xiaolu: Member, maker: User, at: datetime
    ) -> None:
        grant = checked(csv_file("tea,nobody,5"), maker, at)

        with pytest.raises(NothingToGive):
            approval.confirm(grant.pk, actor_id=maker.pk, at=at, reason="A gift")


class TestChosenMembers:
    def test_all_get_the_same(self, xiaolu: Member, dayong: Member, maker: User, at: datetime) -> None:
        chosen = Member.objects.filter(pk__in=[xiaolu.pk, dayong.pk])
        grant = posted(making.choose(chosen, 50, valid_through=None, actor_id=maker.pk, at=at), at)

        assert (balance(xiaolu), balance(dayong)) == (50, 50)
        assert grant.source == Grant.Source.MEMBERS

    def test_the_same_choice_again_is_told_like_the_same_file(self, xiaolu: Member, maker: User, at: datetime) -> None:
        posted(making.choose(Member.objects.all(), 50, valid_through=None, actor_id=maker.pk, at=at), at)
        again = making.choose(Member.objects.all(), 50, valid_through=None, actor_id=maker.pk, at=at)

        assert again.figures["repeats"]["rows"] == 1

    def test_more_than_a_grant_may_have_are_refused_and_leave_nothing(
        self, xiaolu: Member, dayong: Member, maker: User, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(making, "MAX_ROWS", 1)
        with pytest.raises(making.TooManyMembers):
            making.choose(Member.objects.all(), 50, valid_through=None, actor_id=maker.pk, at=at)

        assert not Grant.objects.exists()

    def test_no_row_passes_through_the_program(
        self, xiaolu: Member, maker: User, at: datetime, django_assert_max_num_queries: Any
    ) -> None:
        MemberFactory.create_batch(50)
        with django_assert_max_num_queries(16):
            making.choose(Member.objects.all(), 5, valid_through=None, actor_id=maker.pk, at=at)


class TestWorkers:
    """Ten rows in batches of three."""

    @pytest.fixture
    def queued(self, xiaolu: Member, maker: User, at: datetime) -> Grant:
        members = [xiaolu, *MemberFactory.create_batch(9)]
        grant = checked(csv_file(*(of(member, 10) for member in members), header=BY_NUMBER), maker, at)
        approval.confirm(grant.pk, actor_id=maker.pk, at=at, reason="A gift")
        return grant

    @staticmethod
    def run(grant: Grant, at: datetime) -> bool:
        return jobs.run(grant.pk, clock=lambda: at, batch=3)

    @staticmethod
    def killed_after(batches: int, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
        """The worker dies when it begins the next batch."""
        whole, begun = posting.post_rows, 0

        def dying(*args: Any, **kwargs: Any) -> Any:
            nonlocal begun
            begun += 1
            result = whole(*args, **kwargs)
            if begun > batches:
                raise error
            return result

        monkeypatch.setattr(jobs, "post_rows", dying)

    def test_a_worker_killed_in_the_middle_leaves_whole_batches_and_the_next_one_goes_on(
        self, queued: Grant, at: datetime
    ) -> None:
        with pytest.MonkeyPatch.context() as patch:
            self.killed_after(2, patch, OperationalError("gone"))
            with pytest.raises(OperationalError):
                self.run(queued, at)
        queued.refresh_from_db()
        assert (queued.state, queued.next_seq, Lot.objects.count()) == (State.RUNNING, 6, 6)

        assert self.run(queued, at + DAY)

        queued.refresh_from_db()
        assert (queued.state, queued.counts["given"], Lot.objects.count()) == (State.DONE, 10, 10)
        assert set(Entry.objects.values_list("effective_at", flat=True)) == {at}

    def test_an_error_of_the_program_is_said_and_a_person_presses_resume(
        self, queued: Grant, maker: User, at: datetime, no_worker: list[int], django_capture_on_commit_callbacks: Any
    ) -> None:
        with pytest.MonkeyPatch.context() as patch:
            self.killed_after(1, patch, RuntimeError("a bug"))
            assert self.run(queued, at)
        queued.refresh_from_db()
        assert queued.state == State.FAILED
        assert queued.error

        with django_capture_on_commit_callbacks(execute=True):
            jobs.resume(queued.pk, actor_id=maker.pk, at=at)
        assert queued.pk in no_worker
        self.run(queued, at)

        queued.refresh_from_db()
        assert (queued.state, queued.error, queued.counts["given"]) == (State.DONE, "", 10)

    def test_a_grant_without_a_sign_of_life_is_taken_up_again_once(
        self, queued: Grant, at: datetime, no_worker: list[int]
    ) -> None:
        no_worker.clear()
        assert jobs.take_up_stalled(at=at + timedelta(seconds=59)) == []
        assert jobs.take_up_stalled(at=at + timedelta(seconds=61)) == [queued.pk]
        assert jobs.take_up_stalled(at=at + timedelta(seconds=62)) == []
        assert no_worker == [queued.pk]

    def test_one_that_waits_for_a_person_is_left_alone(self, waiting: Grant, at: datetime) -> None:
        assert jobs.take_up_stalled(at=at + DAY) == []

    def test_a_finished_grant_is_not_run_again(self, queued: Grant, at: datetime) -> None:
        assert self.run(queued, at)
        assert not self.run(queued, at)

    def test_an_upload_whose_check_was_lost_is_checked_again(
        self, maker: User, at: datetime, no_worker: list[int], xiaolu: Member
    ) -> None:
        grant = making.upload(csv_file(of(xiaolu, 5), header=BY_NUMBER), actor_id=maker.pk, at=at)

        assert jobs.take_up_stalled(at=at + timedelta(seconds=61)) == [grant.pk]

    def test_even_if_the_position_were_lost_nothing_would_be_given_twice(self, queued: Grant, at: datetime) -> None:
        self.run(queued, at)
        Grant.objects.filter(pk=queued.pk).update(next_seq=0, state=State.RUNNING)
        self.run(queued, at)

        assert Lot.objects.count() == 10

    def test_a_batch_costs_the_same_few_statements_however_many_rows_it_has(
        self, queued: Grant, at: datetime, django_assert_num_queries: Any
    ) -> None:
        grant = Grant.objects.get(pk=queued.pk)
        Grant.objects.filter(pk=queued.pk).update(state=State.RUNNING)
        seen = []
        for size in (1, 8):
            counted: list[str] = []
            with connection.execute_wrapper(_counting(counted)):
                jobs._run_batch(grant, at, size)
            seen.append(len(counted))

        assert seen[0] == seen[1] <= 14


def _counting(counted: list[str]) -> Any:
    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        counted.append(sql)
        return execute(sql, params, many, context)

    return wrapper
