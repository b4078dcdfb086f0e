"""What must be true after the ordeal."""

import json
from collections.abc import Sequence
from pathlib import Path

from loyalty.audit import audit
from loyalty.models import Entry
from tests.crash.acts import Act
from tests.crash.writer import persist, read
from tests.loyalty.recording import digest


def prove(notes: Sequence[str]) -> str:
    """Repeat what was never answered, then everything that was; return the figures as JSON.

    Raises AssertionError when an answered act is not in the ledger or stands there twice, when a refused one is there,
    when repeating the acts changes anything, or when the books do not add up.
    """
    acts = []
    for path in map(Path, notes):
        answers, unanswered = read(path)
        acts += answers
        if unanswered is not None:
            with path.open("a") as paper:
                persist(unanswered, paper)

    keys = set(Entry.objects.values_list("key", flat=True))
    lost = [
        act.key
        for act, answer in acts
        if answer == "written" and act.key not in keys and act.kind not in MAY_BE_NOTHING
    ]
    assert not lost, f"answered and lost: {lost[:5]}"
    invented = [act.key for act, answer in acts if answer == "refused" and act.key in keys]
    assert not invented, f"refused and written all the same: {invented[:5]}"

    Act("night", 0, 0, "crash:last night").perform()  # After it nothing is due any more.
    report = audit()
    assert report.ok, report.mismatches[:5]
    before = digest()
    repeated = 0
    for act, answer in acts:
        if answer == "written" and (act.key in keys or act.kind == "night"):
            act.perform()
            repeated += 1
    assert digest() == before, "repeating the acts has changed the ledger"
    return json.dumps(
        {
            "acts": len(acts),
            "entries": report.entries,
            "repeated": repeated,
            "nights": sum(act.kind == "night" and answer == "written" for act, answer in acts),
            "closes": report.closes,
            "balance": report.balance,
            "debt": report.debt,
        }
    )


# Maturing a lot that was taken back whole, or taking back an accrual twice, finds nothing and writes nothing. The night
# has no key.
MAY_BE_NOTHING = frozenset({"mature", "take_back", "night"})
