"""What the REST views of all apps share."""

from typing import Any

from rest_framework import parsers
from rest_framework.exceptions import NotAuthenticated, ParseError
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request

from accounts.models import User


class JSONParser(parsers.JSONParser):
    """Refuses what is nested beyond Python's recursion limit, instead of failing on it."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().parse(*args, **kwargs)
        except RecursionError:
            raise ParseError("The JSON is nested too deep.") from None


class Pagination(LimitOffsetPagination):
    max_limit = 500  # rows of one answer


def signed_in(request: Request) -> User:
    """The caller, for views that need one. Raises NotAuthenticated."""
    if not isinstance(request.user, User):
        raise NotAuthenticated
    return request.user
