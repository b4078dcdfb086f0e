"""Addresses that no browser makes and no database takes."""

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponseBase


class NoNulMiddleware:
    """Answers 400 to an address with a NUL character in it.

    PostgreSQL has no text with NUL, so that a search or a filter for one would end in an error page. Forms refuse it by
    themselves; addresses are read in too many places, the admin's lists among them, to ask each of them for it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            raise BadRequest("NUL in the address")
        return self.get_response(request)
