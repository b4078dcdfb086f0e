"""Whole units shared out in proportion, so that none is lost."""

from collections.abc import Sequence


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """Share ``total`` out in proportion to ``weights``: whole units, by largest remainder, ties to the earlier.

    The parts always sum to ``total``. Where all weights are zero they count alike. Units: whatever ``total`` has.

    Raises ``ValueError`` when the total or a weight is negative, or when there is nobody to give anything to.
    """
    if total < 0 or any(weight < 0 for weight in weights):
        raise ValueError("only what is not negative can be shared out")
    whole = sum(weights)
    if not whole:
        weights = [1] * len(weights)
        whole = len(weights)
    if not whole:
        if total:
            raise ValueError("there is nothing to share the total out to")
        return []
    parts = [total * weight // whole for weight in weights]
    missing = total - sum(parts)
    if missing:
        by_remainder = sorted(range(len(weights)), key=lambda index: -(total * weights[index] % whole))
        for index in by_remainder[:missing]:
            parts[index] += 1
    return parts
