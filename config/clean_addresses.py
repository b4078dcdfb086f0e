"""Addresses and forms that no browser makes and no database takes."""

from collections.abc import Callable

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest
from django.db import DataError
from django.http import HttpRequest, HttpResponseBase


class NoNulMiddleware:
    """Answers 400 to an address with a NUL character in it.

    PostgreSQL has no text with NUL, so that a search or a filter for one would end in an error page. Forms refuse it by
    themselves; addresses are read in too many places, the admin's lists among them, to ask each of them for it. Fields
    that are read without a form, and the rows that are ticked in a list, are looked at when a page has failed on them.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            raise BadRequest("NUL in the address")
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Raise BadRequest, which is a page of its own, for what the sender has garbled and not the shop."""
        if isinstance(exception, ValueError | DataError) and _is_garbled(request):
            raise BadRequest("a field that no page of ours sends") from exception


def _is_garbled(request: HttpRequest) -> bool:
    texts = [text for _, values in request.POST.lists() for text in values]
    ticked = request.POST.getlist(ACTION_CHECKBOX_NAME)
    return any("\0" in text for text in texts) or not all(number.isdecimal() for number in ticked)
