"""Does with System V objects what standard input says, a line at a time, and answers in JSON; interop_peer.ts
starts it and lists the commands. The semaphores of sysv_ipc are sets of one."""

import json
import sys

import sysv_ipc

queue = semaphore = memory = None


def unhex(word):
    return b"" if word == "-" else bytes.fromhex(word)


def owner(thing):
    return {"uid": thing.uid, "gid": thing.gid, "cuid": thing.cuid, "cgid": thing.cgid, "mode": thing.mode}


def queue_create(key, mode):
    global queue
    queue = sysv_ipc.MessageQueue(int(key), sysv_ipc.IPC_CREX, int(mode, 8), 8192)
    return queue.id


def queue_open(key):
    global queue
    queue = sysv_ipc.MessageQueue(int(key), max_message_size=8192)
    return queue.id


def queue_send(kind, word):
    queue.send(unhex(word), type=int(kind))
    return 0


def queue_receive(kind):
    message, got = queue.receive(type=int(kind))
    return {"type": got, "hex": message.hex()}


def queue_remove():
    queue.remove()
    return 0


def queue_status():
    return owner(queue) | {
        "qnum": queue.current_messages,
        "qbytes": queue.max_size,
        "lspid": queue.last_send_pid,
        "lrpid": queue.last_receive_pid,
        "stime": queue.last_send_time,
        "rtime": queue.last_receive_time,
        "ctime": queue.last_change_time,
    }


def set_create(key, size, initial, mode):
    global semaphore
    assert size == "1"
    semaphore = sysv_ipc.Semaphore(int(key), sysv_ipc.IPC_CREX, int(mode, 8), int(initial))
    return semaphore.id


def set_open(key):
    global semaphore
    semaphore = sysv_ipc.Semaphore(int(key))
    return semaphore.id


def set_operate(operation):
    index, by, flags = operation.split(":")
    assert index == "0"
    semaphore.undo = "u" in flags
    semaphore.block = "n" not in flags
    try:
        if int(by) < 0:
            semaphore.acquire(None, -int(by))
        elif int(by) > 0:
            semaphore.release(int(by))
        else:
            semaphore.Z()
    except sysv_ipc.BusyError:
        return False
    return True


def set_values():
    return [semaphore.value]


def set_remove():
    semaphore.remove()
    return 0


def set_status():
    return owner(semaphore) | {"otime": semaphore.o_time}


def memory_create(key, size, mode):
    global memory
    memory = sysv_ipc.SharedMemory(int(key), sysv_ipc.IPC_CREX, int(mode, 8), int(size), b"\0")
    return memory.id


def memory_open(key):
    global memory
    memory = sysv_ipc.SharedMemory(int(key))
    return memory.id


def memory_write(offset, word):
    memory.write(unhex(word), int(offset))
    return True


def memory_read(offset, length):
    return memory.read(int(length), int(offset)).hex()


def memory_detach():
    memory.detach()
    return 0


def memory_remove():
    memory.remove()
    return 0


def memory_status():
    return owner(memory) | {
        "segsz": memory.size,
        "nattch": memory.number_attached,
        "cpid": memory.creator_pid,
        "lpid": memory.last_pid,
        "atime": memory.last_attach_time,
        "dtime": memory.last_detach_time,
        "ctime": memory.last_change_time,
    }


for line in sys.stdin:
    name, verb, *arguments = line.split()
    try:
        answer = globals()[f"{name}_{verb}"](*arguments)
    except sysv_ipc.Error as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
