"""Starts a program as a service manager does: activate.py NAMES|- KIND:PATH... -- COMMAND...

dgram-early-MODE is a socket with this mode that has a datagram before the program begins.
"""

import os
import socket
import sys

names, *rest = sys.argv[1:]
split = rest.index("--")
opened = []
for address in rest[:split]:
    kind, path = address.split(":", 1)
    if kind == "tcp":
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.bind(("127.0.0.1", 0))
        print(made.getsockname()[1], flush=True)
    else:
        kind, _, mode = kind.partition("-early-")
        made = socket.socket(socket.AF_UNIX, getattr(socket, "SOCK_" + kind.upper()))
        made.bind(path)
        if mode:
            # As what lets the service begin.
            os.chmod(path, int(mode, 8))
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"early", path)
    if kind != "dgram":
        made.listen()
    opened.append(made.detach())
# Out of the way first, so that none is written over.
opened = [os.dup2(fd, 100 + index, False) for index, fd in enumerate(opened)]
for index, fd in enumerate(opened):
    os.dup2(fd, 3 + index, True)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = str(len(opened))
if names != "-":
    os.environ["LISTEN_FDNAMES"] = names
os.execvp(rest[split + 1], rest[split + 1:])
