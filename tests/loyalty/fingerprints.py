"""Whether the two sides of every law come to the same, without the exact queries that an audit would ask then."""

from loyalty.audit.fingerprints import Fingerprints
from loyalty.audit.reading import Instant, read


def fingerprints_agree() -> bool:
    """False where a whole audit looks for what is wrong row by row."""
    fingerprints = Fingerprints()
    read(list(fingerprints.pieces()), Instant(), lambda part, share: None)
    return fingerprints.agree
