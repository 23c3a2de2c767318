"""A child's output, line by line, all of it; and its end."""

import sys

import pytest

from gluer_site.embedded.child import KEPT_LINES, Child


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


async def test_every_line_is_printed_behind_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    await Child("web", python("print('\\n'.join(map(str, range(1000))), end='')")).run()
    assert capsys.readouterr().out == "".join(f"web    | {number}\n" for number in range(1000))


async def test_a_quiet_child_keeps_its_last_lines(capsys: pytest.CaptureFixture[str]) -> None:
    child = Child("broker", python("print('\\n'.join(map(str, range(1000))))"), quiet=True)
    await child.run()
    assert capsys.readouterr().out == ""
    child.print_kept()
    assert capsys.readouterr().out == "".join(f"broker | {number}\n" for number in range(1000 - KEPT_LINES, 1000))


async def test_a_line_without_end_does_not_fill_the_memory(capsys: pytest.CaptureFixture[str]) -> None:
    await Child("web", python("print('x' * 1_000_000, end='')")).run()
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) > 1
    assert sum(line.count("x") for line in printed) == 1_000_000


async def test_it_reads_its_input_and_tells_its_exit_code() -> None:
    assert await Child("web", python("import sys; sys.exit(int(sys.stdin.read()))"), reads=b"7").run() == 7
