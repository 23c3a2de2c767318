"""Projects and keys in the admin site: made, changed, revoked and deleted there, but never shown."""

# mypy: allow-any-generics
# Django's admin and form classes cannot be subscripted at run time.

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from projects.models import Change, Key, Project


@admin.register(Project)
class ProjectAdmin(admin.ModelAdmin):
    """A project made here gets its password and first keys by itself."""

    list_display = ["name", "id", "workspace", "require_password", "created_at"]
    list_filter = ["require_password", "created_at"]
    list_select_related = ["workspace"]
    search_fields = ["id", "name", "workspace__name", "workspace__memberships__user__email"]
    autocomplete_fields = ["workspace"]
    fields = [
        "workspace", "name", "require_password", "allowed_origins", "hold_seconds", "session_rate", "address_rate",
        "id", "created_at",
    ]  # fmt: skip
    readonly_fields = ["id", "created_at"]
    actions = ["regenerate_passwords"]

    @admin.action(permissions=["change"], description="Regenerate the passwords of selected projects")
    def regenerate_passwords(self, request: HttpRequest, queryset: QuerySet[Project]) -> None:
        for project in queryset:
            project.regenerate_password()
        self.message_user(request, "The projects have new passwords; their owners can reveal them.")


@admin.register(Key)
class KeyAdmin(admin.ModelAdmin):
    """A key made here is generated; its project's owners and admins can reveal it."""

    list_display = ["masked", "name", "kind", "project", "created_at", "last_used_at", "revoked_at"]
    list_filter = ["kind", "revoked_at", "created_at"]
    list_select_related = ["project"]
    search_fields = ["name", "project__id", "project__name"]
    autocomplete_fields = ["project"]
    fields = ["project", "kind", "name", "hint", "created_at", "last_used_at", "revoked_at"]
    readonly_fields = ["hint", "created_at", "last_used_at", "revoked_at"]
    actions = ["revoke"]

    def get_readonly_fields(self, request: HttpRequest, obj: Key | None = None) -> list[str]:
        """A key stays in its project and of its kind: both are part of its text."""
        return [*self.readonly_fields, "project", "kind"] if obj else list(self.readonly_fields)

    @admin.action(permissions=["change"], description="Revoke selected keys")
    def revoke(self, request: HttpRequest, queryset: QuerySet[Key]) -> None:
        for key in queryset:
            key.revoke()
        self.message_user(request, "The keys are revoked; connections that used them are closed within a second.")


@admin.register(Change)
class ChangeAdmin(admin.ModelAdmin):
    """To look at only."""

    list_display = ["project_id", "created_at"]
    list_filter = ["created_at"]
    search_fields = ["project_id"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Change | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Change | None = None) -> bool:
        return False
