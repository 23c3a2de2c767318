"""What the REST views of all apps share."""

import re
from typing import Any

from rest_framework import parsers
from rest_framework.exceptions import NotAuthenticated, ParseError, ValidationError
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
    """`?limit=` rows from `?offset=` on. Raises ValidationError for what is no number."""

    default_limit: int = 100
    max_limit: int = 500

    def get_limit(self, request: Request) -> int:
        limit = whole_number(request, self.limit_query_param, 1)
        return self.default_limit if limit is None else min(limit, self.max_limit)

    def get_offset(self, request: Request) -> int:
        return whole_number(request, self.offset_query_param, 0) or 0

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limit, offset = super().get_schema_operation_parameters(view)
        limit["schema"] |= {"minimum": 1, "default": self.default_limit}
        limit["description"] = f"How many to show; {self.max_limit} at most, whatever is asked."
        offset["schema"] |= {"minimum": 0, "default": 0}
        offset["description"] = "How many to leave out from the beginning."
        return [limit, offset]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """As OpenAPI 3.1 says it, which does not know `nullable`; `next` and `previous` are in every answer."""
        link = {"type": ["string", "null"], "format": "uri"}
        fields = {"count": {"type": "integer"}, "next": link, "previous": link, "results": schema}
        return {"type": "object", "required": list(fields), "properties": fields}


def whole_number(request: Request, name: str, least: int) -> int | None:
    """The query's only parameter of this name, None without one. Raises ValidationError for anything else."""
    texts = request.query_params.getlist(name)
    if not texts:
        return None
    if len(texts) > 1 or not re.fullmatch("[0-9]{1,1000}", texts[0]) or int(texts[0]) < least:
        raise ValidationError({name: [f"Say it once, as a whole number from {least} on."]})
    return int(texts[0])


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
