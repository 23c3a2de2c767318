"""Forms of projects and keys."""

# mypy: allow-any-generics
# Django's admin and form classes cannot be subscripted at run time.

from typing import Any

from django import forms
from django.utils.html import format_html

from projects.models import Key, Kind, Project
from projects.origins import parse_origins


class ProjectForm(forms.ModelForm):
    class Meta:
        model = Project
        fields = ["name"]


class KeyForm(forms.ModelForm):
    kind = forms.ChoiceField(
        choices=[(Kind.PRIVATE, "Private, for back ends"), (Kind.PUBLIC, "Public, for pages")], initial=Kind.PRIVATE
    )

    class Meta:
        model = Key
        fields = ["name", "kind"]
        help_texts = {"name": "Where you will use it."}


class OriginsField(forms.CharField):
    """One origin a line."""

    widget = forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "placeholder": "https://example.com"})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        lines = (line.strip() for line in super().clean(value).splitlines())
        return parse_origins([line for line in lines if line])

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


class SettingsForm(forms.ModelForm):
    allowed_origins = OriginsField(
        required=False,
        max_length=30_000,
        help_text="Where your web pages come from, one a line (https://example.com). Empty: anywhere.",
    )

    class Meta:
        model = Project
        fields = ["name", "require_password", "allowed_origins", "hold_seconds", "session_rate", "address_rate"]


class DeleteForm(forms.Form):
    """Asks for the project's name, so that nobody deletes the wrong one."""

    name = forms.CharField(label="The project’s name", widget=forms.TextInput(attrs={"autocomplete": "off"}))

    def __init__(self, project: Project, *args: Any) -> None:
        super().__init__(*args)
        self.project = project
        # Django puts help texts into the page as they are: this one is escaped here.
        self.fields["name"].help_text = format_html("Type “{}” to confirm.", project.name)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name != self.project.name:
            raise forms.ValidationError(f"This is not its name. Type “{self.project.name}” to delete the project.")
        return name
