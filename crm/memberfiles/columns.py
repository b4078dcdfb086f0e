"""Which column of an uploaded table holds what. Pure; found by their titles, in Chinese and English."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from crm.feeds.records import UnreadableFile

CHANNEL, NAME, MEMBER, EMAIL, PHONE = "channel", "name", "member", "email", "phone"
IDENTITIES = (NAME, MEMBER, EMAIL, PHONE)

Titles = Mapping[str, Sequence[str]]

# Titles as ``_plain`` writes them. The first of each language is the one that the pages recommend.
IDENTITY_TITLES: Titles = MappingProxyType(
    {
        CHANNEL: (
            "channel", "店铺", "channelcode", "shop", "店铺代码", "店铺编码", "店铺名称", "渠道", "渠道代码",
            "渠道编码",
        ),
        NAME: (
            "nameontheplatform", "平台昵称", "平台账号", "platformname", "buyer", "buyername", "nickname", "externalid",
            "平台名称", "平台用户名", "买家会员名", "买家昵称", "买家", "会员名", "会员昵称", "昵称", "旺旺", "旺旺号",
        ),
        MEMBER: ("memberid", "会员编号", "member", "memberno", "membernumber", "会员id", "会员号"),
        EMAIL: ("email", "邮箱", "mail", "emailaddress", "mailaddress", "电子邮箱", "电子邮件", "邮件"),
        PHONE: ("phone", "手机", "phonenumber", "mobile", "手机号", "手机号码", "电话", "联系手机", "联系电话"),
    }
)  # fmt: skip
_NOISE = re.compile(r"[\s_\-:;.*/()\[\]]+")
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Columns:
    """Where in a row each field stands. ``titles`` are the columns' names in the file, by field."""

    places: Mapping[str, int]
    titles: Mapping[str, str]
    ignored: tuple[str, ...]

    def cell(self, cells: Sequence[str], field: str) -> str:
        """The cell of a field; "" when the file has no such column."""
        place = self.places.get(field)
        return "" if place is None else cells[place]


def find_columns(header: Sequence[str], titles: Titles, needed: str, missing: str) -> Columns:
    """Recognise the columns of a table by their titles, ``IDENTITY_TITLES`` among them.

    Raises ``UnreadableFile``: ``missing`` when the column that is ``needed`` ("" for none) or every identity are
    missing, ``double_column`` when two columns claim to be the same: of two columns of points, say, nobody should have
    to guess which one counts.
    """
    fields = {title: field for field, names in titles.items() for title in names}
    places: dict[str, int] = {}
    ignored: list[str] = []
    for place, title in enumerate(header):
        field = fields.get(_plain(title))
        if field is None:
            if title:
                ignored.append(title)
        elif field in places:
            raise UnreadableFile("double_column", first=header[places[field]], second=title)
        else:
            places[field] = place
    if (needed and needed not in places) or not any(field in places for field in IDENTITIES):
        found = ", ".join(title for title in header[:_SHOWN] if title)
        raise UnreadableFile(missing, found=found)
    return Columns(places, {field: header[place] for field, place in places.items()}, tuple(ignored))


def _plain(title: str) -> str:
    """A title without regard to case, width, blanks and punctuation."""
    return _NOISE.sub("", unicodedata.normalize("NFKC", title).casefold())
