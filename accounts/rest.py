"""What the REST views of all apps share."""

from typing import Any

from rest_framework import parsers
from rest_framework.exceptions import NotAuthenticated, ParseError
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.models import AccessToken, Scope, User


class JSONParser(parsers.JSONParser):
    """Refuses what is nested beyond Python's recursion limit, instead of failing on it."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().parse(*args, **kwargs)
        except RecursionError:
            raise ParseError("The JSON is nested too deep.") from None


class Pagination(LimitOffsetPagination):
    max_limit = 500  # rows of one answer

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """As OpenAPI 3.1 says it, which does not know `nullable`; `next` and `previous` are in every answer."""
        link = {"type": ["string", "null"], "format": "uri"}
        fields = {"count": {"type": "integer"}, "next": link, "previous": link, "results": schema}
        return {"type": "object", "required": list(fields), "properties": fields}


class TokenScope(BasePermission):
    """An access token that may only read is refused wherever something changes or a secret is shown: all but GET."""

    code = "read_only_token"
    message = "This access token may only read. Make one that may write on your profile page."

    def has_permission(self, request: Request, view: object) -> bool:
        reads_only = isinstance(request.auth, AccessToken) and request.auth.scope != Scope.WRITE
        return request.method in SAFE_METHODS or not reads_only


def signed_in(request: Request) -> User:
    """The caller, for views that need one. Raises NotAuthenticated."""
    if not isinstance(request.user, User):
        raise NotAuthenticated
    return request.user
