"""What is sent to a provider: the seller's template with the phone and the code in it. Pure."""

import json
from typing import Any
from urllib.parse import urlencode

FIELDS = ("phone", "code", "text", "minutes")


class BadTemplate(ValueError):
    """The template is no JSON object, or says neither to whom nor what."""


def read_template(template: str) -> dict[str, Any]:
    """Return the template as an object. Raises BadTemplate."""
    try:
        read = json.loads(template)
    except ValueError as error:
        raise BadTemplate(str(error)) from error
    if not isinstance(read, dict):
        raise BadTemplate("not an object")
    if "{phone}" not in template or ("{code}" not in template and "{text}" not in template):
        raise BadTemplate("{phone} and {code} or {text} have to be in it")
    return read


def body_of(template: dict[str, Any], form: str, values: dict[str, str]) -> tuple[bytes, str]:
    """Return the body to post and its type; ``form`` is "json" or "form". In a form what is nested goes as JSON."""
    filled = _filled(template, values)
    if form == "json":
        return json.dumps(filled, ensure_ascii=False).encode(), "application/json; charset=utf-8"
    flat = {name: value if isinstance(value, str) else json.dumps(value) for name, value in filled.items()}
    return urlencode(flat).encode(), "application/x-www-form-urlencoded"


def _filled(part: Any, values: dict[str, str]) -> Any:
    if isinstance(part, dict):
        return {name: _filled(inner, values) for name, inner in part.items()}
    if isinstance(part, list):
        return [_filled(inner, values) for inner in part]
    if isinstance(part, str):
        for name in FIELDS:
            part = part.replace(f"{{{name}}}", values[name])
    return part
