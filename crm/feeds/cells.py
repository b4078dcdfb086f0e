"""One cell of an export, read into a value: ids, money, quantities, times, mail addresses and phones.

Every reader either returns a value or raises ``CellError`` with a stable code; the caller knows the line and the
column. The readers have a fast way for what platforms normally write and a slow one for everything else, since they run
some ten times for every row of files with millions of rows.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import TypeVar
from zoneinfo import ZoneInfo

from crm.money import cents_half_up

Value = TypeVar("Value")

WRAPPED = "='\t "  # What a cell begins with that ``clean`` has more to do for than to strip the end.
TEN_THOUSANDTH = Decimal("0.0001")
MAX_AMOUNT = Decimal(10_000_000)  # More than this in one order is a shifted column, not a sale.
MAX_QUANTITY = 1_000_000
MAX_NUMBER_LENGTH = 40
MAX_ID_LENGTH = 64
MAX_NAME_LENGTH = 120
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)  # No shop of these platforms is older.
FUTURE_TOLERANCE = timedelta(days=1)  # A platform's clock, or a wrong time zone, may run ahead of ours.

# Excel shows a long number as 3.51531E+16: the digits behind are lost, so the id is.
_SCIENTIFIC = re.compile(r"[0-9](?:\.[0-9]+)?[eE]\+?[0-9]{2,3}\Z")
_GROUPED = {
    ".": re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?\Z"),
    ",": re.compile(r"[0-9]{1,3}(?:[. \u00a0][0-9]{3})+(?:,[0-9]*)?\Z"),
}
_PLAIN = {".": re.compile(r"[0-9]*\.?[0-9]+\.?\Z"), ",": re.compile(r"[0-9]*,?[0-9]+,?\Z")}
_CURRENCY = re.compile(r"\A(?:[¥￥$€£]|CNY|RMB|元)\s*|\s*(?:元|CNY|RMB|[¥￥$€£])\Z", re.IGNORECASE)
_MOMENT = re.compile(
    r"([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?"
    r"(?:[ T]+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?)?\Z"
)
_SPACED_OFFSET = re.compile(r" (?=[+-][0-9]{2}:?[0-9]{2}\Z)")
_EMAIL = re.compile(r"[a-z0-9._%+'-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+\Z")
_PHONE_NOISE = re.compile(r"[\s\u200b-\u200f\u202a-\u202e().\-\uff08\uff09\u2010-\u2015]+")
_MAINLAND_MOBILE = re.compile(r"1[3-9][0-9]{9}\Z")


class CellError(ValueError):
    """A cell that cannot be used. ``code`` is stable; ``value`` is what stood there, ``column`` where, once known."""

    def __init__(self, code: str, value: str = "", column: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.value = value
        self.column = column


def needed(value: Value | None) -> Value:
    """Give back a value that must be there. Raises ``CellError``: ``missing``."""
    if value is None:
        raise CellError("missing")
    return value


def clean(cell: str) -> str:
    """Free a cell of what exporters wrap around text: ``="…"``, a leading ``'``, tabs and blanks, and ``'null``."""
    text = cell.strip()
    if text and text[0] in WRAPPED:
        if text.startswith('="') and text.endswith('"') and len(text) > 2:
            text = text[2:-1].strip()
        elif text[0] == "'":
            text = text[1:].strip()
            if text == "null":
                return ""
    return text


def read_id(cell: str, max_length: int = MAX_ID_LENGTH) -> str:
    """Read a number or name that identifies something; "" when the cell is empty.

    Spreadsheets append ``.0`` to whole numbers, which is taken off as long as the number is exact.
    Raises ``CellError``: ``id_damaged`` when a spreadsheet has rounded the id away, ``value_too_long``.
    """
    text = clean(cell)
    if text.endswith(".0") and text[:-2].isdigit():
        text = text[:-2]
        if len(text) > 15:
            raise CellError("id_damaged", cell.strip())
    elif ("+" in text or "." in text) and _SCIENTIFIC.match(text):
        raise CellError("id_damaged", text)
    if len(text) > max_length:
        raise CellError("value_too_long", text)
    return text


def read_digits(cell: str) -> str:
    """Read an id that the platform writes in digits only. Raises ``CellError``: ``missing``, ``id_damaged``."""
    text = cell[2:-1] if cell[:2] == '="' else cell
    if text.isdigit() and text.isascii() and len(text) <= MAX_ID_LENGTH:
        return text
    text = read_id(cell)
    if not text:
        raise CellError("missing")
    if not (text.isdigit() and text.isascii()):
        raise CellError("id_damaged", text)
    return text


def ten_thousandths_half_up(value: Decimal) -> Decimal:
    """Round to the ten-thousandth, half of one away from zero."""
    return value.quantize(TEN_THOUSANDTH, rounding=ROUND_HALF_UP)


def _number(text: str, decimal_mark: str) -> Decimal:
    """Read a number with or without sign, currency and thousands marks. Raises ``ValueError`` when it is none."""
    if len(text) > MAX_NUMBER_LENGTH:
        raise ValueError(text)
    text = _CURRENCY.sub("", text).strip()
    negative = text.startswith(("-", "−")) or (text.startswith("(") and text.endswith(")"))
    digits = _CURRENCY.sub("", text.strip("()").lstrip("+-−").strip()).replace("，", ",")
    if _GROUPED[decimal_mark].match(digits):
        whole, mark, fraction = digits.partition(decimal_mark)
        digits = re.sub(r"[^0-9]", "", whole) + mark + fraction
    elif not _PLAIN[decimal_mark].match(digits):
        raise ValueError(text)
    value = Decimal(digits.replace(",", "."))
    return -value if negative else value


def _amount(cell: str, decimal_mark: str, *, signed: bool) -> Decimal | None:
    text = clean(cell)
    if not text:
        return None
    try:
        value = _number(text, decimal_mark)
    except ValueError:
        raise CellError("amount_unreadable", text) from None
    if value < 0 and not signed:
        raise CellError("amount_negative", text)
    if abs(value) > MAX_AMOUNT:
        raise CellError("amount_absurd", text)
    return value


@lru_cache(maxsize=1 << 14)
def read_money(cell: str, decimal_mark: str = ".") -> Decimal | None:
    """Read an amount to the cent; ``None`` when the cell is empty.

    Raises ``CellError``: ``amount_unreadable``, ``amount_negative``, ``amount_absurd``.
    """
    whole, _mark, cents = cell.partition(decimal_mark)
    if len(cents) == 2 and len(whole) <= 7 and cents.isdigit() and whole.isdigit() and cell.isascii():
        return Decimal(f"{whole}.{cents}")
    value = _amount(cell, decimal_mark, signed=False)
    return None if value is None else cents_half_up(value)


def read_refund(cell: str, decimal_mark: str = ".") -> Decimal:
    """Read an amount that went back and cannot be nothing. Raises as ``read_money``; ``missing``, ``amount_zero``."""
    value = needed(read_money(cell, decimal_mark))
    if not value:
        raise CellError("amount_zero", cell.strip())
    return value


@lru_cache(maxsize=1 << 14)
def read_price(cell: str, decimal_mark: str = ".", *, signed: bool = False) -> Decimal | None:
    """Read a price of one piece, to a ten-thousandth; ``None`` when the cell is empty. Raises as ``read_money``."""
    value = _amount(cell, decimal_mark, signed=signed)
    return None if value is None else ten_thousandths_half_up(value)


@lru_cache(maxsize=1 << 12)
def read_quantity(cell: str, *, signed: bool = False) -> int | None:
    """Read a whole number of pieces; ``None`` when the cell is empty.

    Raises ``CellError``: ``quantity_unreadable``, ``quantity_negative``, ``quantity_absurd``.
    """
    text = clean(cell)
    if not text:
        return None
    try:
        value = _number(text, ".")
    except ValueError:
        raise CellError("quantity_unreadable", text) from None
    if value != value.to_integral_value():
        raise CellError("quantity_unreadable", text)
    if value < 0 and not signed:
        raise CellError("quantity_negative", text)
    if abs(value) > MAX_QUANTITY:
        raise CellError("quantity_absurd", text)
    return int(value)


class TimeReader:
    """Reads times written in one time zone into aware UTC instants, and refuses those that cannot be.

    ``at`` is the instant of reading: what lies more than a day after it is in the future. ``formats`` (as of
    ``strptime``) replace the usual spellings where a shop writes days and months in another order.
    """

    def __init__(self, zone: str, at: datetime, formats: tuple[str, ...] = ()) -> None:
        self._zone = ZoneInfo(zone)
        self._latest = at + FUTURE_TOLERANCE
        self._formats = formats
        # The zone's offset on a day, as text: appending it lets the C parser do all the work. Days on which the
        # clocks change are never put here.
        self._offsets: dict[str, str] = {}

    def read(self, cell: str) -> datetime | None:
        """Read an instant; ``None`` when the cell is empty.

        Raises ``CellError``: ``time_unreadable``, ``time_too_old``, ``time_future``.
        """
        if not cell:
            return None
        value = None
        if len(cell) == 19 and (offset := self._offsets.get(cell[:10])):
            try:
                value = datetime.fromisoformat(cell + offset).astimezone(UTC)
            except ValueError:
                value = None
        if value is None:
            text = clean(cell)
            if not text:
                return None
            value = self._parse(text)
        if EARLIEST <= value <= self._latest:
            return value
        raise CellError("time_too_old" if value < EARLIEST else "time_future", cell.strip())

    def _parse(self, text: str) -> datetime:
        value = self._with_formats(text) if self._formats else self._usual(text)
        if value is None:
            raise CellError("time_unreadable", text)
        try:
            if value.tzinfo is None or value.tzinfo is self._zone:
                self._remember_offset(value, text)
                value = value.replace(tzinfo=self._zone)
            return value.astimezone(UTC)
        except OverflowError:
            raise CellError("time_unreadable", text) from None

    def _with_formats(self, text: str) -> datetime | None:
        for layout in self._formats:
            try:
                if "%z" in layout:
                    return datetime.strptime(text, layout).astimezone(UTC)
                return datetime.strptime(text, layout).replace(tzinfo=self._zone)
            except (ValueError, OverflowError):  # The second for the first and the last day of all time.
                continue
        return None

    def _usual(self, text: str) -> datetime | None:
        if match := _MOMENT.match(text):
            try:
                year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
                return datetime(year, month, day, hour, minute, second, tzinfo=self._zone)
            except ValueError:
                return None
        try:
            return datetime.fromisoformat(_SPACED_OFFSET.sub("", text)) if ":" in text else None
        except ValueError:
            return None

    def _remember_offset(self, value: datetime, text: str) -> None:
        day = f"{value:%Y-%m-%d}"
        if self._formats or not text.startswith(day):
            return
        midnight = datetime(value.year, value.month, value.day, tzinfo=self._zone)
        if midnight.utcoffset() == (midnight + timedelta(days=1)).utcoffset():
            if len(self._offsets) > 20_000:
                self._offsets.clear()
            self._offsets[day] = midnight.isoformat()[-6:]


def read_email(cell: str) -> str:
    """Read a complete mail address in lower case; "" for anything else, a masked one included."""
    if "@" not in cell or len(cell) > 300:
        return ""
    text = clean(cell).lower()
    return text if len(text) <= 254 and _EMAIL.match(text) else ""


def read_phone(cell: str) -> str:
    """Read a complete phone number as digits; "" for anything else, a masked one included.

    A mainland mobile has its eleven digits without +86; any other number needs its country code and keeps it.
    """
    text = clean(cell)
    if len(text) == 11 and _MAINLAND_MOBILE.match(text):
        return text
    text = _PHONE_NOISE.sub("", text)
    international = text.startswith(("+", "00"))
    digits = text[1:] if text.startswith("+") else text[2:] if international else text
    if not (digits.isdigit() and digits.isascii()):
        return ""
    if digits.startswith("86") and _MAINLAND_MOBILE.match(digits[2:]):
        return digits[2:]
    if international:
        return digits if 6 <= len(digits) <= 15 and not digits.startswith("86") else ""
    return digits if _MAINLAND_MOBILE.match(digits) else ""
