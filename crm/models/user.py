"""Who signs in: staff with a password, buyers with a one-time code."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A login. A buyer's login is tied to his Member by ``Member.user`` once an address of his is proven."""

    class Meta(AbstractUser.Meta):
        pass
