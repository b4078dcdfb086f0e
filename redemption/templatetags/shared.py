"""Parts of a page that are the same for all buyers, made once in the life of the process."""

from django import template
from django.template.base import FilterExpression, Node, NodeList, Parser, Token
from django.template.context import Context
from django.utils.safestring import SafeString
from django.utils.translation import get_language

register = template.Library()

_MOST = 500


class SharedNode(Node):
    """What stands between ``shared`` and ``endshared``. A template is kept by the process, and its nodes with it."""

    def __init__(self, nodelist: NodeList, given: list[FilterExpression]) -> None:
        self.nodelist = nodelist
        self._given = given
        self._made: dict[tuple[object, ...], SafeString] = {}

    def render(self, context: Context) -> SafeString:
        """Return what was made for this language and these values, or make it."""
        key = (get_language(), *(value.resolve(context) for value in self._given))
        made = self._made.get(key)
        if made is None:
            if len(self._made) >= _MOST:
                self._made.clear()
            made = self._made[key] = self.nodelist.render(context)
        return made


@register.tag
def shared(parser: Parser, token: Token) -> SharedNode:
    """``{% shared page theme.stylesheet %}…{% endshared %}``: a part that depends on nothing but the language and the
    values named. They have to be few different ones, and nothing in the part may be a buyer's own."""
    given = [parser.compile_filter(value) for value in token.split_contents()[1:]]
    nodelist = parser.parse(("endshared",))
    parser.delete_first_token()
    return SharedNode(nodelist, given)
