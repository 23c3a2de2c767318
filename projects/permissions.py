"""Who may do what with a project: the one place that pages and REST ask. Strangers learn nothing: they get a 404."""

from django.db.models import QuerySet
from django.http import Http404

from accounts.models import Membership, Role, User
from accounts.permissions import EVERYBODY, MANAGERS, get_membership
from projects.models import Key, Kind, Project


def projects_of(user: User) -> QuerySet[Project]:
    return Project.objects.filter(workspace__memberships__user=user)


def get_project(user: User, project_id: str, roles: frozenset[Role] = EVERYBODY) -> tuple[Project, Membership]:
    """A project and the user's membership. Raises Http404 for strangers, PermissionDenied for other roles."""
    project = Project.objects.select_related("workspace").filter(pk=project_id).first()
    if project is None:
        raise Http404("There is no such project, or you are not a member of its workspace.")
    try:
        return project, get_membership(user, project.workspace_id, roles)
    except Http404:
        raise Http404("There is no such project, or you are not a member of its workspace.") from None


def get_managed_project(user: User, project_id: str) -> Project:
    return get_project(user, project_id, MANAGERS)[0]


def get_managed_key(user: User, project_id: str, key_id: int) -> Key:
    """Raises as get_project, and Http404 when the project has no such key."""
    key = get_managed_project(user, project_id).keys.filter(pk=key_id).first()
    if key is None:
        raise Http404("This project has no such key.")
    return key


def visible_keys(project: Project, membership: Membership) -> QuerySet[Key]:
    """Managers see all keys, members the public ones."""
    return project.keys.all() if membership.manages else project.keys.filter(kind=Kind.PUBLIC)
