"""What the REST views of all apps share."""

from rest_framework.exceptions import NotAuthenticated
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request

from accounts.models import User


class Pagination(LimitOffsetPagination):
    max_limit = 500  # rows of one answer


def signed_in(request: Request) -> User:
    """The caller, for views that need one. Raises NotAuthenticated."""
    if not isinstance(request.user, User):
        raise NotAuthenticated
    return request.user
