"""The other half of pipe_python.ts, which starts it: says of each word whether it reads the same backwards."""

import json
import os
import struct

read_end, write_end = (int(fd) for fd in os.environ["IPC_CHANNEL"].split(","))

with os.fdopen(read_end, "rb") as questions, os.fdopen(write_end, "wb") as answers:
    while header := questions.read(4):
        (length,) = struct.unpack("<I", header)
        word = json.loads(questions.read(length))["word"]
        answer = json.dumps({"word": word, "palindrome": word == word[::-1]}).encode()
        answers.write(struct.pack("<I", len(answer)) + answer)
        answers.flush()
