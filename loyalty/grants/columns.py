"""The columns of a table of points. Pure."""

from types import MappingProxyType

from crm.filekit import IDENTITY_TITLES, Titles

POINTS, REASON, VALID_THROUGH = "points", "reason", "valid_through"

TITLES: Titles = MappingProxyType(
    {
        **IDENTITY_TITLES,
        POINTS: ("points", "积分", "积分数", "积分数量", "积分变动", "赠送积分", "发放积分"),
        REASON: ("reason", "原因", "理由", "说明", "备注", "remark", "note"),
        VALID_THROUGH: (
            "validthrough", "有效期至", "validuntil", "expires", "expiry", "有效期", "到期日", "到期日期", "截止日期",
        ),
    }
)  # fmt: skip
