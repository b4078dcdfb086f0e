"""Which scripts and styles a page may use: strict for buyers, a little wider in the admin."""

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

# The admin theme runs on Alpine, which evaluates its attributes, and writes its colours into a style element. Inline
# scripts stay forbidden here too: a script in somebody's order title does not run.
ADMIN_DIRECTIVES = {
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
}


class PolicyMiddleware(CSPMiddleware):
    """The policy of the settings, with what the admin theme needs on admin pages and nowhere else."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only and request.path_info.startswith(reverse("admin:index")):
            parts.replace = {**ADMIN_DIRECTIVES, **(parts.replace or {})}
        return parts
