"""Mails at 80 % and 100 %, once a month."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.core.mail import EmailMessage, send_mail

from accounts.models import Membership, Role, User, Workspace
from billing.models import Plan, WorkspacePlan
from billing.tasks import fold_usage, send_usage_mails
from billing.usage import Count, record_batch
from projects.models import Project

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 5, tzinfo=UTC)


@pytest.fixture
def tiny(workspace: Workspace) -> None:
    plan = Plan.objects.create(slug="tiny", name="Tiny", requests_per_month=10)
    WorkspacePlan.objects.create(workspace=workspace, plan=plan)


def use(project: Project, requests: int, sequence: int, now: datetime = NOON) -> None:
    record_batch("p", sequence, now, [Count(project.workspace_id, project.id, now, requests)])
    with time_machine.travel(now):
        send_usage_mails()
        fold_usage()
        send_usage_mails()


def test_nothing_is_said_below_80_percent(project: Project, tiny: None, mailoutbox: list[EmailMessage]) -> None:
    use(project, 7, 1)
    assert mailoutbox == []


def test_each_step_is_said_once(project: Project, tiny: None, mailoutbox: list[EmailMessage]) -> None:
    for sequence in range(1, 13):
        use(project, 1, sequence)
    assert [mail.subject for mail in mailoutbox] == [
        "[Gluer] Alice’s workspace has used 80 % of this month’s requests",
        "[Gluer] Alice’s workspace has used 100 % of this month’s requests",
    ]
    assert "8 of this month's 10 requests" in str(mailoutbox[0].body)
    assert "1 December 2026" in str(mailoutbox[1].body)


def test_who_jumps_over_80_percent_gets_one_mail(project: Project, tiny: None, mailoutbox: list[EmailMessage]) -> None:
    use(project, 12, 1)
    assert len(mailoutbox) == 1
    assert "refused with quota_exceeded" in str(mailoutbox[0].body)


def test_the_next_month_is_said_anew(project: Project, tiny: None, mailoutbox: list[EmailMessage]) -> None:
    use(project, 8, 1)
    use(project, 8, 2, DECEMBER)
    assert len(mailoutbox) == 2


def test_owners_and_admins_get_it_members_and_strangers_do_not(
    project: Project, tiny: None, bob: User, charlie: User, mailoutbox: list[EmailMessage]
) -> None:
    Membership.objects.create(workspace=project.workspace, user=charlie, role=Role.ADMIN)
    use(project, 8, 1)
    assert [mail.to for mail in mailoutbox] == [["alice@example.org"], ["charlie@example.org"]]


def test_a_mail_that_failed_is_tried_again_and_holds_up_nobody_elses(
    project: Project, tiny: None, charlie: User, mailoutbox: list[EmailMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = Project.objects.get(workspace__members=charlie)
    WorkspacePlan.objects.create(workspace=theirs.workspace, plan=Plan.objects.get(slug="tiny"))
    record_batch("q", 1, NOON, [Count(theirs.workspace_id, theirs.id, NOON, 9)])

    def refuse_alice(subject: str, body: str, sender: None, to: list[str]) -> None:
        if to == ["alice@example.org"]:
            raise OSError("The mail server is down.")
        send_mail(subject, body, sender, to)

    with monkeypatch.context() as patch:
        patch.setattr("billing.notices.send_mail", refuse_alice)
        use(project, 8, 1)
    assert [mail.to for mail in mailoutbox] == [["charlie@example.org"]]
    use(project, 0, 2)
    assert [mail.to for mail in mailoutbox[1:]] == [["alice@example.org"]]


def test_a_name_of_two_lines_makes_no_header(project: Project, tiny: None, mailoutbox: list[EmailMessage]) -> None:
    Workspace.objects.update(name="Acme\nBcc: everybody@example.org")
    use(project, 8, 1)
    assert mailoutbox[0].subject.startswith("[Gluer] Acme Bcc: everybody")
