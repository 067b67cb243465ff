"""What tests need of Python's socket module: unix_peer.py ask|serve|datagram PATH."""

import socket
import sys

what, path = sys.argv[1:]
if what == "ask":
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
        peer.connect(path)
        answers = []
        for message in [b"abc", b"", b"0" * 20000]:
            peer.send(message)
            answer = peer.recv(65536).decode()
            answers.append(answer if len(answer) < 100 else answer[:10] + f" x {len(answer)}")
    print(answers)
elif what == "serve":
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen(1)
        print("listening", flush=True)
        peer, _ = listener.accept()
        with peer:
            for _ in range(3):
                peer.send(peer.recv(65536).upper())
else:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
        peer.bind(path + ".py")
        peer.sendto(b"hello", path)
        print([peer.recv(65536).decode() for _ in range(3)])
