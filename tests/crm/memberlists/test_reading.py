"""What a cell of an uploaded list says."""

from decimal import Decimal

import pytest

from crm.feeds.cells import CellError
from crm.memberlists.reading import read_grade, read_percent


@pytest.mark.parametrize(
    ("cell", "percent"),
    [
        ("95%", "95"), ("95", "95"), ("0.95", "95"), ("9.5折", "95"), ("9折", "90"), ("85折", "85"), ("８５％", "85"),
        ("87.5 %", "87.5"), ("100", "100"), ("1", "100"), ("5%", "5"),
    ],
)  # fmt: skip
def test_what_is_paid_is_read_however_it_is_written(cell: str, percent: str) -> None:
    assert read_percent(cell) == Decimal(percent)


@pytest.mark.parametrize("cell", ["9.5", "5", "0", "101", "-5", "95.123", "九折", "9,5", "0%", "=A1"])
def test_what_could_mean_several_things_is_refused(cell: str) -> None:
    with pytest.raises(CellError) as refused:
        read_percent(cell)
    assert refused.value.code == "percent_unreadable"


def test_an_empty_cell_says_nothing_of_the_price() -> None:
    assert read_percent(" ") is None


@pytest.mark.parametrize(
    ("cell", "grade"), [("金牌会员", "金牌会员"), (" VIP  2 ", "VIP 2"), ("无", ""), ("None", ""), ("-", "")]
)
def test_a_grade_is_its_name_and_no_grade_has_words(cell: str, grade: str) -> None:
    assert read_grade(cell) == grade


def test_an_empty_grade_is_not_no_grade() -> None:
    with pytest.raises(CellError) as refused:
        read_grade("")
    assert refused.value.code == "grade_missing"
