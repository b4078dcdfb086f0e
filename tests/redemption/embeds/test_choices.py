"""What a seller may choose: sites and colours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redemption.embeds.choices import EmbedSize, EmbedTemplate
from redemption.embeds.colours import contrast, palette
from redemption.embeds.gallery import GALLERY, template_of
from redemption.embeds.origins import NotAnOrigin, ancestors, read_origins


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("https://www.tea.cn", ["https://www.tea.cn"]),
        ("HTTPS://WWW.Tea.cn/\n\n https://tea.cn:8443 ", ["https://www.tea.cn", "https://tea.cn:8443"]),
        ("https://*.tea.cn", ["https://*.tea.cn"]),
        ("http://localhost:3000", ["http://localhost:3000"]),
        ("https://a.cn https://a.cn", ["https://a.cn"]),
    ],
)
def test_sites_are_read_as_they_stand_in_the_address_bar(typed: str, read: list[str]) -> None:
    assert list(read_origins(typed)) == read


@pytest.mark.parametrize(
    "typed",
    [
        "www.tea.cn", "https://tea.cn/shop", "http://tea.cn", "https://*", "https://*.cn", "ftp://tea.cn", "'self'",
        "*", "https://tea.cn;script-src", "https://tea.cn,", "https://user@tea.cn", "https://茶.cn",
        "https://-a.cn", "null",
        "\n".join(f"https://{number}.cn" for number in range(21)),
    ],
)  # fmt: skip
def test_what_is_no_site_or_too_many_is_refused(typed: str) -> None:
    with pytest.raises(NotAnOrigin):
        read_origins(typed)


@given(st.text())
def test_nothing_that_was_typed_ends_the_directive(typed: str) -> None:
    try:
        sources = " ".join(ancestors(read_origins(typed)))
    except NotAnOrigin:
        return
    assert not set(sources) & set(';,\n\r"')


def test_without_a_site_nobody_may_show_it() -> None:
    assert ancestors([]) == ["'none'"]


@given(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True))
def test_whatever_colour_is_chosen_every_text_can_be_read(colour: str) -> None:
    chosen = palette(colour)

    assert contrast(chosen.accent, chosen.on_accent) >= 4.5
    assert contrast(chosen.text_light, "#f7f4ef") >= 4.5
    assert contrast(chosen.text_dark, "#2a221d") >= 4.5


def test_a_readable_colour_is_kept_as_it_is() -> None:
    assert palette("#a72c21").text_light == "#a72c21"


def test_every_template_of_the_gallery_has_its_room_at_every_size() -> None:
    assert [template.code for template in GALLERY] == list(EmbedTemplate)
    for template in GALLERY:
        heights = [template.height(size) for size in EmbedSize]
        assert heights == sorted(heights)
    assert template_of("bar").height("small") == 56
