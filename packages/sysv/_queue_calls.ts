/** msgsnd(2) and msgrcv(2), and the memory that every message passes through. */

import { type Bytes, ERRNO } from "@ipc/core";
import { check, errno, Memory, sizeT } from "@ipc/core/sys";
import { constants, msginfo, MTYPE_SIZE, syscalls } from "./_abi.ts";
import { libc, onAddress, onView } from "./_libc.ts";

/** What nearly every message fits into: MSGMAX, where nobody has raised it. */
const CAPACITY = 8192;
/** What one in the upper half of a type counts. */
const HIGH = 2 ** 32;

/** A `struct msgbuf`: the type, and behind it the message. */
class MessageBuffer {
  /** The most bytes of a message. */
  readonly capacity: number;
  /** The same as the kernel's `size_t`. */
  readonly size: bigint;
  readonly bytes: Bytes;
  readonly address: Deno.PointerValue;
  readonly #type: Uint32Array;
  #message: Bytes;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.size = BigInt(capacity);
    this.bytes = new Uint8Array(MTYPE_SIZE + capacity);
    this.address = Memory.pinned(this.bytes).address;
    this.#type = new Uint32Array(this.bytes.buffer, 0, 2);
    this.#message = this.bytes.subarray(MTYPE_SIZE);
  }

  get type(): number {
    return this.#type[0]! + this.#type[1]! * HIGH;
  }

  set type(type: number) {
    this.#type[0] = type;
    this.#type[1] = type / HIGH;
  }

  /** The first bytes of the message, not copied; mostly as many as last time. */
  message(length: number): Bytes {
    if (this.#message.byteLength !== length) {
      this.#message = this.bytes.subarray(MTYPE_SIZE, MTYPE_SIZE + length);
    }
    return this.#message;
  }
}

// Free again as soon as a call returns, so that one of each serves all queues.
let outgoing: MessageBuffer | undefined;
let incoming: MessageBuffer | undefined;

/** Sends a message; 0, or the errno. */
export function sendMessage(id: number, message: Uint8Array, type: number, flags: number): number {
  const { byteLength } = message;
  if (outgoing === undefined || outgoing.capacity < byteLength) {
    outgoing = new MessageBuffer(Math.max(CAPACITY, byteLength));
  }
  const { bytes, address } = outgoing;
  outgoing.type = type;
  bytes.set(message, MTYPE_SIZE);
  const size = sizeT(byteLength);
  while (true) {
    const result = address === null
      ? onView.msgsnd(syscalls.msgsnd, id, bytes, size, flags)
      : onAddress.msgsnd(syscalls.msgsnd, id, address, size, flags);
    if (result !== -1) return 0;
    const code = errno();
    if (code !== ERRNO.EINTR) return code;
  }
}

/**
 * Receives a message; its length, or the errno below zero.
 *
 * Of more than `most` bytes none is taken (E2BIG), or with MSG_NOERROR it is cut; where there is no such limit,
 * memory grows until the message fits. What came stands there until the next call.
 */
export function receiveMessage(id: number, type: bigint, flags: number, most = Infinity): number {
  incoming ??= new MessageBuffer(CAPACITY);
  while (true) {
    const { bytes, address, capacity, size }: MessageBuffer = incoming;
    const limited = most <= capacity;
    const asked = limited ? sizeT(most) : size;
    // What is only longer than our memory must not be cut.
    const how = limited ? flags : flags & ~constants.MSG_NOERROR;
    const length = address === null
      ? onView.msgrcv(syscalls.msgrcv, id, bytes, asked, type, how)
      : onAddress.msgrcv(syscalls.msgrcv, id, address, asked, type, how);
    if (length !== -1) return length;
    const code = errno();
    if (code === ERRNO.E2BIG && !limited) incoming = new MessageBuffer(2 * capacity);
    else if (code !== ERRNO.EINTR) return -code;
  }
}

/** The type of the message that came last; beyond 2^53 the nearest number. */
export function receivedType(): number {
  return incoming!.type;
}

/** Copies of short messages share chunks of this size: a buffer for each would cost ten times as much. */
const CHUNK = 64 * 1024;
/** A longer message gets a buffer of its own. */
const LONGEST_SHARED = 16 * 1024;

let chunk = new ArrayBuffer(0);
let free = 0;

/** A copy of the first `length` bytes of the message that came last. */
export function receivedBytes(length: number): Bytes {
  const message = incoming!.message(length);
  if (length > LONGEST_SHARED) return new Uint8Array(message);
  if (chunk.detached || free + length > chunk.byteLength) {
    chunk = new ArrayBuffer(CHUNK);
    free = 0;
  }
  const copy = new Uint8Array(chunk, free, length);
  copy.set(message);
  // Aligned, so that a message can be viewed as numbers.
  free += (length + 7) & ~7;
  return copy;
}

/** MSGMAX: the longest message that the kernel takes at this moment. */
export function longestMessage(): number {
  const info = new DataView(new ArrayBuffer(msginfo.size));
  check(libc.msgctl(0, constants.IPC_INFO, info), "msgctl", "learn how long messages may be");
  return info.getInt32(msginfo.msgmax, true);
}
