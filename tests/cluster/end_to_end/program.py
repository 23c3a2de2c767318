"""A Node program that uses a built SDK: told what to do, and what it told."""

import asyncio
import functools
import itertools
import json
import os
import signal
from pathlib import Path
from typing import Any, Self

from tests.example.programs import node_with_websocket
from tests.relay.harness.home import BASE

SDKS = BASE / "sdks"
PATIENCE = 15  # s for whatever a test waits for
LONGEST_LINE = 4_194_304  # bytes
Event = dict[str, Any]
node = functools.cache(node_with_websocket)


class GluerError(Exception):
    """What the SDK threw."""

    def __init__(self, code: str, message: str, retryable: bool = False, data: Any = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.retryable, self.data = code, message, retryable, data


class Program:
    """`role`: the file of this folder. It ends when the tests do, since its stdin does."""

    role = ""

    def __init__(self, url: str, key: str, log: Path, environment: dict[str, str]) -> None:
        assert (SDKS / "gluer-js/dist/index.cjs").exists(), "Build the SDKs first: make build"
        self.log, self.errors = log, log.open("wb")
        self.environment = os.environ | environment | {"GLUER_URL": url, "KEY": key, "SDKS": str(SDKS)}
        self.numbers = itertools.count(1)
        self.answers: dict[int, asyncio.Future[Any]] = {}
        self.events: list[Event] = []
        self.news = asyncio.Condition()

    async def start(self, **said: Any) -> Self:
        """Returns once it is connected."""
        self.process = await asyncio.create_subprocess_exec(
            *node(),
            str(Path(__file__).parent / f"{self.role}.cjs"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self.errors,
            env=self.environment,
            limit=LONGEST_LINE,
            start_new_session=True,
        )
        self.reading = asyncio.create_task(self._read())
        self.welcome: Event = await self.ask("connect", **said)
        return self

    async def _read(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            said = json.loads(line)
            if "event" in said:
                self.events.append(said)
            else:
                self._answer(said)
            async with self.news:
                self.news.notify_all()

    def _answer(self, said: Event) -> None:
        answer = self.answers.pop(said["id"])
        if answer.done():
            return
        if "error" in said:
            answer.set_exception(GluerError(**said["error"]))
        else:
            answer.set_result(said.get("value"))

    async def ask(self, command: str, **said: Any) -> Any:
        """What the command returns. Raises GluerError."""
        assert self.process.stdin
        number = next(self.numbers)
        answer = self.answers[number] = asyncio.get_running_loop().create_future()
        self.process.stdin.write(json.dumps({"id": number, "do": command, **said}).encode() + b"\n")
        try:
            return await asyncio.wait_for(answer, PATIENCE)
        except TimeoutError:
            raise AssertionError(f"no answer to {command}; it printed: {self.log.read_text()}") from None

    def all(self, event: str, **fields: Any) -> list[Event]:
        """What it has told of this, in order."""
        sought = {"event": event, **fields}.items()
        return [told for told in self.events if sought <= {name: told.get(name) for name, _ in sought}.items()]

    async def told(self, event: str, number: int = 1, **fields: Any) -> list[Event]:
        """Wait until it has told of this so often; all of it."""
        try:
            async with asyncio.timeout(PATIENCE), self.news:
                await self.news.wait_for(lambda: len(self.all(event, **fields)) >= number)
        except TimeoutError:
            raise AssertionError(f"not {number} times told {event} {fields}, but {self.events}") from None
        return self.all(event, **fields)

    async def subscribe(self, channel: str) -> None:
        await self.ask("subscribe", channel=channel)

    def messages(self) -> list[Any]:
        """What came over channels."""
        return [told["data"] for told in self.all("message")]

    async def close(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self.reading
        self.errors.close()


class FrontEnd(Program):
    """Of gluer-js."""

    role = "front_end"

    async def call(self, cmd: str, data: Any = None, *, name: str = "a call", **options: Any) -> Any:
        """Its reply. The test may `cancel` it by its name; `told("progress", name=…)` is what it reported."""
        return await self.ask("call", cmd=cmd, data=data, name=name, **options)

    async def error(self, cmd: str, data: Any = None, **options: Any) -> GluerError:
        """The error of a call."""
        try:
            reply = await self.call(cmd, data, **options)
        except GluerError as error:
            return error
        raise AssertionError(f"{cmd} was answered: {reply}")

    async def offer(self, name: str) -> None:
        """Let back ends call it by this name; it answers with what it got."""
        await self.ask("on", name=name)


class BackEnd(Program):
    """Of gluer-nodejs."""

    role = "back_end"

    def numbers_of(self, event: str) -> list[int]:
        """Of the work that it `began`, `finished` or `stopped`."""
        return [told["number"] for told in self.all(event)]

    async def call_page(self, name: str, data: Any, **to: str) -> Any:
        """The page's reply, and what it `reported` before."""
        return await self.ask("call", cmd=name, data=data, to=to, timeout=5_000)

    async def publish(self, channel: str, data: Any) -> int:
        """How many it went to."""
        receivers: int = (await self.ask("publish", channel=channel, data=data))["receivers"]
        return receivers

    async def ended_by(self, number: signal.Signals) -> int:
        """Sends the signal; the exit code."""
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), PATIENCE)
