"""The health page, for the supervisor and for load balancers."""

from django.db import Error as DatabaseError
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import KombuError

from config.celery import app

BROKER_SECONDS = 2


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Say whether the database and the broker answer: 200 when both do, else 503. It tells nothing else."""
    answers = {"database": database_answers(), "broker": broker_answers()}
    return JsonResponse(answers, status=200 if all(answers.values()) else 503)


def database_answers() -> bool:
    """Tell whether the database answers a query."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def broker_answers() -> bool:
    """Tell whether the broker takes a connection."""
    try:
        with app.connection_for_write(connect_timeout=BROKER_SECONDS) as broker:
            broker.ensure_connection(max_retries=1, timeout=BROKER_SECONDS)
    except (KombuError, OSError):
        return False
    return True
