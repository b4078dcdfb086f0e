"""The pictures of rewards: the only files of ours that somebody uploaded and a page serves."""

from django.http import FileResponse, Http404, HttpRequest
from django.views.decorators.http import require_safe

from redemption.rewards.pictures import WIDTHS, picture_file

_YEAR = 31_536_000  # Seconds. The name is made from the content, so what a browser has kept is never out of date.


@require_safe
def picture(request: HttpRequest, name: str, width: int) -> FileResponse:
    """A picture in one of its sizes, for everybody who knows its name."""
    path = picture_file(name, width)
    if width not in WIDTHS or not path.is_file():
        raise Http404
    response = FileResponse(path.open("rb"), content_type="image/webp")
    response["Cache-Control"] = f"public, max-age={_YEAR}, immutable"
    # Whatever is in it, a browser may only show it.
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    return response
