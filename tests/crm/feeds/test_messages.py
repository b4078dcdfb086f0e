"""Every code has a sentence, and every sentence says where and what to do."""

import ast
from pathlib import Path

import pytest
from django.utils import translation

from crm import feeds
from crm.feeds import Problem, UnreadableFile
from crm.feeds.messages import KIND_LABELS, PROBLEMS, UNREADABLE, describe

SOURCES = sorted(Path(feeds.__file__).parent.rglob("*.py"))


def codes_given_to(*names: str) -> set[str]:
    """Find the short words in the first argument of calls to these names, in all modules of the feeds."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                place = 2 if node.func.id == "Problem" else 0
                for part in ast.walk(node.args[place]) if len(node.args) > place else ():
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        found.add(part.value)
    return found


def test_every_code_of_a_refused_row_has_its_sentence() -> None:
    codes = codes_given_to("CellError", "Problem")

    assert {"missing", "id_damaged", "short_row"} <= codes
    assert codes <= set(PROBLEMS)


def test_every_code_of_an_unreadable_file_has_its_sentence() -> None:
    codes = codes_given_to("UnreadableFile")

    assert {"truncated", "empty", "encoding"} <= codes
    assert codes <= set(UNREADABLE)


@pytest.mark.parametrize("code", PROBLEMS)
def test_a_problem_is_described_with_its_column_and_value(code: str) -> None:
    with translation.override("en"):
        text = describe(Problem(3, "买家实际支付金额", code, "一百"))

    assert "%(" not in text
    assert text.endswith(".")


def test_a_damaged_number_is_quoted_and_the_way_out_told() -> None:
    with translation.override("en"):
        text = describe(Problem(3, "订单编号", "id_damaged", "3.51531E+16"))

    assert "3.51531E+16" in text and "订单编号" in text and "Export the file again" in text


def test_a_value_without_end_is_shown_in_part() -> None:
    assert len(describe(Problem(3, "订单编号", "value_too_long", "9" * 100_000))) < 1000


def test_an_unreadable_file_is_described_with_the_line() -> None:
    with translation.override("en"):
        assert "line 7" in describe(UnreadableFile("unclosed_quote", line=7))


def test_every_kind_of_file_has_a_label() -> None:
    assert all(str(label) for label in KIND_LABELS.values())
