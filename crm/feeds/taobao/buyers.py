"""Who bought: the columns of a Taobao export that name the buyer."""

from crm.feeds.cells import MAX_NAME_LENGTH, CellError, clean, read_email, read_id, read_phone
from crm.feeds.records import BuyerRecord
from crm.feeds.tables import Columns

BUYER_NAMES = ("买家会员名", "买家会员名称")
NICK_NAMES = ("买家会员昵称", "买家昵称")


class BuyerColumns:
    """Reads the buyer of a row.

    His member name is what makes him the same buyer next time. Newer exports have a nick instead of it, or both. The
    payment account is a mail address or a phone, often masked; the phone of the receiver stands in for it, since
    sellers reach their buyers that way, but it identifies nobody.
    """

    def __init__(self, columns: Columns) -> None:
        name, nick = columns.find(*BUYER_NAMES), columns.find(*NICK_NAMES)
        places = [place for place in (name, nick) if place is not None]
        self.place = places[0] if places else None
        self._nick = places[-1] if places else -1
        self._account = columns.find("买家支付宝账号")
        self._phone = columns.find("联系手机")
        self.places = (self.place, nick, self._account, self._phone)
        self._header = columns.header

    def read(self, cells: list[str], raw: dict[str, str]) -> BuyerRecord:
        """Read the buyer; what names him and is of no use to us (a masked account) goes to ``raw``.

        Raises ``CellError``: ``missing``, ``buyer_masked``, ``value_too_long``, ``id_damaged``.
        """
        external_id = read_id(cells[self.place or 0], MAX_NAME_LENGTH)
        if self._nick != self.place:
            external_id = self._unmasked(external_id, read_id(cells[self._nick], MAX_NAME_LENGTH), raw)
        if not external_id:
            raise CellError("missing")
        if "*" in external_id:
            raise CellError("buyer_masked", external_id)
        email = phone = ""
        if self._account is not None and (account := cells[self._account]):
            email = read_email(account)
            phone = "" if email else read_phone(account)
            if not email and not phone and (account := clean(account)):
                raw[self._header[self._account]] = account
        if self._phone is not None and (cell := cells[self._phone]):
            receiver = read_phone(cell)
            phone = phone or receiver
            if (not receiver or receiver != phone) and (cell := clean(cell)):
                raw[self._header[self._phone]] = cell
        return BuyerRecord(external_id, external_id, email, phone)

    def _unmasked(self, name: str, nick: str, raw: dict[str, str]) -> str:
        """Take the name, or the nick where the name is empty or masked; the other one goes to ``raw``."""
        chosen, other, place = name, nick, self._nick
        if nick and (not name or ("*" in name and "*" not in nick)):
            chosen, other, place = nick, name, self.place or 0
        if other and other != chosen:
            raw[self._header[place]] = other
        return chosen
