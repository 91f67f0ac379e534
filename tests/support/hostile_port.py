"""``python hostile_port.py WAY``: a port that adds well, and misbehaves in one way at 10 bits, or when it joins."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

WAYS = {
    "hangs": "gave no reply within",
    "late": "gave no reply within",
    "exits": "ended with exit code 3",
    "is_killed": "ended with exit code -9",
    "closes_stdout": "closed its pipe without ending",
    "closes_stdin": "",
    "junk": "no JSON",
    "junk_before": "no JSON",
    "not_text": "no JSON",
    "empty_line": "no JSON",
    "no_object": "no object with an id",
    "other_id": "which no request has",
    "id_as_text": "no object with an id",
    "old_reply": "a second or late reply to request",
    "two_replies": "a second or late reply to request",
    "two_outcomes": "exactly one of",
    "no_outcome": "exactly one of",
    "key_twice": "a key stands twice",
    "not_a_number": "no number of JSON",
    "endless_digits": "no JSON",
    "deep": "no JSON",
    "out_is_a_list": "out must be an object",
    "error_without_blame": "an error needs code, blame and party_index",
    "error_with_flag": "an error needs code, blame and party_index",
    "endless_line": "wrote more than",
    "endless_lines": "a second or late reply to request",
    "reset_refused": "replied to reset with errored",
    "floods_stderr": "",
    "leaves_a_child": "gave no reply within",
}
"""What the judge must say; nothing where the port is as good as any."""
AT_THE_END = {
    "exits_badly": "ended with exit code 4 after stop",
    "never_ends": "has not ended",
    "says_more": "wrote lines that nobody asked for",
    "refuses_stop": "replied to stop with errored",
}
AT_THE_START = {
    "other_version": "is for specification 0.0.1",
    "says_nothing": "gave no reply within",
    "ends_at_once": "its last line on stderr: no such library",
    "describes_nothing": "must be `out` with name",
    "snapshots_as_text": "snapshots in the reply to start is not a bool",
    "unknown_code": "is no code of the specification",
}
OUT = sys.stdout.buffer


def write(data: bytes) -> None:
    OUT.write(data)
    OUT.flush()


def reply(number: int, **outcome: object) -> bytes:
    return json.dumps({"id": number, **outcome}).encode() + b"\n"


def wait() -> None:
    while True:
        time.sleep(60)


def forever(data: bytes) -> None:
    while True:
        write(data)


def later(line: bytes) -> None:
    time.sleep(3)
    write(line)


def closes(descriptor: int) -> None:
    os.close(descriptor)
    wait()


def child(folder: str) -> None:
    """Starts a process that would outlive this one, and says which it is."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(folder, "child").write_text(str(process.pid), encoding="ascii")
    wait()


def misbehave(way: str, number: int, right: bytes) -> None:
    lines = {
        "junk": b"adding\n",
        "junk_before": b"adding\n" + right,
        "not_text": b"\xff\xfe\n",
        "empty_line": b"\n" + right,
        "no_object": b"[1]\n",
        "other_id": reply(number + 1000, out={}),
        "id_as_text": json.dumps({"id": str(number), "out": {}}).encode() + b"\n",
        "old_reply": reply(number - 1, out={}),
        "two_replies": right + right,
        "two_outcomes": reply(number, out={}, skipped="both"),
        "no_outcome": reply(number),
        "key_twice": b'{"id": %d, "id": %d, "out": {}}\n' % (number, number),
        "not_a_number": b'{"id": %d, "out": {"elements": NaN}}\n' % number,
        "endless_digits": b'{"id": %d, "out": {"elements": %s}}\n' % (number, b"9" * 10_000),
        "deep": b"[" * 100_000 + b"\n",
        "out_is_a_list": reply(number, out=[]),
        "error_without_blame": reply(number, error={"code": "input_error"}),
        "error_with_flag": reply(number, error={"code": "input_error", "blame": "caller", "party_index": False}),
    }
    deeds = {
        "hangs": wait,
        "late": lambda: later(right),
        "exits": lambda: (print("out of memory", file=sys.stderr, flush=True), os._exit(3)),
        "is_killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "closes_stdout": lambda: closes(1),
        "closes_stdin": lambda: write(right),
        "endless_line": lambda: forever(b"9" * 65536),
        "endless_lines": lambda: forever(right),
        "floods_stderr": lambda: (sys.stderr.write("warning " * 100_000), write(right)),
        "leaves_a_child": lambda: child(sys.argv[2]),
        "reset_refused": lambda: write(right),
    }
    write(lines[way]) if way in lines else deeds[way]()


def begin(way: str, request: dict[str, object]) -> bytes:
    if way == "ends_at_once":
        print("no such library", file=sys.stderr, flush=True)
        sys.exit(1)
    if way == "says_nothing":
        wait()
    name = "hostile"
    if way == "changes":
        started = Path(sys.argv[2])
        name = "another" if started.exists() else name
        started.touch()
    described = {
        "name": name,
        "language": "Python",
        "version": "1",
        "spec_version": "0.0.1" if way == "other_version" else request["spec_version"],
        "snapshots": "no" if way == "snapshots_as_text" else False,
        "codes": {"all_wrong": "x"} if way == "unknown_code" else {},
    }
    return reply(request["id"], out={} if way == "describes_nothing" else described)


def stop(way: str, number: int) -> None:
    if way == "refuses_stop":
        write(reply(number, errored="no"))
    write(reply(number, out={}) + (b"bye\n" if way == "says_more" else b""))
    if way == "never_ends":
        wait()
    sys.exit(4 if way == "exits_badly" else 0)


def main(way: str) -> None:
    for line in sys.stdin.buffer:
        request = json.loads(line)
        number = request["id"]
        if request["request"] == "start":
            write(begin(way, request))
        elif request["request"] == "stop":
            stop(way, number)
        elif request["request"] == "reset":
            refused = way == "reset_refused" or (way == "forgets_badly" and request["forget"])
            write(reply(number, errored="no") if refused else reply(number, out={}))
        elif request["request"] in {"join", "deliver"}:
            silent = reply(number, out={"send": [], "ended": None})
            misbehave(way, number, silent) if way in WAYS else write(silent)
        else:
            given, width = request["in"], request["in"]["width"]
            sums = [str((int(a) + int(b)) % (1 << width)) for a, b in zip(given["left"], given["right"], strict=True)]
            right = reply(number, out={"elements": sums})
            if width == 10 and way == "changes":
                sys.exit(1)
            elif width == 10 and way in WAYS:
                misbehave(way, number, right)
            else:
                write(right)


if __name__ == "__main__":
    main(sys.argv[1])
