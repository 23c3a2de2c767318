"""Errors of the REST API as problem+json (RFC 9457): type, title, status, detail, code, and errors by field."""

from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from accounts.invitations import TRY_AGAIN, TooManyInvitations
from accounts.models import TOKEN_PREFIX

MEDIA_TYPE = "application/problem+json"
WHAT_TO_DO: dict[type[exceptions.APIException], str] = {  # where DRF's own sentence leaves that open
    exceptions.NotAuthenticated: f"Show an access token: `Authorization: Bearer {TOKEN_PREFIX}…`. Make one on your "
    "profile page.",
    exceptions.UnsupportedMediaType: "Send the body as JSON, with `Content-Type: application/json`.",
}


class Conflict(exceptions.APIException):
    """What is right by itself and does not fit to what is there: one too many, or there already (RFC 9110, 15.5.10)."""

    status_code = 409
    default_code = "conflict"


def problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler. None for what is a bug of ours: Django answers 500 and logs it."""
    known = as_api_exception(error)
    response = exception_handler(known, context)
    if response is not None and isinstance(known, exceptions.APIException):
        response.data = body_of(known, response.status_code)
        response.content_type = MEDIA_TYPE
    return response


def as_api_exception(error: Exception) -> Exception:
    if isinstance(error, ValidationError):  # of a model: serializers have looked at the fields before
        return Conflict(" ".join(error.messages))
    if isinstance(error, Http404):
        return exceptions.NotFound(str(error) or None)
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied(str(error) or None)
    if isinstance(error, TooManyInvitations):
        return exceptions.Throttled(wait=TRY_AGAIN, detail=str(error))
    return error


def body_of(error: exceptions.APIException, status: int) -> dict[str, Any]:
    code = error.default_code if isinstance(error.detail, (dict, list)) else error.get_codes()
    found = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code}
    if isinstance(error.detail, dict):
        return {**found, "detail": "Some fields are wrong.", "errors": renamed(error.detail)}
    if isinstance(error.detail, list):
        return {**found, "detail": " ".join(map(str, error.detail))}
    return {**found, "detail": WHAT_TO_DO.get(type(error), str(error.detail))}


def renamed(errors: dict[str, Any]) -> dict[str, Any]:
    """Django calls what belongs to no field `__all__`; outside it is `request`."""
    return {"request" if name in ("__all__", "non_field_errors") else name: texts for name, texts in errors.items()}
