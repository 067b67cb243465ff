"""POSIX shared memory in Python: create NAME SIZE, write NAME OFFSET TEXT, read NAME OFFSET LENGTH, unlink NAME.

With `file` first the same through mmap, on the file in /dev/shm.
"""

import mmap
import os
import sys
from multiprocessing import resource_tracker, shared_memory

words = sys.argv[1:]
by_file = words[0] == "file"
if by_file:
    words = words[1:]
command, name = words[:2]
number = int(words[2]) if len(words) > 2 else 0

if by_file:
    path = "/dev/shm" + name
    flags = os.O_CREAT | os.O_EXCL if command == "create" else 0
    descriptor = os.open(path, os.O_RDWR | flags, 0o600)
    if command == "create":
        os.ftruncate(descriptor, number)
    view = mmap.mmap(descriptor, 0)
else:
    memory = shared_memory.SharedMemory(name[1:], create=command == "create", size=number)
    # Else Python unlinks the name when this process ends.
    resource_tracker.unregister(memory._name, "shared_memory")
    view = memory.buf

if command == "write":
    text = words[3].encode()
    view[number : number + len(text)] = text
elif command == "read":
    sys.stdout.buffer.write(bytes(view[number : number + int(words[3])]))
elif command == "unlink":
    if by_file:
        os.unlink(path)
    else:
        resource_tracker.register(memory._name, "shared_memory")
        memory.unlink()
