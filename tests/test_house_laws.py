"""Laws that are kept by the text of the code itself. Each look-out has its counter-example: a piece of code that breaks
the law, and is found.
"""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

PROJECT = Path(__file__).resolve().parent.parent
FLOORS = ("crm", "loyalty", "redemption")
# Where the world comes in: pages, tasks and commands, the sign-in that a page calls, sessions (Django asks
# their engine without an instant), and what reads uploaded tables.
EDGE = re.compile(
    r"/(admin|views|management|templatetags|resources)/|/(admin|tasks|signin|sessions|apps)\.py$|/migrations/"
)


@dataclass(frozen=True)
class Module:
    """A module of the house: its path from the project's folder, and what it says."""

    path: str
    tree: ast.Module

    @classmethod
    def saying(cls, code: str, path: str = "loyalty/example.py") -> "Module":
        return cls(path, ast.parse(code))

    def calls(self) -> Iterator[tuple[ast.Call, str]]:
        """Every call, with the dotted name of what is called."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield node, ast.unparse(node.func)

    def at(self, node: ast.AST, what: str) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 0)}: {what}"


Lookout = Callable[[Module], list[str]]


def modules(*folders: str) -> list[Module]:
    paths = [path for folder in folders for path in sorted((PROJECT / folder).rglob("*.py"))]
    return [
        Module(str(path.relative_to(PROJECT)), ast.parse(path.read_text()))
        for path in paths
        if "/migrations/" not in str(path)
    ]


HOUSE = modules(*FLOORS)
DOMAIN = [module for module in HOUSE if not EDGE.search(f"/{module.path}")]


def found(lookout: Lookout, among: list[Module]) -> list[str]:
    return [place for module in among for place in lookout(module)]


# Law 1: only the journal writes entries, lots and balances.

# These modules call the journal's functions; everybody else calls these modules.
JOURNAL = {"loyalty/journal.py", "loyalty/renewals.py", "loyalty/nightly.py", "loyalty/close.py"}
# These only read, or lock; with the lock an account may be opened, with nothing in it.
HARMLESS = {
    "loyalty_lock",
    "loyalty_entry_digest", "loyalty_close_digest", "loyalty_entry_text", "loyalty_seals_digest",
    "loyalty_entries_digest", "loyalty_policy", "loyalty_valid_until", "loyalty_revalue",
    "loyalty_returnable", "loyalty_fixed_day",
}  # fmt: skip


def writing_functions() -> set[str]:
    """The database functions that write to the journal's tables, by their texts."""
    text = "\n".join(path.read_text() for path in (PROJECT / "loyalty" / "sql").glob("*.sql"))
    return set(re.findall(r"CREATE FUNCTION (loyalty_\w+)", text)) - HARMLESS


def journal_calls(module: Module) -> list[str]:
    """Where code that is not the journal's calls one of its functions, or lifts its guard."""
    forbidden = re.compile(rf"\b({'|'.join(sorted(writing_functions()))})\(|loyalty\.journal\s*=|set_config\('loyalty")
    return [
        module.at(node, match.group())
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and module.path not in JOURNAL
        if (match := forbidden.search(node.value))
    ]


# The one verb that a function of an upper floor may call, in one round trip with what it writes itself.
DRAW = "loyalty_draw_one"


def journal_calls_in_sql(text: str) -> list[str]:
    """Which of the journal's functions the text of a function of another floor calls, or how it lifts the guard."""
    statements = re.sub(r"--[^\n]*", "", text)
    forbidden = sorted(writing_functions() - {DRAW})
    return re.findall(rf"\b({'|'.join(forbidden)})\s*\(|(loyalty\.journal)", statements)


class TestOnlyTheJournalWrites:
    def test_functions_of_the_store_draw_points_and_write_nothing_else_of_the_journal(self) -> None:
        texts = {path.name: path.read_text() for path in (PROJECT / "redemption" / "sql").glob("*.sql")}

        assert any(f"{DRAW}(" in text for text in texts.values())
        assert [name for name, text in texts.items() if journal_calls_in_sql(text)] == []

    @pytest.mark.parametrize(
        "text", ["PERFORM loyalty_restore(batch, at);", "CREATE FUNCTION f() SET loyalty.journal = 'on'"]
    )
    def test_a_function_that_does_is_found(self, text: str) -> None:
        assert journal_calls_in_sql(text)

    def test_nobody_else_calls_its_functions(self) -> None:
        assert found(journal_calls, modules(*FLOORS, "config")) == []

    def test_who_does_is_found(self) -> None:
        burns = Module.saying("""cursor.execute("SELECT * FROM loyalty_draw(%s, %s)", [rows, at])""")
        lifts = Module.saying("""cursor.execute("SET LOCAL loyalty.journal = 'on'")""")

        assert journal_calls(burns) == ["loyalty/example.py:1: loyalty_draw("]
        assert journal_calls(lifts) == ["loyalty/example.py:1: loyalty.journal ="]


# Law 7: nothing goes out while a transaction is open.

SENDING = re.compile(r"\.(delay|apply_async|send_task|send_messages)$|^(send_mail|mail_admins|mail_managers|urlopen)$")
REMOTE = {"requests", "httpx", "urllib.request", "smtplib", "socket"}
# The one function of a module that hands work over; a transaction may only name it, in ``on_commit``.
HANDS_OVER = {"_dispatch", "call_worker"}


def sends(module: Module) -> list[str]:
    """Where a task or a mail is sent by another function than the one that hands work over, or where that one is called
    inside a transaction. ``on_commit(task.delay)`` calls nothing yet, and is no finding."""
    places: list[str] = []

    def look(node: ast.AST, function: str, in_transaction: bool) -> None:
        for child in ast.iter_child_nodes(node):
            inside, atomic = function, in_transaction
            if isinstance(child, ast.FunctionDef):
                inside = child.name
                atomic = any("atomic" in ast.unparse(decorator) for decorator in child.decorator_list)
            elif isinstance(child, ast.With):
                atomic = atomic or any("atomic" in ast.unparse(item) for item in child.items)
            elif isinstance(child, ast.Call):
                name = ast.unparse(child.func)
                if (SENDING.search(name) and (atomic or inside not in HANDS_OVER)) or (name in HANDS_OVER and atomic):
                    places.append(module.at(child, name))
            elif isinstance(child, ast.Import | ast.ImportFrom):
                names = [getattr(child, "module", None), *(alias.name for alias in child.names)]
                places.extend(module.at(child, name) for name in names if name in REMOTE)
            look(child, inside, atomic)

    look(module.tree, "", False)
    return places


class TestNothingGoesOutOfATransaction:
    # A page sends the mail with the sign-in code. The outbox has one module that talks to the mail server; only the
    # worker's round calls it, which opens no transaction, and whose steps tests/crm/mails/test_crash.py interrupts.
    # Messages to phones go out of a task that writes nothing.
    SENDERS = {"crm/signin.py", "crm/mails/handover.py", "crm/sms/gateway.py"}

    def test_tasks_and_mails_wait_for_the_commit(self) -> None:
        assert found(sends, [module for module in HOUSE if module.path not in self.SENDERS]) == []

    def test_the_mail_server_is_only_talked_to_outside_a_transaction(self) -> None:
        callers = {module.path: module for module in HOUSE if "Handover()" in ast.unparse(module.tree)}

        assert list(callers) == ["crm/mails/sending.py"]
        assert "atomic" not in ast.unparse(callers["crm/mails/sending.py"].tree)

    @pytest.mark.parametrize(
        "code",
        [
            "notify.delay(7)",
            "send_mail('a', 'b', None, ['c'])",
            "import requests",
            "from urllib.request import urlopen",
            "with transaction.atomic():\n    _dispatch(7)",
            "@transaction.atomic\ndef act():\n    call_worker('crm.tasks.run_import', 7)",
            "def _dispatch(job):\n    with transaction.atomic():\n        run.delay(job)",
        ],
    )
    def test_what_goes_out_at_once_is_found(self, code: str) -> None:
        assert sends(Module.saying(code))

    @pytest.mark.parametrize(
        "code",
        [
            "transaction.on_commit(notify.delay)",
            "with transaction.atomic():\n    transaction.on_commit(partial(_dispatch, 7))",
            "def _dispatch(job):\n    run.delay(job)",
        ],
    )
    def test_what_waits_is_not(self, code: str) -> None:
        assert sends(Module.saying(code)) == []


# Law 9: the clock is in the caller's hand.

CLOCKS = re.compile(
    r"^(timezone\.(now|localtime|localdate)|datetime\.(datetime\.)?(now|utcnow|today)|(datetime\.)?date\.today|time\.time|Now)$"
)
SQL_CLOCKS = re.compile(r"\b(now\(\)|current_(timestamp|date|time)|clock_timestamp|statement_timestamp)", re.IGNORECASE)


def reads_the_clock(module: Module) -> list[str]:
    """Where the present instant is asked for: by a call, by a default of a column, or in SQL."""
    places = [module.at(call, name) for call, name in module.calls() if CLOCKS.match(name) and not call.args]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.keyword) and node.arg in {"auto_now", "auto_now_add"}:
            places.append(module.at(node.value, node.arg))
        elif isinstance(node, ast.keyword) and node.arg == "default" and CLOCKS.match(ast.unparse(node.value)):
            places.append(module.at(node.value, "default"))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL_CLOCKS.search(node.value):
            places.append(module.at(node, "SQL"))
    return places


class TestClockInHand:
    def test_no_domain_module_asks_what_time_it_is(self) -> None:
        assert found(reads_the_clock, DOMAIN) == []

    def test_nor_does_a_function_of_the_journal(self) -> None:
        for path in [*(PROJECT / "loyalty" / "sql").glob("*.sql"), *(PROJECT / "redemption" / "sql").glob("*.sql")]:
            statements = re.sub(r"--[^\n]*", "", path.read_text())
            assert SQL_CLOCKS.search(statements) is None, path.name

    @pytest.mark.parametrize(
        "code",
        [
            "at = timezone.now()", "at = datetime.now(tz=UTC)", "day = date.today()", "at = datetime.datetime.utcnow()",
            "field = models.DateTimeField(auto_now_add=True)", "field = models.DateTimeField(default=timezone.now)",
            "cursor.execute('UPDATE t SET at = now()')", "queryset.update(at=Now())",
        ],
    )  # fmt: skip
    def test_who_does_is_found(self, code: str) -> None:
        assert reads_the_clock(Module.saying(code))

    def test_the_edge_may(self) -> None:
        assert any(reads_the_clock(module) for module in HOUSE if module not in DOMAIN)
        assert {module.path for module in HOUSE} >= {"loyalty/journal.py", "crm/orders.py", "redemption/checkout.py"}


# Law 10: points are integers, money is Decimal, and a rounding says its direction.

DIRECTION = re.compile(r"(^|_)(down|up|half_up|half_even|floor|ceiling)(_|$)")
# Figures that nobody is paid by: seconds, rates of progress, and how a number is written.
UNPAID = {
    "loyalty/nightly.py", "crm/admin/import_page.py", "loyalty/admin/grant_page.py", "loyalty/earning/reading.py",
}  # fmt: skip
ROUNDS = re.compile(r"^(round|math\.floor|math\.ceil|floor|ceil)$|\.(quantize|to_integral_value|to_integral_exact)$")


def roundings(module: Module) -> list[str]:
    """Where something is rounded in a function whose name does not say in which direction. To compare a number with its
    rounded self asks whether it is a whole one, and rounds nothing."""
    places: list[str] = []

    def look(node: ast.AST, function: str) -> None:
        for child in ast.iter_child_nodes(node):
            inside = child.name if isinstance(child, ast.FunctionDef) else function
            if isinstance(child, ast.Call) and ROUNDS.search(ast.unparse(child.func)) and not DIRECTION.search(inside):
                places.append(module.at(child, f"{inside or 'module'}: {ast.unparse(child)}"))
            if not isinstance(child, ast.Compare):
                look(child, inside)

    look(module.tree, "")
    return places


def floats(module: Module) -> list[str]:
    """Where a number that is no whole one comes in without being a Decimal."""
    places = [module.at(call, name) for call, name in module.calls() if name == "float" or name.endswith("FloatField")]
    return places + [
        module.at(node, repr(node.value))
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, float)
    ]


class TestWholePointsAndDecimalMoney:
    # Progress bars, instants that are compared, the ranking of examples, what charts draw, and the limit of what a
    # workbook can say.
    WITHOUT_MONEY = {
        "crm/imports/counts.py", "crm/order_staging.py", "crm/order_stream.py", "crm/feeds/workbooks.py",
        "loyalty/backtest/figures.py", "redemption/admin/report_pages.py", *UNPAID,
    }  # fmt: skip

    def test_no_column_is_a_float(self) -> None:
        columns = [
            f"{model._meta.label}.{field.name}"
            for model in apps.get_models()
            if model._meta.app_label in FLOORS
            for field in model._meta.get_fields()
            if isinstance(field, models.FloatField)
        ]
        assert columns == []

    def test_points_are_whole_and_money_is_decimal_in_every_column(self) -> None:
        """A column named for points has no places after the point; one in yuan has a fixed number of them."""
        for model in apps.get_models():
            if model._meta.app_label == "loyalty":
                for field in model._meta.concrete_fields:
                    if field.name in {"points", "remaining", "balance", "pending", "held", "balance_after"}:
                        assert isinstance(field, models.IntegerField | models.BooleanField), field
                    if field.name in {"liability", "cost_per_point", "per"}:
                        assert isinstance(field, models.DecimalField), field

    def test_no_float_in_code_that_counts(self) -> None:
        assert found(floats, [module for module in HOUSE if module.path not in self.WITHOUT_MONEY]) == []

    def test_every_rounding_is_in_a_function_that_names_its_direction(self) -> None:
        assert found(roundings, [module for module in HOUSE if module.path not in UNPAID]) == []

    @pytest.mark.parametrize("code", ["price = float(text)", "rate = 0.5", "x = models.FloatField()"])
    def test_a_float_is_found(self, code: str) -> None:
        assert floats(Module.saying(code))

    @pytest.mark.parametrize("code", ["round(paid)", "paid.quantize(FEN)", "math.ceil(paid / 3)"])
    def test_a_rounding_without_a_name_is_found(self, code: str) -> None:
        assert roundings(Module.saying(f"def award(paid):\n    return {code}"))
        assert roundings(Module.saying(f"def award_rounded_down(paid):\n    return {code}")) == []


# Law 12: nothing is dropped silently.


ANYTHING = {"Exception", "BaseException"}


def swallows(module: Module) -> list[str]:
    """Where any error at all is caught and nothing is said, kept or raised about it."""
    places = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            broad = node.type is None or ast.unparse(node.type) in ANYTHING
            silent = all(isinstance(line, ast.Pass | ast.Continue | ast.Break) for line in node.body)
            if broad and silent:
                places.append(module.at(node, "except"))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            places += [module.at(node, "suppress") for argument in node.args if ast.unparse(argument) in ANYTHING]
    return places


class TestNothingIsDroppedSilently:
    def test_no_error_is_swallowed_whole(self) -> None:
        assert found(swallows, modules(*FLOORS, "config")) == []

    @pytest.mark.parametrize(
        "code",
        [
            "try:\n    act()\nexcept Exception:\n    pass",
            "for row in rows:\n    try:\n        act(row)\n    except:\n        continue",
            "with contextlib.suppress(Exception):\n    act()",
        ],
    )
    def test_one_that_is_is_found(self, code: str) -> None:
        assert swallows(Module.saying(code))


# The layers: import-linter's contracts (pyproject.toml).


class TestLayers:
    LINTER = Path(sys.executable).with_name("lint-imports")

    @pytest.fixture
    def copy_of_the_house(self, tmp_path: Path) -> Path:
        for floor in ("config", *FLOORS):
            shutil.copytree(PROJECT / floor, tmp_path / floor, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(PROJECT / "pyproject.toml", tmp_path)
        return tmp_path

    def lint(self, house: Path) -> str:
        command = [str(self.LINTER), "--no-cache"]
        return subprocess.run(command, cwd=house, capture_output=True, text=True, check=False).stdout

    def test_imports_run_down(self) -> None:
        assert "0 broken" in self.lint(PROJECT)

    @pytest.mark.parametrize(
        ("module", "line", "contract"),
        [
            ("crm/orders.py", "from loyalty.journal import post", "Imports run down"),
            ("redemption/checkout.py", "from loyalty.journal import post", "The store uses points"),
            ("loyalty/accrual.py", "from crm.models import Order", "Points use buyers"),
            ("loyalty/order_plan.py", "from loyalty.models import Entry", "Decisions do not touch the database"),
        ],
    )
    def test_an_import_that_runs_up_or_round_the_api_is_found(
        self, copy_of_the_house: Path, module: str, line: str, contract: str
    ) -> None:
        path = copy_of_the_house / module
        path.write_text(f"{path.read_text()}\n{line}\n")

        report = self.lint(copy_of_the_house)

        assert re.search(rf"{contract}.* BROKEN", report), report


# The table of the laws itself.

NAMED = re.compile(r"`(tests/[\w/]+\.py)((?:::\w+)+)`")


def missing_tests(text: str) -> list[str]:
    """Which of the tests that a text names are not there."""
    missing = []
    for path, names in NAMED.findall(text):
        scope: ast.AST = ast.parse((PROJECT / path).read_text()) if (PROJECT / path).exists() else ast.Module([], [])
        for name in names.removeprefix("::").split("::"):
            inside = [n for n in ast.iter_child_nodes(scope) if getattr(n, "name", "") == name]
            if not inside:
                missing.append(f"{path}{names}")
                break
            scope = inside[0]
    return missing


class TestTableOfLaws:
    TEXT = (PROJECT / "docs" / "laws.md").read_text()
    ROWS = [line.strip("|").split("|") for line in TEXT.splitlines() if line.startswith("| ")][1:]

    def test_every_test_that_it_names_is_there(self) -> None:
        assert len(NAMED.findall(self.TEXT)) > 50
        assert missing_tests(self.TEXT) == []

    def test_one_that_is_not_is_found(self) -> None:
        assert missing_tests("`tests/test_house_laws.py::TestLayers::test_that_never_was`")
        assert missing_tests("`tests/test_nowhere.py::test_imports_run_down`")
        assert missing_tests("`tests/test_house_laws.py::TestLayers::test_imports_run_down`") == []

    def test_every_law_has_a_guard_a_proof_and_a_counter_test(self) -> None:
        laws = {match.group(1) for row in self.ROWS if (match := re.match(r" \*{0,2}(\d+)\b", row[0]))}

        assert laws == {str(number) for number in range(1, 13)}
        for row in self.ROWS:
            assert len(row) == 4
            assert row[1].strip(), row
            assert NAMED.search(row[2]), row
            assert NAMED.search(row[3]), row
