from django.test import Client

from accounts.models import User


def test_an_unknown_path_is_a_page_that_helps(db: None, client: Client) -> None:
    answer = client.get("/nothing/here")
    assert answer.status_code == 404
    assert "Go to the dashboard" in answer.text


def test_a_bug_is_a_page_that_needs_nothing(client: Client) -> None:
    from django.template.loader import render_to_string

    assert "Something broke" in render_to_string("500.html")


def test_a_refusal_says_who_may(bob: User, workspace: object, client: Client) -> None:
    client.force_login(bob)
    answer = client.post(f"/ctx/workspaces/{bob.memberships.latest('id').workspace_id}/name")
    assert "Only owners of this workspace may do this" in answer.text
