"""Erasing what the shop holds about a buyer: what goes, what stays, and that the books stay sound."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import DatabaseError, connection, transaction
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from crm.api import log_action, queue_mails
from crm.claims import login_for
from crm.mails.kinds import mail_kinds
from crm.mails.queueing import Notice
from crm.mails.sending import send_due
from crm.mails.stopping import stop_url
from crm.models import Channel, Identity, Mail, Member, Order, Refund, Session, ShopKey, StaffAction, User
from crm.orders import record
from crm.personal.erasing import EraseRefused, erase_member, look_ahead, own_wish
from crm.personal.registry import Erasure, Fate, personal_tables
from crm.sso.exchange import Guest, still_vouched_for
from loyalty import api as loyalty
from loyalty.models import Account, Entry, ReferralDevice, ReferralLink
from redemption.checkout import redeem_coupon
from redemption.choices import CouponState
from redemption.models import Address, Coupon, CouponPlan, Redemption
from redemption.rewards.checkout import redeem
from redemption.rewards.opening import open_wish
from redemption.tokens import new_token
from tests.cast import NOON, GivePoints
from tests.crm.reports import COMPLETED, PAID, XIAOLU, refund, row
from tests.factories import (
    AddressFactory,
    MemberFactory,
    MemberTagFactory,
    NoDiscountFactory,
    RewardFactory,
    StaffFactory,
    UserFactory,
)
from tests.loyalty.postings import returned, ripe, waiting, write

Erase = Callable[..., None]
DAY = timedelta(days=1)


@pytest.fixture
def erase(at: datetime) -> Erase:
    """``erase(member)``: he has his data erased, a day after noon."""

    def erase(member: Member, *, actor: User | None = None, reason: str = "", at: datetime = at + DAY) -> None:
        member.refresh_from_db()
        who = actor or member.user or StaffFactory()
        erase_member(Erasure(member.pk, at, actor_id=who.pk, reason=reason or own_wish()))
        member.refresh_from_db()

    return erase


@pytest.fixture
def known(xiaolu: Member, dayong: Member, plan: CouponPlan, give_points: GivePoints, at: datetime) -> Member:
    """林小鹿, who signed in, bought, earned, took a coupon, got mails, and has an address; and 王大勇, who stays."""
    shop = Channel.objects.get(code="tea")
    xiaolu.user = UserFactory(username="buyer-of-xiaolu", email="xiaolu@example.com", first_name="小鹿")
    xiaolu.phone, xiaolu.note, xiaolu.birthday = "13800000001", "Likes green tea", NOON.date()
    xiaolu.save()
    EmailAddress.objects.create(user=xiaolu.user, email="xiaolu@example.com", verified=True)
    Session.objects.create(session_key="k" * 32, session_data="", expire_date=at + DAY, user=xiaolu.user)
    raw = {"收货地址": "杭州市龙井路 1 号", "收货人姓名": "林小鹿"}
    record(shop, [row("A-1", raw=raw, status=COMPLETED, refunds=(refund("R-1", "1"),))], at=at)
    Refund.objects.update(reason="林小鹿 不喜欢")
    give_points(xiaolu, 300)
    give_points(dayong, 300)
    buy_coupon(xiaolu, plan, 10, at)
    AddressFactory(member=xiaolu)
    AddressFactory(member=dayong, recipient="王大勇")
    MemberTagFactory(member=xiaolu)
    NoDiscountFactory(member=xiaolu, reason="Asked for it")
    ReferralDevice.objects.create(device="d" * 32, member=xiaolu, seen_at=at)
    ReferralLink.objects.create(promoter=xiaolu, channel=shop, token="t" * 22, created_at=at)
    log_action("member.claim", actor_id=xiaolu.user.pk, at=at, member_id=xiaolu.pk, email="xiaolu@example.com")
    return xiaolu


def buy_coupon(member: Member, plan: CouponPlan, yuan: int, at: datetime) -> Coupon:
    return redeem_coupon(member.pk, plan.pk, yuan, token=new_token(member.pk, plan.pk, yuan, yuan * 10, at=at), at=at)


def everything_about(member: Member) -> str:
    """All rows of all tables with something about a member, as text; the journal's and the log's words included."""
    text = []
    for table in personal_tables():
        model = table.model_class()
        text += [str(values) for values in model._default_manager.filter(table.of(member.pk)).values()]
    return "\n".join(text)


def balance(member: Member, at: datetime) -> tuple[int, int]:
    held = loyalty.summary(member.pk, at)
    return held.balance, held.pending


class TestWhatGoes:
    def test_no_word_of_her_is_left_in_any_table(self, known: Member, erase: Erase, at: datetime) -> None:
        words = ["林小鹿", "xiaolu", "小鹿爱喝茶", "13800000001", "龙井路", "green tea", "2026-03-10'", "d" * 32]
        before = everything_about(known)
        assert all(word in before for word in words[:6])

        erase(known)
        send_due(clock=lambda: at + DAY)  # The last mail goes, and its address with it.

        after = everything_about(known) + str(User.objects.filter(username__startswith="erased-").values())
        assert [word for word in words if word in after] == []

    def test_rows_that_are_to_go_are_gone_and_emptied_columns_are_empty(self, known: Member, erase: Erase) -> None:
        erase(known)

        for table in personal_tables():
            rows = table.model_class()._default_manager.filter(table.of(known.pk))
            if table.name == "mails":
                rows = rows.exclude(kind="data_erased")  # It says that the others are gone.
            if table.fate is Fate.DELETED:
                assert not rows.exists(), table.name
            for column, value in table.emptied.items():
                if value in ("", None) or value == {}:
                    assert set(map(str, rows.values_list(column, flat=True))) <= {str(value)}, (table.name, column)

    def test_the_login_is_closed_and_every_session_ended(self, known: Member, erase: Erase) -> None:
        login = known.user
        assert login is not None

        erase(known)

        login.refresh_from_db()
        assert known.user is None
        assert (login.is_active, login.email, login.first_name, login.has_usable_password()) == (False, "", "", False)
        assert login.username.startswith("erased-")
        assert not Session.objects.filter(user=login).exists()
        assert login_for("xiaolu@example.com") is None

    def test_the_other_member_keeps_all_of_his(self, known: Member, dayong: Member, erase: Erase, at: datetime) -> None:
        before = everything_about(dayong)

        erase(known)

        assert everything_about(dayong) == before

    def test_a_person_of_the_shop_who_buys_there_keeps_the_login(self, known: Member, erase: Erase) -> None:
        login = known.user
        assert login is not None
        login.is_staff = True
        login.save()

        erase(known)

        login.refresh_from_db()
        assert (login.is_active, login.username) == (True, "buyer-of-xiaolu")
        assert EmailAddress.objects.filter(user=login).exists()
        assert known.user is None

    def test_mails_that_wait_are_gone_and_no_new_one_is_written(
        self, known: Member, erase: Erase, at: datetime
    ) -> None:
        kind = mail_kinds()[0].code
        queue_mails(kind, [Notice("before", known.pk)], at=at)
        assert Mail.objects.filter(member=known).exists()

        erase(known)

        assert queue_mails(kind, [Notice("after", known.pk)], at=at + 2 * DAY).unreachable == 1
        assert Mail.objects.get(member=known).kind == "data_erased"

    def test_a_link_that_she_shared_leads_nowhere(self, known: Member, erase: Erase) -> None:
        erase(known)

        assert not ReferralLink.objects.filter(token="t" * 22).exists()


class TestTheBooks:
    def test_points_and_coupons_are_given_up_and_the_journal_says_why(
        self, known: Member, erase: Erase, at: datetime
    ) -> None:
        lost = {loss.code: loss.number for loss in look_ahead(known.pk, at + DAY).losses}
        assert lost == {"points": balance(known, at)[0], "coupons": 1}

        erase(known)

        assert balance(known, at + DAY) == (0, 0)
        last = Entry.objects.filter(account=known.pk).order_by("pk").last()
        assert last is not None
        # The coupon's points came back first, and went the same way.
        given_up = lost["points"] + 100
        assert (last.kind, last.points, last.trace) == ("adjustment", -given_up, {"erased": given_up})
        [line] = loyalty.history(known.pk, limit=1)
        assert loyalty.headline(line) == "随资料删除而放弃"
        coupon = Coupon.objects.get(member=known)
        assert (coupon.state, coupon.void_reason) == (CouponState.VOID, "会员删除了自己的资料。")

    def test_points_of_the_coupon_stay_spent_where_the_plan_says_so(
        self, known: Member, erase: Erase, plan: CouponPlan, at: datetime
    ) -> None:
        plan.void_gives_back = False
        plan.save()

        erase(known)

        assert Coupon.objects.get(member=known).points_back == 0
        assert balance(known, at + DAY) == (0, 0)

    def test_the_audit_finds_nothing_and_the_sum_over_all_is_what_the_others_have(
        self, known: Member, dayong: Member, erase: Erase, at: datetime
    ) -> None:
        loyalty.run_nightly(at, at=at)
        erase(known)
        loyalty.run_nightly(at + 3 * DAY, at=at + 3 * DAY)

        assert loyalty.audit().ok
        assert Account.objects.aggregate(all=Sum("balance"))["all"] == balance(dayong, at)[0]

    def test_a_debt_is_let_go(self, known: Member, erase: Erase, at: datetime) -> None:
        owed = balance(known, at)[0] + 20
        write(returned(known, owed, key="back", at=at), at=at)
        assert balance(known, at)[0] == -20

        erase(known)

        assert balance(known, at + DAY)[0] == 0
        assert loyalty.audit().ok

    def test_what_was_pending_is_taken_in_the_night_after_it_came(
        self, known: Member, erase: Erase, at: datetime, shop: Channel
    ) -> None:
        write(waiting(known, 40, key="later", at=at), at=at)
        erase(known)
        assert balance(known, at + DAY) == (0, 40)

        write(ripe(known, "later", at=at + 2 * DAY), at=at + 2 * DAY)
        assert balance(known, at + 2 * DAY) == (40, 0)
        loyalty.run_nightly(at + 3 * DAY, at=at + 3 * DAY)

        assert balance(known, at + 3 * DAY) == (0, 0)
        assert loyalty.audit().ok

    def test_it_is_logged_with_who_why_and_what_was_lost(self, known: Member, erase: Erase) -> None:
        boss = StaffFactory()

        erase(known, actor=boss, reason="She wrote us a letter")

        logged = StaffAction.objects.get(action="member.erase")
        assert (logged.actor, logged.member, logged.reason) == (boss, known, "She wrote us a letter")
        assert logged.details["coupons"] == 1

    def test_the_log_itself_can_still_be_changed_by_nobody(self, known: Member, erase: Erase) -> None:
        erase(known)

        changes: list[dict[str, Any]] = [{"reason": "x"}, {"details": {}}]
        for change in changes:
            with pytest.raises(DatabaseError), transaction.atomic():
                StaffAction.objects.update(**change)


class TestObstacles:
    def test_a_redemption_that_is_not_finished_stands_against_it(
        self, known: Member, erase: Erase, at: datetime
    ) -> None:
        reward = RewardFactory(points=100)
        taken = redeem(
            known.pk, reward.pk, 1, token=open_wish(known.pk, reward, at).token(),
            address_id=Address.objects.get(member=known).pk, at=at,
        )  # fmt: skip
        number = Redemption.objects.get(pk=taken.redemption_id).number

        with pytest.raises(EraseRefused, match=number):
            erase(known)

        known.refresh_from_db()
        assert (known.name, known.erased_at) == ("林小鹿", None)
        assert balance(known, at)[0] > 0

    def test_twice_is_refused(self, known: Member, erase: Erase) -> None:
        erase(known)

        with pytest.raises(EraseRefused) as refusal:
            erase(known)

        assert refusal.value.obstacles == []


class TestFilesThatComeLater:
    def test_the_same_file_again_brings_nothing_back(
        self, known: Member, erase: Erase, shop: Channel, at: datetime
    ) -> None:
        members = Member.objects.count()
        erase(known)
        raw = {"收货地址": "杭州市龙井路 1 号"}
        buyer = XIAOLU.__class__(XIAOLU.external_id, XIAOLU.name, "xiaolu@example.com", "13800000001")

        later = row(
            "A-1",
            raw=raw,
            buyer=buyer,
            status=COMPLETED,
            paid=Decimal(99),
            completed_at=at,
            refunds=(refund("R-1", "1"),),
        )
        record(shop, [later], at=at + 2 * DAY)

        order = Order.objects.get(external_no="A-1")
        assert (order.member, order.raw, order.completed_at) == (known, {}, at)
        assert Member.objects.count() == members
        assert not Identity.objects.filter(external_id=XIAOLU.external_id).exists()
        assert Refund.objects.get(external_no="R-1").reason == ""

    def test_a_new_order_of_the_same_buyer_makes_a_new_member_who_begins_anew(
        self, known: Member, erase: Erase, shop: Channel, at: datetime
    ) -> None:
        erase(known)

        record(shop, [row("A-2", status=PAID)], at=at + 2 * DAY)

        anew = Identity.objects.get(external_id=XIAOLU.external_id).member
        assert anew != known
        assert Order.objects.get(external_no="A-1").member == known
        assert Order.objects.get(external_no="A-2").member == anew
        assert balance(anew, at + 2 * DAY)[0] == 0

    def test_files_of_a_shop_without_erased_members_are_read_as_ever(self, shop: Channel, at: datetime) -> None:
        record(shop, [row("A-9", raw={"备注": "x"})], at=at)

        assert Order.objects.get(external_no="A-9").raw == {"备注": "x"}


def test_an_erasure_takes_the_same_statements_however_much_there_is(
    known: Member, erase: Erase, plan: CouponPlan, give_points: GivePoints, at: datetime
) -> None:
    shop = Channel.objects.get(code="tea")

    def counted(member: Member) -> int:
        with CaptureQueriesContext(connection) as seen:
            erase(member)
        return len(seen)

    one, many = known, MemberFactory(user=UserFactory())
    for number in range(30):
        give_points(many, 50)
        record(shop, [row(f"M-{number}", buyer=XIAOLU.__class__("many"))], at=at)
    Identity.objects.filter(external_id="many").update(member=many)
    Order.objects.filter(external_no__startswith="M-").update(member=many)
    for _ in range(5):
        buy_coupon(many, plan, 5, at)

    assert counted(many) <= counted(one) + 4


def test_a_stop_link_in_an_old_mail_is_not_found(known: Member, erase: Erase, client: Any) -> None:
    link = stop_url(known.pk, "tier_upgraded")
    erase(known)

    assert client.get(link).status_code == 404


def test_an_embed_that_was_open_is_vouched_for_no_more(
    known: Member, erase: Erase, shop: Channel, at: datetime
) -> None:
    key = ShopKey.objects.create(channel=shop, name="web", key_id="k1", secret="sealed", made_at=at)
    guest = Guest(known.pk, shop.pk, key.pk)
    assert still_vouched_for(guest)

    erase(known)

    assert not still_vouched_for(guest)
