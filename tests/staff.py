"""Staff of the shop with just the permissions a story gives them."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission

from crm.models import User
from tests.factories import StaffFactory

Grant = Callable[..., User]


@pytest.fixture
def grant(db: None) -> Grant:
    """``grant("crm.view_member", …)``: somebody of the staff who may do this and nothing else."""

    def make(*names: str) -> User:
        user: User = StaffFactory()
        for name in names:
            app, codename = name.split(".")
            user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
        return user

    return make
