"""People, and the workspaces that own projects and have a plan."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from allauth.account.models import EmailAddress
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.utils import timezone

from accounts.alphabet import random_text
from accounts.digests import digest
from accounts.managers import UserManager
from accounts.names import LONGEST_NAME, validate_name

MOST_MEMBERS = 200  # per workspace
MOST_INVITATIONS = 50  # per workspace, that nobody has answered
INVITED_FOR = timedelta(days=7)
MOST_WORKSPACES = 100  # that one user is a member of
MOST_TOKENS = 50  # per user
TOKEN_PREFIX = "gluer_pat_"  # noqa: S105
TOKEN_LIFE = timedelta(days=90)  # of a token whose maker said nothing
LONGEST_TOKEN_LIFE = timedelta(days=365)  # nobody remembers for longer where a token lies
HINT_LENGTH = 4  # characters at a secret's end that tell it from others


class User(AbstractBaseUser, PermissionsMixin):
    """A person; logs in by e-mail."""

    email = models.EmailField("e-mail address", unique=True, error_messages={"unique": "This e-mail address is taken."})
    name = models.CharField(max_length=LONGEST_NAME, validators=[validate_name])
    is_staff = models.BooleanField("operator", default=False, help_text="May use the admin site.")
    is_active = models.BooleanField("active", default=True, help_text="Untick this instead of deleting accounts.")
    date_joined = models.DateTimeField(default=timezone.now)

    objects: ClassVar[UserManager] = UserManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        return self.name

    def set_unusable_password(self) -> None:
        """End the password; `save` takes it for a new one."""
        super().set_unusable_password()
        self._password: str | None = ""

    @transaction.atomic
    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; a new user gets a personal workspace. A new password, whichever way it comes, ends all access tokens
        and a change of the e-mail address that nobody has confirmed.
        """
        new = self._state.adding
        # What `set_password` was given; a mere rehash of the same password leaves None.
        new_password = self._password is not None
        self.email = self.email.lower()
        super().save(*args, **kwargs)
        if new:
            Workspace.make(f"{self.name or self.email}’s workspace", owner=self)
        elif new_password:
            self.access_tokens.all().delete()
            EmailAddress.objects.filter(user=self, verified=False).exclude(email=self.email).delete()


class Workspace(models.Model):
    """The tenant: owns projects and has a plan."""

    name = models.CharField(max_length=150, validators=[validate_name])
    created_at = models.DateTimeField(auto_now_add=True)
    members = models.ManyToManyField(User, through="Membership", related_name="workspaces")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name

    @classmethod
    @transaction.atomic
    def make(cls, name: str, owner: User) -> "Workspace":
        workspace = cls.objects.create(name=name)
        Membership.objects.create(workspace=workspace, user=owner, role=Role.OWNER)
        return workspace


class Role(models.TextChoices):
    """What a member may do: members look, admins manage projects and invite, owners manage the members too."""

    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    MEMBER = "member", "Member"


MAY_GIVE: Mapping[str, tuple[Role, ...]] = {  # nobody invites above their own role
    Role.OWNER: (Role.OWNER, Role.ADMIN, Role.MEMBER),
    Role.ADMIN: (Role.ADMIN, Role.MEMBER),
    Role.MEMBER: (),
}


class Membership(models.Model):
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "user"],
                name="one_membership_per_user",
                violation_error_message="This person is already a member.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.workspace}"

    @property
    def manages(self) -> bool:
        """May make, change and delete projects and keys."""
        return self.role in (Role.OWNER, Role.ADMIN)

    @property
    def may_give(self) -> tuple[Role, ...]:
        """The roles that this member may invite somebody as."""
        return MAY_GIVE[self.role]

    @property
    def owns(self) -> bool:
        """May change the members and the workspace."""
        return self.role == Role.OWNER

    def clean(self) -> None:
        """Refuse a member too many."""
        others = Membership.objects.exclude(pk=self.pk)
        if others.filter(workspace_id=self.workspace_id).count() >= MOST_MEMBERS:
            raise ValidationError(f"A workspace has at most {MOST_MEMBERS} members. Remove one first.")
        if others.filter(user_id=self.user_id).count() >= MOST_WORKSPACES:
            raise ValidationError(f"Nobody is in more than {MOST_WORKSPACES} workspaces. They must leave one first.")

    @classmethod
    @transaction.atomic
    def make(cls, workspace: Workspace, user: User, role: str) -> "Membership":
        """A new member. Raises ValidationError when they are one already or one too many."""
        Workspace.objects.select_for_update().get(pk=workspace.pk)  # two at once would both see room for one more
        membership = cls(workspace=workspace, user=user, role=role)
        membership.full_clean()
        membership.save()
        return membership

    @transaction.atomic
    def change_role(self, role: str) -> None:
        """Raises ValidationError for the last owner, and when the membership has ended meanwhile."""
        self.read_locked()
        if role != Role.OWNER:
            self.refuse_last_owner()
        self.role = role
        self.save(update_fields=["role"])

    @transaction.atomic
    def leave(self) -> None:
        """End the membership. Raises ValidationError as `change_role` does."""
        self.read_locked()
        self.refuse_last_owner()
        self.delete()

    def read_locked(self) -> None:
        """Read the role behind the workspace's lock: another request may have changed it since this one read it."""
        Workspace.objects.select_for_update().filter(pk=self.workspace_id).first()
        try:
            self.refresh_from_db(fields=["role"])
        except Membership.DoesNotExist:
            raise ValidationError("This person is no longer a member.") from None

    def refuse_last_owner(self) -> None:
        """Ask behind the lock (`read_locked`), since two last owners may go at once."""
        owners = Membership.objects.filter(workspace_id=self.workspace_id, role=Role.OWNER)
        if self.owns and not owners.exclude(pk=self.pk).exists():
            raise ValidationError("A workspace needs an owner. Make somebody else an owner first.")


class Invitations(models.QuerySet["Invitation"]):
    def pending(self) -> "Invitations":
        """Those that can be accepted now. One ends with its inviter's right to make it: whoever leaves the workspace,
        gets a lower role or is made inactive leaves no way back in.
        """
        may_give = models.Q()
        for role, given in MAY_GIVE.items():
            may_give |= models.Q(inviter__memberships__role=role, role__in=given)
        return self.filter(
            may_give,
            inviter__memberships__workspace=models.F("workspace"),
            inviter__is_active=True,
            accepted_at=None,
            expires_at__gt=timezone.now(),
        )


class Invitation(models.Model):
    """Asks whoever reads an e-mail address to become a member. The text of its link is mailed and not kept."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="invitations")
    inviter = models.ForeignKey(User, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField("e-mail address", max_length=254)
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)

    objects = Invitations.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["workspace", "email"], name="one_invitation_per_address")]

    def __str__(self) -> str:
        return f"{self.email} to {self.workspace}"

    @classmethod
    @transaction.atomic
    def make(cls, inviter: Membership, email: str, role: str) -> "Invitation":
        """A new invitation, which nobody has a link to before `renew`. Raises PermissionDenied and ValidationError."""
        workspace = Workspace.objects.select_for_update().get(pk=inviter.workspace_id)  # for the count below
        email = email.lower()
        invitations = workspace.invitations
        if role not in inviter.may_give:
            raise PermissionDenied("You cannot invite somebody above your own role.")
        if workspace.members.filter(email=email).exists():
            raise ValidationError("This person is already a member.")
        if invitations.pending().filter(email=email).exists():
            raise ValidationError("This address has an invitation already. Send it again, or revoke it first.")
        if invitations.pending().count() >= MOST_INVITATIONS:
            raise ValidationError(f"At most {MOST_INVITATIONS} invitations can wait for an answer. Revoke one first.")
        invitations.filter(email=email).delete()
        invitation = cls(workspace=workspace, inviter=inviter.user, email=email, role=role)
        invitation.renew()
        return invitation

    def renew(self) -> str:
        """Save with a new link and its full time, and return the link's text. Earlier links end."""
        text = random_text()
        self.digest = digest(text)
        self.expires_at = timezone.now() + INVITED_FOR
        self.full_clean()
        self.save()
        return text

    @transaction.atomic
    def accept(self, user: User) -> Membership:
        """Make the user a member. Raises ValidationError when the invitation has ended or there is no room."""
        Workspace.objects.select_for_update().get(pk=self.workspace_id)  # two at once would both find it pending
        found = Invitation.objects.filter(pk=self.pk)
        if not found.pending().exists():
            raise ValidationError("This invitation has ended. Ask for a new one.")
        found.update(accepted_at=timezone.now())
        return Membership.make(self.workspace, user, self.role)


class Scope(models.TextChoices):
    """What a program may do with an access token."""

    READ = "read", "Read only"
    WRITE = "write", "Read and write"


def token_expiry() -> datetime:
    return timezone.now() + TOKEN_LIFE


class AccessToken(models.Model):
    """A personal access token for the REST API. Its text is shown once and not kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="access_tokens")
    name = models.CharField(max_length=LONGEST_NAME, validators=[validate_name])
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=HINT_LENGTH, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(default=token_expiry)
    scope = models.CharField(max_length=10, choices=Scope, default=Scope.WRITE)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} ({TOKEN_PREFIX}…{self.hint})"

    def clean(self) -> None:
        """Refuse a token that lives too long, and a token too many."""
        if self.expires_at > timezone.now() + LONGEST_TOKEN_LIFE:
            raise ValidationError(f"An access token is valid for at most {LONGEST_TOKEN_LIFE.days} days.")
        if AccessToken.objects.filter(user_id=self.user_id).exclude(pk=self.pk).count() >= MOST_TOKENS:
            raise ValidationError(f"You can have at most {MOST_TOKENS} access tokens. Revoke one first.")

    @classmethod
    @transaction.atomic
    def make(
        cls, user: User, name: str, expires_at: datetime | None = None, scope: str = Scope.WRITE
    ) -> tuple["AccessToken", str]:
        """A new token and its text, which nobody can read again. Raises ValidationError as `clean` does."""
        User.objects.select_for_update().get(pk=user.pk)  # two at once would both see room for one more
        text = TOKEN_PREFIX + random_text()
        token = cls(user=user, name=name, digest=digest(text), hint=text[-HINT_LENGTH:], scope=scope)
        token.expires_at = expires_at or token.expires_at
        token.full_clean(exclude=["digest", "hint"])
        token.save()
        return token, text
