"""Who may do what in a workspace: the one place that pages and REST ask. Strangers learn nothing: they get a 404."""

from allauth.account.models import EmailAddress
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404

from accounts.models import Invitation, Invitations, Membership, Role, User, Workspace

EVERYBODY = frozenset(Role)
MANAGERS = frozenset({Role.OWNER, Role.ADMIN})
LARGEST_ID = 2**63 - 1  # databases refuse to compare with more
OWNERS = frozenset({Role.OWNER})


def workspaces_of(user: User) -> QuerySet[Workspace]:
    return Workspace.objects.filter(memberships__user=user)


def get_membership(user: User, workspace_id: int, roles: frozenset[Role] = EVERYBODY) -> Membership:
    """The user's membership, with its workspace. Raises Http404 for strangers, PermissionDenied for other roles."""
    members = Membership.objects.select_related("workspace")
    found = members.filter(user=user, workspace_id=workspace_id).first() if workspace_id <= LARGEST_ID else None
    if found is None:
        raise Http404("There is no such workspace, or you are not a member of it.")
    if found.role not in roles:
        raise PermissionDenied(f"Only {names(roles)} of this workspace may do this. Ask one of them.")
    return found


def invitations_of(membership: Membership) -> Invitations:
    """What waits for an answer in the member's workspace."""
    return membership.workspace.invitations.pending().select_related("inviter")


def get_invitation(user: User, workspace_id: int, invitation_id: int) -> Invitation:
    """One that the user may send again and revoke. Raises Http404, and PermissionDenied above the user's role."""
    membership = get_membership(user, workspace_id, MANAGERS)
    found = invitations_of(membership).filter(pk=invitation_id).first() if invitation_id <= LARGEST_ID else None
    if found is None:
        raise Http404("There is no such invitation: it was answered, revoked, or has ended.")
    if found.role not in membership.may_give:
        raise PermissionDenied(f"Only {names(OWNERS)} of this workspace may do this. Ask one of them.")
    return found


def invitations_for(user: User) -> Invitations:
    """What was mailed to an address that the user has confirmed, and waits for an answer."""
    addresses = EmailAddress.objects.filter(user=user, verified=True).values("email")
    return Invitation.objects.pending().filter(email__in=addresses).select_related("workspace", "inviter")


def names(roles: frozenset[Role]) -> str:
    """“owners and admins”, in the order of the roles."""
    return " and ".join(f"{role.label.lower()}s" for role in Role if role in roles)
