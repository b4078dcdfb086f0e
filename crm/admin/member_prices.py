"""The parts of a member's page that tell what his prices depend on besides his tier: grades on other tools, and whether
he always pays the list price."""

from typing import Any

from django.http import HttpRequest

from crm.adminkit import may
from crm.models import MemberPlatformGrade, NoDiscount
from crm.price_words import percent_in_words


def grades_panel(request: HttpRequest, member_id: int) -> dict[str, Any]:
    """The member's grade on each tool, what it takes off, since when and from which file it is known. One query."""
    grades = MemberPlatformGrade.objects.filter(member=member_id).select_related("tool__channel", "grade")
    return {
        "rows": [
            {
                "tool": row.tool,
                "grade": row.grade.name if row.grade else "",
                "pays": percent_in_words(percent) if row.grade and (percent := row.grade.discount_percent) else "",
                "only_in": row.tool.channel if row.tool.own_channel_only else None,
                "seen_at": row.seen_at,
                "source": row.source,
                "order_no": row.order_no,
            }
            for row in grades.order_by("tool__name")
        ],
        "may_see_tools": may(request, "crm.view_platformtool"),
    }


def no_discount_panel(request: HttpRequest, member_id: int) -> dict[str, Any]:
    """Whether the member always pays the list price, since when, by whom and why, and when he did. One query."""
    rows = list(NoDiscount.objects.filter(member=member_id).select_related("added_by").order_by("-since", "-pk"))
    return {"rows": rows, "now": next((row for row in rows if row.until is None), None)}
