"""What the REST views of all apps share."""

import re
from typing import Any, TypeVar

from django.db import models
from rest_framework import parsers, serializers
from rest_framework.exceptions import NotAuthenticated, ParseError, ValidationError
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.models import AccessToken, Scope, User

M = TypeVar("M", bound=models.Model)
MOST_NAMED = 20  # wrong fields in one answer


class JSONParser(parsers.JSONParser):
    """Refuses what is nested beyond Python's recursion limit, instead of failing on it."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().parse(*args, **kwargs)
        except RecursionError:
            raise ParseError("The JSON is nested too deep.") from None


class Text(serializers.CharField):
    """Of JSON's strings only; DRF would take a number too."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    """Of true and false only; DRF would take "no" and 1 too."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class Number(serializers.IntegerField):
    """Of JSON's numbers without a fraction only; DRF would take a string too."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, (int, float)):
            self.fail("invalid")
        return super().to_internal_value(data)


class ModelSerializer(serializers.ModelSerializer[M]):
    """Takes texts, flags and numbers as the schema says: in their own JSON types, and no other fields."""

    serializer_field_mapping = serializers.ModelSerializer.serializer_field_mapping | {
        models.CharField: Text,
        models.BooleanField: Flag,
        models.PositiveIntegerField: Number,
        models.PositiveSmallIntegerField: Number,
    }

    def to_internal_value(self, data: Any) -> Any:
        """Raises ValidationError also for fields that nobody would read."""
        if isinstance(data, dict):
            taken = {name for name, field in self.fields.items() if not field.read_only}
            wrong = [name for name in data if name not in taken][:MOST_NAMED]
            if wrong:
                raise ValidationError({printable(name): [self.why_not(name, taken)] for name in wrong})
        return super().to_internal_value(data)

    def why_not(self, name: str, taken: set[str]) -> str:
        why = "This field cannot be chosen." if name in self.fields else "There is no field of this name."
        return f"{why} Those that there are: {', '.join(sorted(taken))}."


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


def printable(name: str) -> str:
    """A field's name as UTF-8 can say it: JSON may escape half of a surrogate pair."""
    return name.encode(errors="replace").decode()


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
