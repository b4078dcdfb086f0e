"""Points drawn by a database function of an upper floor, in one round trip with what that function writes itself.

Such a function calls ``loyalty_draw``, the verb that burns and holds are, and gets the verb's own answer;
docs/locking.md says what it must keep to. Nothing else of the journal is open to it.
"""

import json
from datetime import datetime
from typing import Any

from loyalty.choices import EntryKind
from loyalty.journal import as_row
from loyalty.posting import Posting, Verb


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
    """Return the batch of one burn or hold, as ``loyalty_draw`` takes it. The function may add a deadline and limits to
    it: neither is part of what makes two draws the same fact."""
    if kind not in {EntryKind.BURN, EntryKind.HOLD}:
        raise ValueError(f"{kind} does not draw for a buyer")
    return json.dumps(
        [as_row(0, Posting(Verb.DRAW, kind, member_id, key, at, points, reference=reference, trace=trace))]
    )
