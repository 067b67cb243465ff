"""Python's multiprocessing.Pipe, with its bytes: send_bytes and recv_bytes."""

import json
import multiprocessing
import os
import resource
import sys
import time


def cpu_time():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1e6


def far_end(connection):
    try:
        while True:
            test, size, count = connection.recv_bytes().decode().split()
            before = cpu_time()
            if test == "trip":
                for _ in range(2 * int(count)):
                    connection.send_bytes(connection.recv_bytes())
            else:
                message = bytes(int(size))
                for _ in range(int(count)):
                    connection.send_bytes(message)
            connection.send_bytes(str(cpu_time() - before).encode())
    except EOFError:
        pass


def near_end(connection, pid):
    print(json.dumps({"ready": True, "pids": [pid]}), flush=True)
    for line in sys.stdin:
        test, size, count = line.split()
        count = int(count)
        message = bytes(int(size))
        figures = {}
        before = cpu_time()
        connection.send_bytes(line.encode())
        began = time.perf_counter()
        if test == "trip":
            for _ in range(count):
                connection.send_bytes(message)
                connection.recv_bytes()
            took = time.perf_counter() - began
            times = []
            last = time.perf_counter()
            for _ in range(count):
                connection.send_bytes(message)
                connection.recv_bytes()
                now = time.perf_counter()
                times.append(now - last)
                last = now
            times.sort()
            figures["p50"] = times[count // 2] * 1e6
            figures["p99"] = times[int(count * 0.99)] * 1e6
        else:
            for _ in range(count):
                connection.recv_bytes()
            took = time.perf_counter() - began
        figures["nanoseconds"] = round(took * 1e9)
        used = cpu_time() - before + float(connection.recv_bytes())
        figures["cpu"] = used / (4 * count if test == "trip" else count)
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    near, far = multiprocessing.Pipe()
    pid = os.fork()
    if pid == 0:
        near.close()
        far_end(far)
        os._exit(0)
    far.close()
    near_end(near, pid)
    near.close()
    os.waitpid(pid, 0)
