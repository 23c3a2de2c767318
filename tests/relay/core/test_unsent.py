"""What waits for slow peers is counted, each frame once, and bounded (GP-5C)."""

import pytest

from relay.core.unsent import WAITING_COST, Backlog, Unsent


class Slow:
    """A slow peer, and whether it was cut off."""

    def __init__(self, unsent: Unsent) -> None:
        self.is_cut = False
        self.backlog = Backlog(unsent, self.cut)

    def cut(self) -> None:
        self.is_cut = True


@pytest.fixture
def process() -> Unsent:
    return Unsent(10_000)


@pytest.fixture
def project(process: Unsent) -> Unsent:
    return Unsent(5_000, process)


def test_a_frame_that_waits_for_many_is_counted_once(process: Unsent, project: Unsent) -> None:
    peers, frame = [Slow(project) for _ in range(3)], bytes(1_000)
    for peer in peers:
        peer.backlog.add(frame, 1_000)
    assert project.bytes == process.bytes == 1_000 + 3 * WAITING_COST
    for peer in peers:
        peer.backlog.end()
        peer.backlog.end()  # told twice
    assert (project.bytes, process.bytes, project.frames, project.backlogs) == (0, 0, {}, {})


def test_what_a_slow_peer_has_read_meanwhile_is_not_counted(project: Unsent) -> None:
    peer = Slow(project)
    for _ in range(100):
        peer.backlog.add(bytes(1_000), waiting=1_500)
    assert project.bytes == 2 * (1_000 + WAITING_COST)


def test_the_peers_that_are_slow_for_longest_are_cut(process: Unsent, project: Unsent) -> None:
    peers = [Slow(project) for _ in range(6)]
    for peer in peers:
        peer.backlog.add(bytes(1_000), 1_000)  # each an object of its own
    assert project.is_too_much()
    project.relieve()
    assert [peer.is_cut for peer in peers] == [True, True, False, False, False, False]
    assert not project.is_too_much()


def test_a_process_cuts_the_slowest_of_all_projects(process: Unsent) -> None:
    projects = [Unsent(5_000, process) for _ in range(3)]
    peers = [Slow(project) for project in projects]
    for peer in peers:
        peer.backlog.add(bytes(4_000), 4_000)
        peer.backlog.add(b"", 4_000)
    assert projects[2].is_too_much()
    projects[2].relieve()
    assert [peer.is_cut for peer in peers] == [True, False, False]
    assert (projects[0].bytes, projects[0].backlogs) == (0, {})
