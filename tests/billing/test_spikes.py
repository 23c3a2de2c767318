"""Mails about an hour that used more than a tenth of the month's requests."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.mail import EmailMessage, send_mail
from django.db import connection

from accounts.models import Membership, Role, User, Workspace
from billing.models import UsageSpike
from billing.spikes import claim
from billing.tasks import fold_usage, prune_batches, send_spike_mails
from billing.usage import Count, record_batch
from projects.models import Project

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TENTH = 100_000  # requests, of the free plan's million


def use(project: Project, requests: int, when: datetime = NOON) -> None:
    """A relay counts these, and the worker looks before it folds them and after."""
    record_batch(f"{project.id} {when} {requests}", 1, when, [Count(project.workspace_id, project.id, when, requests)])
    look(when)


def look(when: datetime) -> None:
    with time_machine.travel(when):
        send_spike_mails()
        fold_usage()
        send_spike_mails()


def test_a_tenth_is_no_reason_and_more_is(project: Project, mailoutbox: list[EmailMessage]) -> None:
    use(project, TENTH)
    assert mailoutbox == []
    use(project, 1, NOON + timedelta(minutes=59))
    assert [mail.subject for mail in mailoutbox] == [
        "[Gluer] Alice’s workspace has used more than a tenth of a month’s requests in one hour"
    ]


def test_the_mail_says_how_much_by_what_and_what_to_do(project: Project, mailoutbox: list[EmailMessage]) -> None:
    for number in range(7):
        use(Project.make(project.workspace, f"Quiet {number}"), 1)
    gone = Project.make(project.workspace, "Gone")
    use(gone, 20_000)
    gone.delete()
    use(project, 230_000)
    [mail] = mailoutbox
    body = str(mail.body)
    assert "250,007 requests between 12:00 and 13:00 (UTC) on 20 November 2026" in body
    assert "25 % of the 1,000,000" in body
    assert body.index("Shop: 230,000") < body.index("A deleted project: 20,000") < body.index("Quiet 0: 1 request\n")
    assert "4 more projects" in body
    assert f"/ctx/projects/{project.id}/settings" in body
    for remedy in ("Lower the requests a second", "Revoke the key", "larger plan"):
        assert remedy in body


def test_each_hour_is_told_once(project: Project, mailoutbox: list[EmailMessage]) -> None:
    for minute in range(0, 60, 10):
        use(project, TENTH + 1 + minute, NOON + timedelta(minutes=minute))
    assert len(mailoutbox) == 1
    use(project, TENTH, NOON + HOUR)
    assert len(mailoutbox) == 1
    use(project, 1, NOON + HOUR)
    assert len(mailoutbox) == 2


def test_what_is_counted_after_the_hour_belongs_to_it(project: Project, mailoutbox: list[EmailMessage]) -> None:
    record_batch("late", 1, NOON, [Count(project.workspace_id, project.id, NOON + timedelta(minutes=59), TENTH + 1)])
    look(NOON + HOUR)
    assert "between 12:00 and 13:00" in str(mailoutbox[0].body)
    look(NOON + 2 * HOUR)
    assert len(mailoutbox) == 1


def test_a_day_has_three_mails(project: Project, mailoutbox: list[EmailMessage]) -> None:
    for hours in range(24):
        use(project, TENTH + 1, NOON + hours * HOUR)
    assert len(mailoutbox) == 3
    use(project, TENTH + 1, NOON + DAY)
    assert len(mailoutbox) == 4


def test_owners_and_admins_get_it_members_and_strangers_do_not(
    project: Project, bob: User, charlie: User, mailoutbox: list[EmailMessage]
) -> None:
    Membership.objects.create(workspace=project.workspace, user=charlie, role=Role.ADMIN)
    use(Project.objects.get(workspace__name__startswith="Charlie"), TENTH)  # no more than a tenth of their own
    use(project, TENTH + 1)
    assert [mail.to for mail in mailoutbox] == [["alice@example.org"], ["charlie@example.org"]]


def test_a_mail_that_failed_is_tried_again_and_holds_up_nobody_elses(
    project: Project, charlie: User, mailoutbox: list[EmailMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = Project.objects.get(workspace__members=charlie)
    record_batch("theirs", 1, NOON, [Count(theirs.workspace_id, theirs.id, NOON, TENTH + 1)])

    def refuse_alice(subject: str, body: str, sender: None, to: list[str]) -> None:
        if to == ["alice@example.org"]:
            raise OSError("The mail server is down.")
        send_mail(subject, body, sender, to)

    with monkeypatch.context() as patch:
        patch.setattr("billing.notices.send_mail", refuse_alice)
        use(project, TENTH + 1)
    assert [mail.to for mail in mailoutbox] == [["charlie@example.org"]]
    look(NOON)
    assert [mail.to for mail in mailoutbox[1:]] == [["alice@example.org"]]


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_tells(workspace: Workspace) -> None:
    told: list[bool] = []
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        told.append(claim(workspace.pk, NOON))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [False, False, False, True]


def test_old_mails_are_forgotten(workspace: Workspace) -> None:
    for days in (399, 401):
        claim(workspace.pk, NOON - days * DAY)
    with time_machine.travel(NOON):
        prune_batches()
    assert UsageSpike.objects.get().hour == NOON - 399 * DAY
