"""Coupon codes: unguessable, and hard to get wrong when read aloud, written on a slip or typed by hand.

A code is eleven random characters and one check character, shown in groups of four: ``K7PF-2MRX-94T2``. The alphabet
has 22 signs, so a code carries 49 bits of chance. Signs that look alike are not in it together: 2 stands for Z, 5 for
S, 6 for G, 8 for B, and there is no 0, 1, D, I, L, O, Q, N, U or V at all. The check character is ISO 7064 hybrid
MOD 23,22: it catches every single wrong character and all but a few in a thousand swaps of neighbours.
"""

import secrets
import unicodedata

from stdnum.iso7064 import mod_37_36

ALPHABET = "23456789ACEFHJKMPRTWXY"
LENGTH = 12  # The check character included.
_GROUP = 4
_LOOK_ALIKES = str.maketrans("BGSZ", "8652")


def new_code() -> str:
    """Return a fresh code, without dashes."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH - 1))
    return f"{body}{mod_37_36.calc_check_digit(body, ALPHABET)}"


def new_codes(number: int) -> list[str]:
    """Return ``number`` fresh codes, no two alike."""
    codes: dict[str, None] = {}
    while len(codes) < number:
        codes.update(dict.fromkeys(new_code() for _ in range(number - len(codes))))
    return list(codes)


def spoken(code: str) -> str:
    """Return the code in groups, as buyers and staff see it."""
    return "-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))


def read_code(typed: str) -> str | None:
    """Return the code that a person typed, as it is stored, or None when it cannot be one.

    Small letters, full-width letters, blanks, dashes and the usual look-alikes are taken as meant. None says that the
    length, a character or the check character is wrong: the code was mistyped, and no look-up is needed to know.
    """
    plain = unicodedata.normalize("NFKC", typed).upper()
    code = "".join(sign for sign in plain if sign.isalnum()).translate(_LOOK_ALIKES)
    return code if len(code) == LENGTH and mod_37_36.is_valid(code, ALPHABET) else None
