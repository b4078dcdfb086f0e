"""The laws that the database itself keeps. Each test has its counter-test: the same act without the guard succeeds."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, models, transaction
from django.db.utils import DatabaseError, IntegrityError

from crm.models import Member
from crm.models.stafflog import StaffAction
from crm.stafflog import log_action
from loyalty.models import Account, EarnRule, Entry, Lot, LotUse, RuleSet
from loyalty.movements import burn
from loyalty.rulebook import draft_of, publish_rate
from tests.cast import NOON
from tests.loyalty.postings import balance, earned, write
from tests.loyalty.tampering import APPEND_ONLY, CHECK_VIOLATION, JOURNAL_ONLY, execute, refusal_of, without

Act = Callable[[], object]
DAYS = timedelta(days=9)

GUARDED: dict[type[models.Model], str] = {
    Account: "account_journal_only",
    Entry: "entry_journal_only",
    Lot: "lot_journal_only",
    LotUse: "lotuse_journal_only",
}
UPDATES: dict[type[models.Model], dict[str, object]] = {
    Account: {"balance": 1_000_000},
    Entry: {"reference": "something else"},
    Lot: {"remaining": 1},
    LotUse: {"points": 1},
}
TABLES = pytest.mark.parametrize("model", GUARDED, ids=lambda model: model.__name__)
FROZEN = pytest.mark.parametrize(
    ("model", "guard"), [(Entry, "entry_append_only"), (LotUse, "lotuse_append_only")], ids=["Entry", "LotUse"]
)


@pytest.fixture(autouse=True)
def ledger(xiaolu: Member, at: datetime) -> None:
    """A ledger with a row in each table: 林小鹿 earned a hundred points and spent forty."""
    write(earned(xiaolu, 100, key="in", at=at, expires_at=at + timedelta(days=365)), at=at)
    burn(xiaolu.pk, 40, key="out", at=at)


def refused(act: Act) -> str:
    """Do what is forbidden and return how the database refused it."""
    with pytest.raises(DatabaseError) as error, transaction.atomic():
        act()
    return refusal_of(error.value)


def change(model: type[models.Model]) -> int:
    """Change all rows of a table through the ORM."""
    return model._default_manager.update(**UPDATES[model])


def delete(model: type[models.Model]) -> int:
    """Delete the newest row of a table that nothing hangs on."""
    newest = f"(SELECT max({model._meta.pk.column}) FROM {model._meta.db_table})"
    return execute(f"DELETE FROM {model._meta.db_table} WHERE {model._meta.pk.column} = {newest}")


def insert(model: type[models.Model]) -> object:
    """Save a new row of a table through the ORM."""
    entry, lot, stranger = (
        Entry.objects.latest("id"),
        Lot.objects.latest("id"),
        Member.objects.create(joined_at=Entry.objects.latest("id").recorded_at),
    )
    row: models.Model
    if model is Account:
        row = Account(member=stranger, balance=1)
    elif model is Entry:
        row = Entry(
            account_id=entry.account_id, kind="accrual", points=1, balance_after=61, key="smuggled", digest=b"1",
            effective_at=entry.effective_at, recorded_at=entry.recorded_at,
        )  # fmt: skip
    elif model is Lot:
        row = Lot(account_id=entry.account_id, entry=entry, points=1, remaining=1)
    else:
        row = LotUse(entry=entry, lot=lot, points=1)
    row.save(force_insert=True)
    return row


class TestOnlyTheJournalWrites:
    """Law 1. The guard is the statement trigger ``…_journal_only`` of each table."""

    @TABLES
    def test_nobody_else_inserts(self, model: type[models.Model]) -> None:
        assert refused(lambda: insert(model)) == JOURNAL_ONLY

    @TABLES
    def test_without_the_guard_an_insert_goes_through(self, model: type[models.Model]) -> None:
        with without(model, GUARDED[model]):
            assert insert(model)

    @TABLES
    def test_nobody_else_updates(self, model: type[models.Model]) -> None:
        assert refused(lambda: change(model)) in {JOURNAL_ONLY, APPEND_ONLY}

    @TABLES
    def test_nobody_else_deletes(self, model: type[models.Model]) -> None:
        assert refused(lambda: delete(model)) in {JOURNAL_ONLY, APPEND_ONLY}

    @pytest.mark.parametrize("model", [Account, Lot])
    def test_without_the_guard_an_update_and_a_delete_go_through(self, model: type[models.Model]) -> None:
        with without(model, GUARDED[model]):
            assert change(model) == 1
            assert delete(model) == 1

    @pytest.mark.parametrize("model", [Account, Lot])
    def test_raw_sql_is_refused_like_the_orm(self, model: type[models.Model]) -> None:
        [(column, value)] = UPDATES[model].items()

        assert refused(lambda: execute(f"UPDATE {model._meta.db_table} SET {column} = %s", value)) == JOURNAL_ONLY

    def test_saving_a_changed_object_is_refused(self, xiaolu: Member) -> None:
        account = Account.objects.get(pk=xiaolu.pk)
        account.balance = 10**9

        assert refused(account.save) == JOURNAL_ONLY
        assert refused(Entry.objects.get(key="out").save) == APPEND_ONLY
        assert balance(xiaolu) == 60

    def test_the_guard_is_up_again_after_the_journal_wrote_in_the_same_transaction(
        self, xiaolu: Member, at: datetime
    ) -> None:
        burn(xiaolu.pk, 1, key="again", at=at)

        assert refused(lambda: change(Account)) == JOURNAL_ONLY

    def test_and_after_the_journal_refused(self, xiaolu: Member, at: datetime) -> None:
        with pytest.raises(Exception, match="missing"):
            burn(xiaolu.pk, 10**6, key="too much", at=at)

        assert refused(lambda: change(Account)) == JOURNAL_ONLY


class TestWhatIsWrittenStays:
    """Law 1, second half. The guard is the statement trigger ``…_append_only``: not even the journal gets past it."""

    @FROZEN
    def test_nobody_changes_a_row_even_in_the_journal_s_name(self, model: type[models.Model], guard: str) -> None:
        execute("SET LOCAL loyalty.journal = 'on'")

        assert refused(lambda: change(model)) == APPEND_ONLY

    @FROZEN
    def test_nobody_deletes_a_row_even_in_the_journal_s_name(self, model: type[models.Model], guard: str) -> None:
        execute("SET LOCAL loyalty.journal = 'on'")

        assert refused(lambda: delete(model)) == APPEND_ONLY

    @FROZEN
    def test_without_the_guard_the_journal_s_name_is_enough(self, model: type[models.Model], guard: str) -> None:
        with without(model, guard):
            execute("SET LOCAL loyalty.journal = 'on'")
            assert change(model)
            assert delete(model) == 1

    def test_what_staff_did_stays_in_the_log(self, xiaolu: Member, at: datetime) -> None:
        log_action("points.adjusted", actor_id=None, at=at, member_id=xiaolu.pk, reason="A gift")

        assert refused(lambda: StaffAction.objects.update(reason="Never happened"))
        assert refused(lambda: StaffAction.objects.all().delete())
        assert StaffAction.objects.get().reason == "A gift"

    def test_without_the_guard_the_log_could_be_rewritten(self, xiaolu: Member, at: datetime) -> None:
        log_action("points.adjusted", actor_id=None, at=at, member_id=xiaolu.pk, reason="A gift")

        with without(StaffAction, "staffaction_append_only"):
            assert StaffAction.objects.update(reason="Never happened") == 1
            assert StaffAction.objects.all().delete()[0] == 1


class TestAPublishedSetOfRulesIsFrozen:
    """Law 6 rests on it: what an order earned is told by the set of its day. The guards are the row triggers
    ``ruleset_frozen`` and ``earnrule_frozen``."""

    @pytest.fixture
    def published(self, at: datetime) -> RuleSet:
        return publish_rate(Decimal(1), 1, effective_from=at, at=at, actor_id=None, reason="Opening")

    @pytest.fixture
    def draft(self, published: RuleSet, at: datetime) -> RuleSet:
        return draft_of(1, at=at, actor_id=None)

    def acts(self, published: RuleSet, draft: RuleSet) -> dict[str, Act]:
        """Everything that would change what a published set says."""
        [rule] = published.rules.all()
        mine = EarnRule.objects.filter(rule_set=published)
        return {
            "change a rule": lambda: mine.update(config={"points": 5}),
            "switch it off": lambda: mine.update(enabled=False),
            "take it away": mine.delete,
            "move it into a draft": lambda: mine.update(rule_set=draft, code="moved"),
            "move another one in": lambda: draft.rules.update(rule_set=published, code="smuggled"),
            "add one": lambda: EarnRule.objects.create(rule_set=published, code="more", kind=rule.kind),
            "begin earlier": lambda: RuleSet.objects.filter(pk=published.pk).update(effective_from=NOON - DAYS),
            "make it a draft again": lambda: RuleSet.objects.filter(pk=published.pk).update(
                state="draft", version=None, published_at=None
            ),
        }

    ACTS = (
        "change a rule", "switch it off", "take it away", "move it into a draft", "move another one in", "add one",
        "begin earlier", "make it a draft again",
    )  # fmt: skip

    @pytest.mark.parametrize("act", ACTS)
    def test_nobody_changes_what_it_says(self, published: RuleSet, draft: RuleSet, act: str) -> None:
        assert refused(self.acts(published, draft)[act]) == APPEND_ONLY

    @pytest.mark.parametrize("act", ACTS)
    def test_without_the_guards_it_could_be_done(self, published: RuleSet, draft: RuleSet, act: str) -> None:
        forbidden = self.acts(published, draft)[act]

        with without(RuleSet, "ruleset_frozen"), without(EarnRule, "earnrule_frozen"):
            assert forbidden()

    def test_nobody_deletes_it(self, published: RuleSet) -> None:
        assert refused(published.delete) == APPEND_ONLY
        with without(RuleSet, "ruleset_frozen"), without(EarnRule, "earnrule_frozen"):
            assert published.delete()[0] == 2

    def test_a_draft_is_anybody_s(self, draft: RuleSet) -> None:
        assert draft.rules.update(enabled=False) == 1
        assert draft.delete()[0] == 2


class TestNeverNegativeBySpending:
    """Law 3. The guards are check constraints: even a faulty journal could not overspend."""

    BURN = """
        INSERT INTO loyalty_entry (account_id, kind, points, pending, held, balance_after, key, digest, effective_at,
                                   recorded_at, reference, reason, trace)
        SELECT account_id, %s, -100, 0, 0, -40, 'overspent', digest, effective_at, recorded_at, '', 'why', '{}'
          FROM loyalty_entry WHERE key = 'out'
    """

    @pytest.mark.parametrize("kind", ["burn", "adjustment", "expiry"])
    def test_nothing_but_a_reversal_leads_below_zero(self, kind: str) -> None:
        execute("SET LOCAL loyalty.journal = 'on'")

        with pytest.raises(IntegrityError, match="loyalty_entry_sound") as error:
            execute(self.BURN, kind)

        assert refusal_of(error.value) == CHECK_VIOLATION

    def test_a_reversal_may(self) -> None:
        execute("SET LOCAL loyalty.journal = 'on'")

        assert execute(self.BURN, "reversal") == 1

    def test_without_the_constraint_a_burn_would_go_below_zero(self) -> None:
        execute("SET LOCAL loyalty.journal = 'on'")
        execute("SET CONSTRAINTS ALL IMMEDIATE")
        execute("ALTER TABLE loyalty_entry DROP CONSTRAINT loyalty_entry_sound")

        assert execute(self.BURN, "burn") == 1

    def test_a_lot_never_gives_more_than_it_has(self) -> None:
        execute("SET LOCAL loyalty.journal = 'on'")

        with pytest.raises(IntegrityError, match="loyalty_lot_remaining_in_range"):
            execute("UPDATE loyalty_lot SET remaining = remaining - 61")

    def test_without_the_constraint_a_lot_would(self) -> None:
        execute("SET LOCAL loyalty.journal = 'on'")
        execute("SET CONSTRAINTS ALL IMMEDIATE")
        execute("ALTER TABLE loyalty_lot DROP CONSTRAINT loyalty_lot_remaining_in_range")

        assert execute("UPDATE loyalty_lot SET remaining = remaining - 61") == 1

    def test_an_adjustment_without_a_reason_is_refused(self) -> None:
        execute("SET LOCAL loyalty.journal = 'on'")

        with pytest.raises(IntegrityError, match="loyalty_entry_sound"):
            execute(self.BURN.replace("'why'", "''").replace("-40", "40"), "adjustment")


def test_a_key_is_unique_for_ever() -> None:
    """Law 4, the last resort behind the journal's own look-up: a unique constraint."""
    execute("SET LOCAL loyalty.journal = 'on'")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM loyalty_entry WHERE key = 'out'")
        assert cursor.fetchone() == (1,)

    with pytest.raises(IntegrityError, match="loyalty_entry_key"):
        execute(TestNeverNegativeBySpending.BURN.replace("'overspent'", "'out'").replace("-40", "40"), "burn")
