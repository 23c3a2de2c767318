import pytest
from django.core.management import call_command
from django.db import IntegrityError

from accounts.models import AccessToken, Membership, Role, User
from tests.conftest import PASSWORD


def test_everybody_gets_a_workspace_of_their_own(alice: User) -> None:
    membership = Membership.objects.get(user=alice)
    assert (membership.workspace.name, membership.role) == ("Alice’s workspace", Role.OWNER)


def test_saving_again_makes_no_second_workspace(alice: User) -> None:
    alice.save()
    assert alice.workspaces.count() == 1


def test_addresses_differ_by_more_than_case(alice: User) -> None:
    with pytest.raises(IntegrityError):
        User.objects.create_user("ALICE@example.org", PASSWORD, name="Alice")


def test_createsuperuser_makes_an_operator(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--noinput", "--email", "Op@example.org", "--name", "Op", verbosity=0)
    user = User.objects.get(email="op@example.org")
    assert user.is_superuser
    assert user.check_password(PASSWORD)
    assert user.emailaddress_set.filter(verified=True, primary=True).exists()
    assert user.workspaces.exists()


def test_a_token_is_kept_as_a_digest_only(alice: User) -> None:
    token, text = AccessToken.make(alice, "laptop")
    kept = AccessToken.objects.filter(pk=token.pk).values_list().get()
    assert text not in map(str, kept)
