"""What all processes are asked: how many subscribers got a message, and where front ends are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from relay.backplane.messages import Find
from relay.backplane.process import ended
from relay.backplane.streams import MOST_OF_PROJECT
from relay.core import frames
from relay.core.connection import OPEN, Connection
from relay.core.errors import Refused
from relay.core.tenant import Tenant, answer

if TYPE_CHECKING:
    from relay.backplane.mesh import Mesh

ANSWER_WITHIN = 1.0  # s for the other processes to answer
MOST_QUESTIONS = 100_000  # publishes, and searches, that wait for answers …
IN_DOUBT = "The way to other relay processes broke: subscribers may have got the message or not. It is not counted."
QUESTION = 1_024  # bytes: what one counts for in the bound of its project, beside its data


class Question:
    """How many subscribers got a message: asked of all processes."""

    def __init__(self, publisher: Connection, project: str, request_id: str, asked: set[str], until: float) -> None:
        self.publisher, self.project, self.request_id, self.asked, self.until = (
            publisher,
            project,
            request_id,
            asked,
            until,
        )
        self.receivers = 0


class Search:
    """Where the front ends are that `to` names: asked of all other processes."""

    def __init__(
        self,
        tenant: Tenant,
        to: frames.Target,
        size: int,
        found: Callable[[list[Connection], str, float], None],
        asked: set[str],
        until: float,
    ) -> None:
        self.tenant, self.to, self.size, self.found, self.asked, self.until = tenant, to, size, found, asked, until
        self.peers: list[tuple[str, str, str]] = []  # when it connected, its process, its id
        self.is_complete = True  # all have answered


class Questions:
    """Those that were asked, by their numbers."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.asked = 0  # ever; numbers them
        self.questions: dict[int, Question] = {}
        self.searches: dict[int, Search] = {}
        self.waiting: dict[str, int] = {}  # bytes that wait for answers, by project

    def is_full(self, project: str, size: int = 0) -> bool:
        """Whether this project may not ask another one, for which so many bytes wait."""
        asked = len(self.questions) + len(self.searches)
        return asked >= MOST_QUESTIONS or self.waiting.get(project, 0) + size > MOST_OF_PROJECT

    def _wait(self, project: str, size: int) -> None:
        self.waiting[project] = self.waiting.get(project, 0) + size
        if not self.waiting[project]:
            del self.waiting[project]

    # --- how many subscribers got a message --------------------------------------------------------------------------

    def ask(self, publisher: Connection, request_id: str, now: float) -> int:
        """Begin to count; the number of the question."""
        self.asked += 1
        everybody = {self.mesh.id, *self.mesh.processes}
        assert publisher.tenant is not None
        self._wait(publisher.tenant.project_id, QUESTION)
        self.questions[self.asked] = Question(
            publisher, publisher.tenant.project_id, request_id, everybody, now + ANSWER_WITHIN
        )
        return self.asked

    def count(self, source: str, asked: int, receivers: int) -> None:
        """One process has answered."""
        question = self.questions.get(asked)
        if question is not None and source in question.asked:
            question.asked.discard(source)
            question.receivers += receivers
            if not question.asked:
                self._answer(asked)

    def _answer(self, asked: int) -> None:
        """Answer with what is known now; a message that did not come back to us may have reached others (GP-22)."""
        question = self.questions.pop(asked)
        self._wait(question.project, -QUESTION)
        if question.publisher.state is not OPEN:
            return
        if self.mesh.id in question.asked:
            self.mesh.hub.refused(question.publisher, "publish", "", "relay_unavailable")
            question.publisher.send(ended(question.request_id, "relay_unavailable", IN_DOUBT))
        else:
            data = msgspec.Raw(b'{"receivers":%d}' % question.receivers)
            answer(question.publisher, question.request_id, data)

    # --- where front ends are ----------------------------------------------------------------------------------------

    def find(
        self,
        tenant: Tenant,
        to: frames.Target,
        size: int,
        found: Callable[[list[Connection], str, float], None],
        now: float,
    ) -> bool:
        """Ask where they are; see Others.find."""
        mesh = self.mesh
        here = tenant.targets(to)
        if not mesh.processes or (here and (to.connection or not mesh.connected)):
            return False
        project = tenant.project_id
        if not mesh.connected or mesh.everyone.is_full(project) or self.is_full(project, size):
            raise Refused("relay_unavailable")
        self.asked += 1
        size += QUESTION
        self._wait(project, size)
        self.searches[self.asked] = Search(tenant, to, size, found, {*mesh.processes}, now + ANSWER_WITHIN)
        mesh.put(mesh.everyone, Find(self.asked, project, to.session, to.connection))
        return True

    def found(self, source: str, asked: int, peers: list[tuple[str, str]], now: float) -> None:
        """One process has answered."""
        search = self.searches.get(asked)
        if search is not None and source in search.asked:
            search.asked.discard(source)
            search.peers += [(since, source, id) for since, id in peers]
            if not search.asked or (search.to.connection and peers):
                self._end_search(asked, now)

    def _end_search(self, asked: int, now: float) -> None:
        """The youngest goes last. Whoever did not answer, or cannot be reached, may have them."""
        search = self.searches.pop(asked)
        self._wait(search.tenant.project_id, -search.size)
        found = [(peer.connected_at, peer) for peer in search.tenant.targets(search.to)]
        for since, id, peer in search.peers:
            process = self.mesh.processes.get(id)
            if process is None or not self.mesh.can_send(process, search.tenant.project_id):
                search.is_complete = False
            else:
                found.append((since, self.mesh.roster.unlisted(search.tenant, process, peer, now)))
        found.sort(key=lambda one: one[0])
        refusal = "no_such_peer" if search.is_complete and not search.asked else "relay_unavailable"
        search.found([peer for _, peer in found], refusal, now)

    # --- both --------------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """End those that waited long enough."""
        for asked in [asked for asked, question in self.questions.items() if question.until <= now]:
            self._answer(asked)
        for asked in [asked for asked, search in self.searches.items() if search.until <= now]:
            self._end_search(asked, now)

    def given_up(self, process_id: str, now: float) -> None:
        """This process will not answer."""
        for asked in [asked for asked, question in self.questions.items() if process_id in question.asked]:
            self.count(process_id, asked, 0)
        for asked in [asked for asked, search in self.searches.items() if process_id in search.asked]:
            self.searches[asked].is_complete = False
            self.found(process_id, asked, [], now)

    def cut_off(self, now: float) -> None:
        """Nobody will answer."""
        for asked in tuple(self.questions):
            self._answer(asked)
        for asked in tuple(self.searches):
            self._end_search(asked, now)
