"""Points drawn by a database function of an upper floor, in one round trip with what that function writes itself.

Such a function calls ``loyalty_draw_one``, the verb that burns and holds are, and gets the verb's own answer;
docs/locking.md says what it must keep to. Nothing else of the journal is open to it.
"""

import json
from datetime import datetime
from typing import Any

from loyalty.choices import EntryKind
from loyalty.journal import as_row
from loyalty.models import Entry
from loyalty.posting import Outcome, Posting, Verb


def drawing(
    member_id: int,
    points: int,
    *,
    kind: EntryKind,
    key: str,
    at: datetime,
    reference: str,
    trace: dict[str, Any],
) -> str:
    """Return the batch of one burn or hold, as ``loyalty_draw`` takes it. The function hands it to
    ``loyalty_draw_one``, and may add a deadline and limits: neither is part of what makes two draws the same fact."""
    if kind not in {EntryKind.BURN, EntryKind.HOLD}:
        raise ValueError(f"{kind} does not draw for a buyer")
    return json.dumps(
        [as_row(0, Posting(Verb.DRAW, kind, member_id, key, at, points, reference=reference, trace=trace))]
    )


def find_entry(key: str) -> Outcome | None:
    """Return what the journal holds under a key, as a retry of its posting would; None when nothing was posted."""
    row = Entry.objects.filter(key=key).values_list("pk", "points", "pending", "balance_after").first()
    return Outcome(row[0], True, *row[1:]) if row else None
