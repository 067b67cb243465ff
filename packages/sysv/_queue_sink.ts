/** Messages into a queue. */

import { ERRNO, type IpcError, MessageTooLongError } from "@ipc/core";
import type { Sink } from "@ipc/core/base";
import { constants, msqidDs } from "./_abi.ts";
import { libc } from "./_libc.ts";
import { queueKind } from "./_kinds.ts";
import { type Found, objectFailure } from "./_object.ts";
import { longestMessage, sendMessage } from "./_queue_calls.ts";
import { blockForRoom, waitForRoom } from "./_waiting/mod.ts";

const { IPC_NOWAIT } = constants;

/** A {@linkcode Sink} over msgsnd(2), which takes a message whole or not at all; it owns nothing. */
export class QueueSink implements Sink {
  readonly begun = false;
  readonly #queue: Found;
  /** The type of messages that name none. */
  readonly #type: number;
  #longest = longestMessage();
  /** How long the message is that there was no room for. */
  #length = 0;

  constructor(queue: Found, type: number) {
    this.#queue = queue;
    this.#type = type;
  }

  get maxMessageSize(): number {
    return this.#longest;
  }

  /** Looks again how long messages may be, which the system's owner can change at any time. */
  lookAgain(): number {
    return this.#longest = longestMessage();
  }

  /** `meta` is the type, where it is told. */
  put(message: Uint8Array, meta?: unknown): boolean {
    return this.#put(message, meta, IPC_NOWAIT);
  }

  putSync(message: Uint8Array, meta?: unknown): void {
    // Not at once so that it blocks: for a message that can never fit it would do so for ever.
    if (!this.#put(message, meta, IPC_NOWAIT)) this.#put(message, meta, 0);
  }

  finish(): boolean {
    return true;
  }

  detach(): void {}

  readonly park = (wake: () => void): () => void => waitForRoom(this.#queue.id, this.#length, wake);

  block(timeout: number | undefined): void {
    blockForRoom(this.#queue.id, this.#length, timeout);
  }

  end(): void {}

  close(): void {}

  #put(message: Uint8Array, meta: unknown, flags: number): boolean {
    const code = sendMessage(this.#queue.id, message, meta as number | undefined ?? this.#type, flags);
    if (code === 0) return true;
    const { byteLength } = message;
    if (code === ERRNO.EAGAIN) {
      const maxBytes = mostBytes(this.#queue.id);
      if (byteLength > maxBytes) throw this.#tooLong(code, byteLength, `the queue holds ${maxBytes}`);
      this.#length = byteLength;
      return false;
    }
    if (code === ERRNO.EINVAL && byteLength > this.lookAgain()) {
      throw this.#tooLong(code, byteLength, `the system's limit is ${this.#longest}`);
    }
    const { id, name } = this.#queue;
    throw objectFailure(queueKind, code, "msgsnd", "send to", id, name);
  }

  #tooLong(errno: number, byteLength: number, limit: string): IpcError {
    const { name } = this.#queue;
    return new MessageTooLongError(
      `Cannot send to message queue ${name}: the message has ${byteLength} bytes, ${limit}`,
      { errno, syscall: "msgsnd", target: name },
    );
  }
}

const look = new DataView(new ArrayBuffer(msqidDs.size));

/** How many bytes a queue takes; where we may not look, as many as it likes. */
function mostBytes(id: number): number {
  if (
    libc.msgctl(id, constants.IPC_STAT, look) === -1 && libc.msgctl(id, constants.MSG_STAT_ANY, look) === -1
  ) return Infinity;
  return Number(look.getBigUint64(msqidDs.qbytes, true));
}
