"""How forms are shown: after a refusal the first wrong field has the focus."""

from typing import Any

from django.forms import BaseForm, BoundField, Widget
from django.forms.renderers import DjangoTemplates


class Field(BoundField):
    """A field of a form, with the attributes of its control."""

    def build_widget_attrs(self, attrs: dict[str, Any], widget: Widget | None = None) -> dict[str, Any]:
        attrs = super().build_widget_attrs(attrs, widget)
        return {**attrs, "autofocus": True} if self.name == first_wrong(self.form) else attrs


class Renderer(DjangoTemplates):
    bound_field_class = Field


def first_wrong(form: BaseForm) -> str | None:
    """The first field with an error; where none is wrong by itself, the first that is seen. None before a refusal."""
    if not form.is_bound or not form.errors:
        return None
    seen = [field.name for field in form.visible_fields()]
    return next((name for name in seen if name in form.errors), next(iter(seen), None))
