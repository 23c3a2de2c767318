"""The relay's hot modules as machine code, made by mypyc out of the same sources (`make compile`).

It is used only if it was made of just these sources for this Python: an edit is never masked. Without it the modules
are interpreted, which doubles what a call costs; `GLUER_COMPILED=0` asks for that.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
MADE = HERE.parent / ".compiled"
STAMP = MADE / "stamp"
CORE = ("calls", "channels", "connection", "deadlines", "functions", "held", "hub", "others", "quota", "rates")
FOLDERS = ("core", "edge", "backplane")
HOT = [
    f"core/{name}.py" for name in (*CORE, "reading", "repeats", "sources", "statistics", "suspects", "tenant", "unsent")
]
HOT += [f"backplane/{name}.py" for name in ("announcements", "mesh", "process", "questions", "roster", "streams")]
HOT += [f"edge/{name}.py" for name in ("direct", "framing", "gather", "peer", "picows_link")]
NEEDS = "Compiling needs a C compiler and Python's headers (Debian: apt-get install gcc python3-dev)."


@cache  # three packages ask at the start
def fingerprint() -> str:
    """Of the sources and this Python."""
    digest = hashlib.sha256(f"{sys.version} {sysconfig.get_platform()}".encode())
    for path in sorted([*(path for folder in FOLDERS for path in HERE.glob(f"{folder}/*.py")), Path(__file__)]):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def is_made() -> bool:
    """Whether there is machine code of these sources."""
    return STAMP.exists() and STAMP.read_text() == fingerprint()


def is_used() -> bool:
    """Whether this process runs it."""
    return os.environ.get("GLUER_COMPILED") != "0" and is_made()


def extend(path: list[str], package: str) -> None:
    """Let a package of the relay find its compiled modules first."""
    if is_used():
        path.insert(0, str(MADE / "relay" / package))
        if str(MADE) not in sys.path:
            sys.path.append(str(MADE))  # the modules share a library there


def is_possible() -> bool:
    """Whether this machine has what compiling needs."""
    return shutil.which("cc") is not None and Path(sysconfig.get_paths()["include"], "Python.h").exists()


def make() -> None:
    """Compile. Raises SystemExit with a sentence when that fails."""
    made_of = fingerprint()
    shutil.rmtree(MADE, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(HERE, Path(folder, "relay"))
        command = [sys.executable, "-m", "mypyc", "--strict", *(f"relay/{path}" for path in HOT)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)  # noqa: S603 (all constants)
        if done.returncode:
            raise SystemExit(f"{done.stdout}{done.stderr}\nmypyc could not compile the relay; the reason stands above.")
        for library in (*Path(folder).glob("*.so"), *Path(folder).glob("relay/**/*.so")):
            target = MADE / library.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)
    STAMP.write_text(made_of)


if __name__ == "__main__" and not is_made():
    if is_possible():
        make()
    elif sys.argv[1:] == ["--if-possible"]:
        shutil.rmtree(MADE, ignore_errors=True)
        print(NEEDS)
    else:
        raise SystemExit(NEEDS)
