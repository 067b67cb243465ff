"""What tests need of Python's send_fds and recv_fds: handles_peer.py stream|seqpacket|datagram FD."""

import os
import socket
import sys

TYPES = {
    "stream": socket.SOCK_STREAM,
    "seqpacket": socket.SOCK_SEQPACKET,
    "datagram": socket.SOCK_DGRAM,
}

what, path = sys.argv[1:]
with socket.socket(socket.AF_UNIX, TYPES[what]) as peer:
    if what == "datagram":
        peer.bind(path + ".py")
    peer.connect(path)
    # Two messages of one's own in front, in a stream in one piece with what follows.
    peer.send(b"first\n")
    read, write = os.pipe()
    socket.send_fds(peer, [b"a pipe\n"], [read, write])
    os.close(read)
    os.close(write)
    message, fds, flags, _ = socket.recv_fds(peer, 100, 10)
    for fd in fds:
        print(message.decode().strip(), os.read(fd, 100).decode())
    peer.send(b"done\n")
