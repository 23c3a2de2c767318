"""People and workspaces in the admin site, which one enters through allauth's login."""

# mypy: allow-any-generics
# Django's admin and form classes cannot be subscripted at run time.

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import Group
from django.http import HttpRequest

from accounts.models import AccessToken, Invitation, Membership, User, Workspace

admin.site.site_header = admin.site.site_title = "Gluer"
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.unregister(Group)


class PersonCreationForm(UserCreationForm):
    class Meta:
        model = User
        fields = ["email", "name"]


class MembershipInline(admin.TabularInline):
    model = Membership
    extra = 0
    autocomplete_fields = ["user", "workspace"]


@admin.register(User)
class PersonAdmin(UserAdmin):
    """People; password hashes are not shown, a forgotten password is reset by mail."""

    add_form = PersonCreationForm
    list_display = ["email", "name", "is_staff", "is_active", "date_joined", "last_login"]
    list_filter = ["is_staff", "is_active", "date_joined"]
    search_fields = ["email", "name"]
    ordering = ["-date_joined"]
    filter_horizontal = ["user_permissions"]
    fieldsets = [
        (None, {"fields": ["email", "name", "is_active", "date_joined", "last_login"]}),
        ("Operators", {"fields": ["is_staff", "is_superuser", "user_permissions"], "classes": ["collapse"]}),
    ]
    add_fieldsets = [(None, {"fields": ["email", "name", "password1", "password2"]})]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """People change their address themselves, since it must be confirmed."""
        return ["date_joined", "last_login", *(["email"] if obj else [])]


@admin.register(Workspace)
class WorkspaceAdmin(admin.ModelAdmin):
    list_display = ["name", "id", "created_at"]
    list_filter = ["created_at"]
    search_fields = ["name", "memberships__user__email"]
    inlines = [MembershipInline]


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):
    list_display = ["user", "workspace", "role"]
    list_filter = ["role"]
    list_select_related = ["user", "workspace"]
    search_fields = ["user__email", "workspace__name"]
    autocomplete_fields = ["user", "workspace"]


@admin.register(Invitation)
class InvitationAdmin(admin.ModelAdmin):
    """Invitations can be looked at and revoked (deleted); members make them, and the invited answer."""

    list_display = ["email", "workspace", "role", "inviter", "created_at", "expires_at", "accepted_at"]
    list_filter = ["role", "created_at", "expires_at"]
    list_select_related = ["workspace", "inviter"]
    search_fields = ["email", "workspace__name"]
    fields = ["email", "workspace", "role", "inviter", "created_at", "expires_at", "accepted_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Invitation | None = None) -> bool:
        return False


@admin.register(AccessToken)
class AccessTokenAdmin(admin.ModelAdmin):
    """Tokens can be looked at and revoked (deleted); only their owner can make one, since only they see it."""

    list_display = ["name", "user", "hint", "created_at", "last_used_at", "expires_at"]
    list_filter = ["created_at", "expires_at"]
    list_select_related = ["user"]
    search_fields = ["name", "user__email"]
    fields = ["user", "name", "hint", "created_at", "last_used_at", "expires_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AccessToken | None = None) -> bool:
        return False
