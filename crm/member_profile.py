"""Whether a member has told all that the shop asks of him."""

from crm.models import Member

# The same as ``profile_complete``, for statements in which ``m`` is the member.
PROFILE_COMPLETE = "(m.name <> '' AND (m.email <> '' OR m.phone <> '') AND m.birthday IS NOT NULL)"

# SQL text that is another one as soon as the tier of the member ``m`` has changed, or one can be claimed.
MEMBER_CHANGES = """
(SELECT concat(count(*), '.', max(g.id), '.', max(g.ends_at)) FROM crm_tiergrant AS g WHERE g.member_id = m.id),
(SELECT concat('take ', max(o.id)) FROM crm_tieroffer AS o WHERE o.member_id = m.id AND o.state = 'open')
"""


def profile_complete(member: Member) -> bool:
    """Say whether name, birthday and a way to reach the member stand in his own profile.

    What the platforms say of him stands on his identities and does not count: he has not told it to us.
    """
    return bool(member.name and (member.email or member.phone) and member.birthday)
