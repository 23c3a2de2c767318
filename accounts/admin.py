"""People and workspaces in the admin site, which one enters through allauth's login."""

# mypy: allow-any-generics
# Django's admin and form classes cannot be subscripted at run time.

from http import HTTPStatus

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.adapter import AccountAdapter
from accounts.models import AccessToken, Invitation, Membership, User, Workspace

admin.site.site_header = admin.site.site_title = "Gluer"
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.unregister(Group)
admin.site.unregister(EmailAddress)  # an address written in here would get its owner's account by "forgot password"
RIGHTS = ["is_staff", "is_superuser", "groups", "user_permissions"]


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
    """People; password hashes are not shown, a forgotten password is reset by mail.

    Only superusers change other operators, or who is one: everybody else could make themselves more than they are.
    """

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
    actions = ["confirm_addresses"]

    @admin.action(permissions=["change"], description="Confirm the e-mail addresses of selected users")
    def confirm_addresses(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """For people whom no mail reaches."""
        waiting = EmailAddress.objects.select_related("user").filter(user__in=queryset, primary=True, verified=False)
        done = [found.email for found in waiting if may_change(request, found.user) and found.set_verified()]
        self.message_user(request, f"Confirmed: {', '.join(done) or 'none, since none was waiting'}.")

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Tell whose password it was; a redirect means that it was changed."""
        response = super().user_change_password(request, id, form_url)
        if response.status_code == HTTPStatus.FOUND:
            person = User.objects.get(pk=id)
            AccountAdapter(request).send_notification_mail("account/email/password_by_operator", person)
        return response

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """People change their address themselves, since it must be confirmed."""
        rights = [] if request.user.is_superuser else RIGHTS
        return ["date_joined", "last_login", *rights, *(["email"] if obj else [])]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Say it for the form, and for the page of a new password."""
        return super().has_change_permission(request, obj) and may_change(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and may_change(request, obj)


def may_change(request: HttpRequest, person: User | None) -> bool:
    """Whether the operator may change this person; None is anybody."""
    return request.user.is_superuser or person is None or not (person.is_staff or person.is_superuser)


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

    list_display = ["name", "user", "scope", "hint", "created_at", "last_used_at", "expires_at"]
    list_filter = ["scope", "created_at", "expires_at"]
    list_select_related = ["user"]
    search_fields = ["name", "user__email"]
    fields = ["user", "name", "scope", "hint", "created_at", "last_used_at", "expires_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AccessToken | None = None) -> bool:
        return False
