"""What is the same for all buyers is made once for each language and the values named, and nothing else is."""

from django.template import engines
from django.utils import translation

SOURCE = (
    "{% load i18n shared %}{% shared page %}{{ page }} {{ name }} {% translate 'Points' %}{% endshared %} {{ name }}"
)


def test_it_is_made_once_for_each_value_and_language() -> None:
    part = engines["django"].from_string(SOURCE)

    with translation.override("en"):
        assert part.render({"page": "home", "name": "one"}) == "home one Points one"
        assert part.render({"page": "home", "name": "two"}) == "home one Points two"
        assert part.render({"page": "me", "name": "two"}) == "me two Points two"
    with translation.override("zh-hans"):
        assert part.render({"page": "home", "name": "two"}) == "home two 积分 two"


def test_a_value_that_is_not_there_is_one_as_well() -> None:
    part = engines["django"].from_string("{% load shared %}{% shared board.today %}{{ board.today }}.{% endshared %}")

    assert part.render({}) == "."
    assert part.render({"board": {"today": "Tuesday"}}) == "Tuesday."


def test_what_is_shown_is_escaped_as_everywhere() -> None:
    part = engines["django"].from_string("{% load shared %}{% shared name %}{{ name }}{% endshared %}")

    assert [part.render({"name": "<b>"}) for _turn in range(2)] == ["&lt;b&gt;"] * 2
