"""Mails: a page of a relay asks for one and the worker sends it, each as its own user of Redis."""

import re
from pathlib import Path

import httpx

from tests.cluster.harness.celery import Celery
from tests.cluster.harness.cluster import Cluster
from tests.conftest import PASSWORD
from tests.embedded.installation import until

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
FORM = {"name": "Dora", "email": "dora@example.org", "password1": PASSWORD, "password2": PASSWORD}


def test_whoever_signs_up_gets_a_mail_from_the_worker(cluster: Cluster, tmp_path: Path) -> None:
    site = cluster.nginx.http
    with (
        Celery(cluster.home, "worker", tmp_path, REDIS_URL=cluster.redis.worker_url) as worker,
        httpx.Client(base_url=site, verify=cluster.nginx.tls, headers={"Referer": f"{site}/"}, timeout=20) as browser,
    ):
        send(browser, "/accounts/signup/", **FORM)
        until(lambda: "To: dora@example.org" in worker.program.printed(), "the mail", 30)
        send(browser, "/accounts/password/reset/", email="dora@example.org")
        until(lambda: "/accounts/password/reset/key/" in worker.program.printed(), "another mail", 30)
    assert "https://localhost/accounts/confirm-email/" in worker.program.printed()


def test_redis_lets_a_relay_count_log_ins(cluster: Cluster) -> None:
    site = cluster.nginx.http
    with httpx.Client(base_url=site, verify=cluster.nginx.tls, headers={"Referer": f"{site}/"}, timeout=20) as browser:
        for _ in range(6):
            page = send(browser, "/accounts/login/", login="eve@example.org", password="wrong")
        assert "Too many failed" in page
    assert cluster.redis.refused() == []


def send(browser: httpx.Client, path: str, **form: str) -> str:
    """Fill in a form and send it; what the page says then."""
    found = TOKEN.search(browser.get(path).text)
    assert found
    answer = browser.post(path, data={**form, "csrfmiddlewaretoken": found[1]}, follow_redirects=True)
    return answer.raise_for_status().text
