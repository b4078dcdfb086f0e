"""Posters: how words are set, what is drawn, and what a camera reads in it."""

import re
import struct
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest
from django.test import Client, override_settings
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from config.checks import check_deployment
from redemption.models import CouponPlan, PlanWindow, Reward, Stock
from redemption.posters.drawing import HEIGHTS, Words, draw, png
from redemption.posters.fonts import chinese_font
from redemption.posters.layout import ELLIPSIS, PosterSize, broken, width_in_em
from tests.loyalty.rulesets import publish_rules, rule
from tests.staff import Grant

PAGE = "/admin/redemption/embed/posters/"
WORDS = Words("积分换购", "800", "积分 + ¥9.90", "青瓷品茗杯一对，手工拉坯，配竹盒", "原价 ¥68")


class TestLines:
    def test_chinese_breaks_between_characters_but_not_before_a_comma(self) -> None:
        assert broken("青瓷品茗杯，手工拉坯", 5, 3) == ["青瓷品茗", "杯，手工拉", "坯"]

    def test_latin_words_stay_whole(self) -> None:
        assert broken("Green tea caddy", 6, 3) == ["Green tea", "caddy"]

    def test_what_is_too_long_is_cut_with_an_ellipsis(self) -> None:
        assert broken("一二三四五六七八九十", 4, 2) == ["一二三四", f"五六七{ELLIPSIS}"]

    def test_nothing_is_set_as_nothing(self) -> None:
        assert broken("  ", 10, 2) == []

    @given(text=st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"])), most=st.integers(2, 30))
    def test_no_line_is_wider_than_its_room_and_nothing_but_blanks_is_lost(self, text: str, most: int) -> None:
        lines = broken(text, most, 1000)

        assert all(width_in_em(line) <= most for line in lines)
        assert "".join("".join(lines).split()) == "".join(text.split())


class TestDrawing:
    @pytest.mark.parametrize("size", PosterSize)
    def test_a_poster_is_sound_and_has_its_size(self, size: PosterSize) -> None:
        drawn = draw(WORDS, size=size, address="https://points.example.com/", colour="#a72c21")

        root = ElementTree.fromstring(drawn)
        assert (root.get("width"), root.get("height")) == ("1080", str(HEIGHTS[size]))
        picture = png(drawn)
        assert struct.unpack(">II", picture[16:24]) == (1080, HEIGHTS[size])

    def test_words_are_text_and_no_markup(self) -> None:
        words = Words("<script>", "1", "&", "a<b", "")

        drawn = draw(words, size=PosterSize.SQUARE, address="https://a.cn", colour="#a72c21")

        assert "<script>" not in drawn
        assert "&lt;script&gt;" in drawn

    def test_a_long_figure_is_set_smaller(self) -> None:
        def size_of(figure: str) -> int:
            words = Words("", figure, "", "", "")
            drawn = draw(words, size=PosterSize.SQUARE, address="https://a.cn", colour="#a72c21")
            found = re.search(rf'font-size="(\d+)">{figure}<', drawn)
            assert found is not None
            return int(found[1])

        assert size_of("1,234,567,890") < size_of("800") == 190
        assert size_of("1,234,567,890") * width_in_em("1,234,567,890") <= 920

    def test_a_long_small_print_ends_before_the_code(self) -> None:
        small = "采茶节会员专享，每人限两张，到 12 月 4 日 14:19 为止，过后恢复平时的积分价"
        words = Words("", "8", "", "", small)

        drawn = draw(words, size=PosterSize.SQUARE, address="https://a.cn", colour="#a72c21")

        lines = re.findall(r'<text x="80" y="\d+" font-size="30"[^>]*>([^<]+)<', drawn)
        assert len(lines) == 2
        assert all(width_in_em(line) * 30 <= 600 for line in lines)

    @pytest.mark.parametrize(("language", "region"), [("zh-hans", "SC"), ("zh-hant", "TC"), ("en", "SC")])
    def test_its_signs_have_the_shapes_of_its_language(self, language: str, region: str) -> None:
        with translation.override(language):
            drawn = draw(WORDS, size=PosterSize.SQUARE, address="https://a.cn", colour="#a72c21")

        assert f"Noto Serif CJK {region}" in drawn

    def test_its_code_is_the_one_of_the_address(self) -> None:
        import segno

        drawn = draw(WORDS, size=PosterSize.SQUARE, address="https://points.example.com/x", colour="#a72c21")

        code = segno.make("https://points.example.com/x", micro=False, error="m")
        dark = {(x, y) for y, row in enumerate(code.matrix_iter(border=2)) for x, module in enumerate(row) if module}
        assert {(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", drawn)} == dark

    def test_chinese_is_really_drawn(self) -> None:
        """Where the machine has a Chinese font; without one the words would leave no trace in the picture."""
        if chinese_font([]) is None:
            pytest.skip("no Chinese font on this machine")
        empty = Words("", "8", "", "", "")

        with_words = png(draw(WORDS, size=PosterSize.SQUARE, address="https://a.cn", colour="#a72c21"))
        without = png(draw(empty, size=PosterSize.SQUARE, address="https://a.cn", colour="#a72c21"))

        assert len(with_words) > len(without) + 5000


class TestFonts:
    def test_a_font_of_ones_own_is_taken_first(self, tmp_path: Path) -> None:
        own = tmp_path / "MyFont.ttf"
        own.touch()
        assert chinese_font([str(own)], []) == own
        assert chinese_font([str(tmp_path / "missing.ttf")], []) is None

    def test_a_chinese_font_is_known_by_its_name(self, tmp_path: Path) -> None:
        (tmp_path / "deep").mkdir()
        (tmp_path / "DejaVuSans.ttf").touch()
        assert chinese_font([], [tmp_path]) is None
        (tmp_path / "deep" / "NotoSerifCJK-Bold.ttc").touch()
        assert chinese_font([], [tmp_path]) == tmp_path / "deep" / "NotoSerifCJK-Bold.ttc"

    def test_a_machine_without_one_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("config.checks.chinese_font", lambda own: None)
        with translation.override("en"), override_settings(POSTER_FONTS=[]):
            assert "config.W014" in {warning.id for warning in check_deployment(None)}


class TestThePage:
    @pytest.fixture
    def seller(self, client: Client, grant: Grant, clock: None) -> Client:
        client.force_login(grant("redemption.view_embed"))
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
        return client

    @pytest.fixture
    def subjects(self, plan: CouponPlan, at: datetime) -> list[str]:
        cup = Reward.objects.create(name="青瓷茶杯", points=500, cash=Decimal("9.90"), list_price=39, limit_ever=2)
        Stock.objects.create(reward=cup, free=3)
        publish_rules(rule("signin", {"points": 3}), since=at - timedelta(days=9))
        return [f"reward:{cup.pk}", f"coupon:{plan.pk}:10", "signin"]

    @pytest.mark.parametrize("number", range(3))
    @pytest.mark.parametrize("language", ["zh-hans", "en"])
    def test_each_kind_is_drawn_in_both_languages(
        self, number: int, language: str, seller: Client, subjects: list[str]
    ) -> None:
        asked = {"subject": subjects[number], "language": language, "as": "svg"}

        poster = seller.get(PAGE, asked)

        assert poster["Content-Type"] == "image/svg+xml"
        words = [["500", "9.90", "青瓷茶杯"], ["¥10", "100"], ["+3"]][number]
        assert all(word in poster.content.decode() for word in words)
        assert ("扫码查看我的积分" in poster.content.decode()) == (language == "zh-hans")

    @pytest.mark.parametrize(
        ("language", "ends", "price"),
        [
            ("en", "采茶节, until March 11, 2026, 12:00", "For 50 points, usually 100"),
            ("zh-hant", "采茶节，2026年3月11日 12:00 截止", "50 積分即可兌換（平時 100）"),
        ],
    )
    def test_a_special_price_says_what_it_is_otherwise_and_when_it_ends(
        self,
        *,
        language: str,
        ends: str,
        price: str,
        seller: Client,
        subjects: list[str],
        plan: CouponPlan,
        at: datetime,
    ) -> None:
        PlanWindow.objects.create(
            plan=plan, name="采茶节", points_per_yuan=5, starts_at=at, ends_at=at + timedelta(days=1)
        )

        poster = seller.get(PAGE, {"subject": subjects[1], "language": language, "as": "svg"}).content.decode()

        words = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", poster))
        assert ends in words
        assert price in words

    def test_the_page_is_called_what_it_is(self, seller: Client, subjects: list[str]) -> None:
        page = seller.get(PAGE).content.decode()

        assert re.search(r"<h1[^>]*>[^<]*Promotion kit|Promotion kit\s*</", page)

    def test_the_page_shows_it_and_offers_both_files(self, seller: Client, subjects: list[str]) -> None:
        page = seller.get(PAGE, {"subject": "signin", "size": "square"}).content.decode()

        assert "as=svg" in page
        assert "Download PNG" in page
        download = seller.get(PAGE, {"subject": "signin", "size": "square", "as": "png"})
        assert download.content.startswith(b"\x89PNG")
        assert "poster-signin-square.png" in download["Content-Disposition"]

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"subject": "reward:999999"}, "subject"), ({"subject": ""}, "subject"), ({"size": "huge"}, "size"),
            ({"colour": "red"}, "colour"), ({"address": "javascript:alert(1)"}, "address"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_drawn_is_said_at_its_field(
        self, wrong: dict[str, str], field: str, seller: Client, subjects: list[str]
    ) -> None:
        page = seller.get(PAGE, {"subject": "signin", "as": "svg"} | wrong)

        assert field in page.context["form"].errors

    def test_without_anything_to_promote_the_page_says_what_to_do(self, seller: Client) -> None:
        assert "There is nothing to promote yet" in seller.get(PAGE).content.decode()

    def test_it_needs_a_permission(self, client: Client, grant: Grant) -> None:
        client.force_login(grant("redemption.view_coupon"))

        assert client.get(PAGE).status_code == 403
