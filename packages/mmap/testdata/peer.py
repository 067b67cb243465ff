"""A mapped file in Python: create PATH SIZE, write PATH OFFSET TEXT, read PATH OFFSET LENGTH."""

import mmap
import sys

command, path, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
if command == "create":
    with open(path, "xb") as file:
        file.truncate(number)
else:
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        if command == "write":
            text = sys.argv[4].encode()
            memory[number : number + len(text)] = text
            memory.flush()
        else:
            sys.stdout.buffer.write(memory[number : number + int(sys.argv[4])])
