"""Coupon codes: chance, check character and what people type."""

import pytest

from redemption.codes import ALPHABET, LENGTH, new_code, read_code, spoken


def test_every_new_code_is_read_back_as_it_was_made() -> None:
    for _ in range(200):
        code = new_code()
        assert len(code) == LENGTH
        assert read_code(spoken(code)) == code


def test_codes_do_not_repeat() -> None:
    assert len({new_code() for _ in range(5000)}) == 5000


def test_the_alphabet_has_no_two_signs_that_look_alike() -> None:
    assert not set(ALPHABET) & set("0O1ILBSZGDQUVN")
    assert len(set(ALPHABET)) == len(ALPHABET) == 22


def test_a_code_is_spoken_in_three_groups_of_four() -> None:
    assert spoken("K7PF2MRX94T2") == "K7PF-2MRX-94T2"


@pytest.mark.parametrize(
    "typed",
    [
        "PW3M-8T6H-25KA",
        "pw3m8t6h25ka",
        " pw3m 8t6h 25ka ",
        "ＰＷ３Ｍ－８Ｔ６Ｈ－２５ＫＡ",
        "PW3M—BT6H—ZSKA",
        "pw3m.btgh.zska",
    ],
)
def test_what_staff_type_is_read_as_meant(typed: str) -> None:
    assert read_code(typed) == "PW3M8T6H25KA"


def test_every_single_wrong_character_is_noticed() -> None:
    code = new_code()
    for place in range(LENGTH):
        for sign in ALPHABET.replace(code[place], ""):
            assert read_code(code[:place] + sign + code[place + 1 :]) is None


@pytest.mark.parametrize(
    "typed", ["", "   ", "PW3M", "PW3M-8T6H-25KA-2", "PW3M-8T6H-25K0", "满十减一", "💰" * 12, "-" * 12]
)
def test_what_cannot_be_a_code_is_refused(typed: str) -> None:
    assert read_code(typed) is None
