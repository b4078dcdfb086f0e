"""A month as a calendar shows it. Pure."""

from calendar import MONDAY, Calendar
from dataclasses import dataclass
from datetime import date

from loyalty.api import CheckInBoard


@dataclass(frozen=True, slots=True)
class Cell:
    """A day of the calendar."""

    day: date
    signed: bool
    today: bool


def month_of(board: CheckInBoard) -> list[list[Cell | None]]:
    """The weeks of the month of today, beginning with Monday; None for days of other months."""
    return [
        [Cell(day, day in board.signed, day == board.today) if day.month == board.today.month else None for day in week]
        for week in Calendar(MONDAY).monthdatescalendar(board.today.year, board.today.month)
    ]
