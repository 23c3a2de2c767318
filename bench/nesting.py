"""What the check of a frame's nesting costs, for each shape of JSON that is slow to read: `python -m bench.nesting`."""

from timeit import repeat

from relay.core.reading import is_deep

MIB = 1 << 20
SHAPES = {
    "one long string": b'["' + b"a" * MIB + b'"]',
    "one long string full of brackets": b'["' + b"[" * MIB + b'"]',
    "one long string behind an escape": b'["\\n' + b"a" * MIB + b'"' + b",[]" * 200 + b"]",
    "many short strings": b"[" + b'"",' * (MIB // 3) + b"0]",
    "many short strings of a bracket": b"[" + b'"[",' * (MIB // 4) + b"0]",
    "escapes and brackets": b'["' + b"\\n[" * (MIB // 3) + b'"]',
    "empty arrays": b"[" + b"[]," * (MIB // 3) + b"0]",
    "arrays at the deepest level": b"[" * 127 + b"[]," * (MIB // 3) + b"0" + b"]" * 127,
}


def main() -> None:
    """Print the least of nine runs for each shape, and whether the check ran as machine code."""
    compiled = "interpreted" if hasattr(is_deep, "__code__") else "machine code"
    print(f"| shape ({compiled}) | ms per MiB |\n|---|---|")
    for shape, text in SHAPES.items():
        seconds = min(repeat(lambda text=text: is_deep(text), number=1, repeat=9))  # type: ignore[misc]
        print(f"| {shape} | {seconds * 1000 * MIB / len(text):.1f} |")


if __name__ == "__main__":
    main()
