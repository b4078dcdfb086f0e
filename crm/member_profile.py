"""Whether a member has told all that the shop asks of him."""

from crm.models import Member

# The same as ``profile_complete``, for statements in which ``m`` is the member.
PROFILE_COMPLETE = "(m.name <> '' AND (m.email <> '' OR m.phone <> '') AND m.birthday IS NOT NULL)"


def profile_complete(member: Member) -> bool:
    """Say whether name, birthday and a way to reach the member stand in his own profile.

    What the platforms say of him stands on his identities and does not count: he has not told it to us.
    """
    return bool(member.name and (member.email or member.phone) and member.birthday)
