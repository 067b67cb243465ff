/** mq_timedsend(2) and mq_timedreceive(2), and the memory that every message passes through. */

import { type Bytes, ERRNO } from "@ipc/core";
import { abi, errno, Memory, sizeT } from "@ipc/core/sys";
import { syscalls } from "./_abi.ts";
import { onAddress, onView } from "./_libc.ts";

/** Whether a call waits: for ever, or not at all. */
export type Patience = "wait" | "try";

/** Where the kernel writes the priority of a message. */
export class PriorityBuffer {
  readonly #word = new Uint32Array(1);
  readonly memory: Memory = Memory.pinned(new Uint8Array(this.#word.buffer));

  get value(): number {
    return this.#word[0]!;
  }
}

/** Where the kernel writes a message, whole words at a time. */
class MessageBuffer {
  readonly memory: Memory;
  readonly words: Int32Array;
  /** As the kernel's `size_t`. */
  readonly size: bigint;

  constructor(readonly capacity: number) {
    this.words = new Int32Array(Math.ceil(capacity / 4));
    this.memory = Memory.pinned(new Uint8Array(this.words.buffer));
    this.size = sizeT(capacity);
  }
}

/** A deadline in 1970, which the kernel takes for "at once" without setting a timer. */
let past: Memory | undefined;
// Free again as soon as a call returns, so that one, as long as the longest message of any queue, serves all.
let incoming: MessageBuffer | undefined;

/** Sends a message; 0, or the errno, which is ETIMEDOUT where there is no room. */
export function sendMessage(fd: number, message: Uint8Array, priority: number, patience: Patience): number {
  past ??= Memory.pinned(new Uint8Array(abi.timespec.size));
  const size = sizeT(message.byteLength);
  const deadline = patience === "wait" ? null : past.bytes as Bytes;
  while (true) {
    const { mq_timedsend } = syscalls;
    if (onView.mq_timedsend(mq_timedsend, fd, message as Bytes, size, priority, deadline) !== -1) return 0;
    const code = errno();
    if (code !== ERRNO.EINTR) return code;
  }
}

/**
 * Receives a message from a queue whose messages have up to `longest` bytes; its length, or the errno below zero,
 * which is ETIMEDOUT where there is none. What came stands there until the next call.
 */
export function receiveMessage(
  fd: number,
  longest: number,
  patience: Patience,
  priority?: PriorityBuffer,
): number {
  past ??= Memory.pinned(new Uint8Array(abi.timespec.size));
  if (incoming === undefined || incoming.capacity < longest) incoming = new MessageBuffer(longest);
  const { memory: { address, bytes }, size } = incoming;
  const deadline = patience === "wait" ? undefined : past;
  while (true) {
    const { mq_timedreceive } = syscalls;
    const length = address !== null
      ? onAddress.mq_timedreceive(
        mq_timedreceive,
        fd,
        address,
        size,
        priority === undefined ? null : priority.memory.address,
        deadline === undefined ? null : deadline.address,
      )
      : onView.mq_timedreceive(
        mq_timedreceive,
        fd,
        bytes as Bytes,
        size,
        priority === undefined ? null : priority.memory.bytes as Bytes,
        deadline === undefined ? null : deadline.bytes as Bytes,
      );
    if (length !== -1) return length;
    const code = errno();
    if (code !== ERRNO.EINTR) return -code;
  }
}

/** Copies of short messages share chunks of this size: a buffer for each would cost ten times as much. */
const CHUNK = 64 * 1024;
/** A longer message gets a buffer of its own. */
const LONGEST_SHARED = 4 * 1024;

/** So few bytes are copied sooner word by word than by a call that copies. */
const LONGEST_BY_WORDS = 256;

/**
 * So many places in a chunk get their views at once, if the messages are as long as the last: in a row a view costs
 * 25 ns, alone and right after a switch of process 130.
 */
const MOST_AHEAD = 32;

let chunk = new Int32Array(0);
/** Where the next message goes. */
let free = 0;
/** Views of the places from there on, of which those before `next` are given away. */
let ahead: Bytes[] = [];
let next = 0;
let lastLength = -1;
let many = 1;

/** A copy of the first `length` bytes that came last. */
export function receivedBytes(length: number): Bytes {
  const { words, memory } = incoming!;
  if (length > LONGEST_SHARED) return memory.bytes.slice(0, length);
  // Of a chunk that somebody has transferred away the views are empty.
  if (next === ahead.length || ahead[next]!.byteLength !== length || length === 0) lookAhead(length);
  const copy = ahead[next++]!;
  if (length <= LONGEST_BY_WORDS) {
    const at = free >> 2;
    const count = (length + 3) >> 2;
    for (let index = 0; index < count; index++) chunk[at + index] = words[index]!;
  } else copy.set(memory.bytes.subarray(0, length));
  free += placeSize(length);
  return copy;
}

/** Makes views for messages of this length: one, and twice as many each time that it was not enough. */
function lookAhead(length: number): void {
  many = length === lastLength ? Math.min(2 * many, MOST_AHEAD) : 1;
  lastLength = length;
  const size = placeSize(length);
  // Nothing is left of what somebody has transferred away either.
  if (free + size >= chunk.byteLength) {
    chunk = new Int32Array(CHUNK / 4);
    free = 0;
  }
  ahead = [];
  next = 0;
  for (let at = free; ahead.length < many && at + size <= CHUNK; at += size) {
    ahead.push(new Uint8Array(chunk.buffer, at, length));
  }
}

/** Aligned, so that a message can be viewed as numbers. */
function placeSize(length: number): number {
  return (length + 7) & ~7;
}
