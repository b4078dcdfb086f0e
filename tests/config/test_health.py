"""The health page."""

import pytest
from django.test import Client


@pytest.mark.django_db
def test_tells_that_database_and_broker_answer(client: Client) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"database": True, "broker": True}
