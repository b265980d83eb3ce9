"""Asks the server all the time what it serves, in the network of one machine: `python -m tests.fuzz.probe PORT`.

Prints a line `SECONDS ANSWER` whenever the answer differs from the last one: seconds of the monotonic clock, lines of
the answer joined by `|`, `-` where nobody answers.
"""

from __future__ import annotations

import socket
import sys
import time

PAUSE = 0.03


def ask(port: int) -> str:
    """One answer, "-" if there is none."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            data = b""
            while chunk := connection.recv(65536):
                data += chunk
    except OSError:
        return "-"
    head, _, body = data.decode(errors="replace").partition("\r\n\r\n")
    # A server that is killed while it answers has not answered.
    length = head.lower().rpartition("content-length: ")[2].split("\r\n")[0]
    if not length.isdigit() or int(length) != len(body.encode()):
        return "-"
    return "|".join(body.splitlines())


def main() -> None:
    """Ask until somebody ends us."""
    port = int(sys.argv[1])
    last = ""
    while True:
        answer = ask(port)
        if answer != last:
            print(f"{time.monotonic():.3f} {answer}", flush=True)
            last = answer
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
