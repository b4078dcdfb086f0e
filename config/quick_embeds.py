"""Answers for embeds before the session, the login and the rest of the middleware are asked, which they never need."""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from redemption.embeds.public import public_frame

_FRAME = re.compile(r"/embed/(em_[0-9a-f]{16})/")


class QuickEmbedsMiddleware:
    """Answers what anybody asks for thousands of times: the public side of an embed. The rest goes on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method == "GET" and (found := _FRAME.fullmatch(request.path_info)):
            return public_frame(request, found[1], timezone.now())
        return self.get_response(request)
