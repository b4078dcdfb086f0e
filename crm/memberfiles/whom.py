"""Whom the rows of an uploaded table mean: pieces of SQL over a temporary table of them.

The table has the columns ``line_no, channel, name, member_no, email, phone, code, who, contact`` and, for refused rows,
``col`` and ``value``. A member is found by exact names only: his number, his name on a channel, or an address or phone
that exactly one member has. When a row has several of them, all must mean him.
"""

from collections.abc import Mapping

from crm.memberfiles import columns as c

# Columns of the temporary table that all such tables share, as a definition.
RAW_COLUMNS = "line_no integer, channel text, name text, member_no bigint, email text, phone text"
RAW_PROBLEM = "code text, col text, value text, who text, contact text"

# Which channel a row means, by code or name.
_CHANNELS = """
    SELECT r.channel AS given, (
               SELECT min(k.id) FROM crm_channel AS k
                WHERE lower(k.code) = lower(r.channel) OR k.name = r.channel HAVING count(*) = 1
           ) AS id
      FROM (SELECT DISTINCT channel FROM {raw} WHERE name <> '' AND channel <> '') AS r
     UNION ALL
    -- A shop with one channel need not name it.
    SELECT '', min(k.id) FROM crm_channel AS k HAVING count(*) = 1
"""

# Both tables keep addresses in lower case or have an index on that, and phones as digits.
_HOLDERS = """
    SELECT held.contact, array_agg(DISTINCT held.member_id) AS members
      FROM (
          SELECT {own} AS contact, m.id AS member_id FROM crm_member AS m
           WHERE m.{field} <> '' AND {own} IN (SELECT {field} FROM {raw} WHERE {field} <> '')
           UNION ALL
          SELECT i.{field}, i.member_id FROM crm_identity AS i
           WHERE i.{field} <> '' AND i.{field} IN (SELECT {field} FROM {raw} WHERE {field} <> '')
      ) AS held
     GROUP BY 1
"""

_JUDGED = """
channels AS ({channels}), emails AS ({emails}), phones AS ({phones}), found AS (
    SELECT r.*, k.id AS channel_id, m.id AS by_number, i.member_id AS by_name,
           e.members AS by_email, p.members AS by_phone,
           coalesce(
               m.id, i.member_id, CASE WHEN cardinality(e.members) = 1 THEN e.members[1] END,
               CASE WHEN cardinality(p.members) = 1 THEN p.members[1] END
           ) AS found_id
      FROM {raw} AS r
      LEFT JOIN channels AS k ON r.name <> '' AND k.given = r.channel
      LEFT JOIN crm_member AS m ON m.id = r.member_no
      LEFT JOIN crm_identity AS i ON i.channel_id = k.id AND i.external_id = r.name
      LEFT JOIN emails AS e ON e.contact = r.email AND r.email <> ''
      LEFT JOIN phones AS p ON p.contact = r.phone AND r.phone <> ''
), judged AS (
    SELECT f.*, CASE
               WHEN f.code <> '' THEN f.code
               WHEN f.name <> '' AND f.channel_id IS NULL AND f.channel <> '' THEN 'unknown_channel'
               WHEN f.name <> '' AND f.channel_id IS NULL THEN 'channel_missing'
               WHEN f.member_no IS NOT NULL AND f.by_number IS NULL THEN 'unknown_member'
               WHEN f.name <> '' AND f.by_name IS NULL THEN 'unknown_name'
               WHEN f.by_number <> f.by_name OR NOT f.found_id = ANY (f.by_email) OR NOT f.found_id = ANY (f.by_phone)
                   THEN 'identities_differ'
               WHEN f.found_id IS NULL AND greatest(cardinality(f.by_email), cardinality(f.by_phone)) > 1
                   THEN 'ambiguous_contact'
               WHEN f.found_id IS NULL THEN 'unknown_contact'
               ELSE ''
           END AS verdict
      FROM found AS f
)
"""

# How a row of ``judged``, here f, names its member: what stands in it, and the address or phone in it.
WHO = """CASE
           WHEN f.who <> '' THEN f.who
           WHEN f.name <> '' THEN concat_ws(' · ', nullif(f.channel, ''), f.name)
           WHEN f.member_no IS NOT NULL THEN '#' || f.member_no
           ELSE ''
       END"""
CONTACT = "CASE WHEN f.contact <> '' THEN f.contact WHEN f.email <> '' THEN f.email ELSE f.phone END"

# In which column stands what is wrong (its title comes as a parameter), and what stands there; the cases of a CASE.
WRONG_COLUMN = """
           WHEN 'unknown_channel' THEN %(channel)s
           WHEN 'channel_missing' THEN %(name)s
           WHEN 'unknown_name' THEN %(name)s
           WHEN 'unknown_member' THEN %(member)s
           WHEN 'ambiguous_contact' THEN CASE WHEN f.email <> '' THEN %(email)s ELSE %(phone)s END
           WHEN 'unknown_contact' THEN CASE WHEN f.email <> '' THEN %(email)s ELSE %(phone)s END
           WHEN 'identities_differ' THEN ''"""
WRONG_VALUE = """
           WHEN 'unknown_channel' THEN f.channel
           WHEN 'channel_missing' THEN f.name
           WHEN 'unknown_name' THEN f.name
           WHEN 'unknown_member' THEN f.member_no::text
           WHEN 'ambiguous_contact' THEN left(CASE WHEN f.email <> '' THEN f.email ELSE f.phone END, 200)
           WHEN 'unknown_contact' THEN left(CASE WHEN f.email <> '' THEN f.email ELSE f.phone END, 200)
           WHEN 'identities_differ' THEN ''"""


def channels_of(raw: str) -> str:
    """A query of the channels that the rows of a temporary table name: ``given``, and ``id`` or NULL."""
    return _CHANNELS.format(raw=raw)


def judged_rows(raw: str) -> str:
    """Common table expressions that end in ``judged``: the rows of a temporary table with ``found_id``, the member that
    each means, and ``verdict``, the code of what is wrong with it or ""."""
    return _JUDGED.format(
        raw=raw,
        channels=channels_of(raw),
        emails=_HOLDERS.format(raw=raw, field="email", own="lower(m.email)"),
        phones=_HOLDERS.format(raw=raw, field="phone", own="m.phone"),
    )


def column_titles(titles: Mapping[str, str]) -> dict[str, str]:
    """The parameters of ``WRONG_COLUMN``: what the file calls the columns that name members."""
    return {field: titles.get(field, "") for field in (c.CHANNEL, *c.IDENTITIES)}
