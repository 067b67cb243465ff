/** Messages out of a queue. */

import { type Bytes, ERRNO, type IpcError, MessageTooLongError } from "@ipc/core";
import type { Source } from "@ipc/core/base";
import { constants } from "./_abi.ts";
import { queueKind } from "./_kinds.ts";
import { type Found, objectFailure } from "./_object.ts";
import { receivedBytes, receivedType, receiveMessage, sendMessage } from "./_queue_calls.ts";
import type { MessageSizeOptions, QueueMessage } from "./_queue_options.ts";
import { ANY, matches, type Wanted, wantedBy, wantedIn } from "./_queue_selector.ts";
import { blockForMessage, waitForMessage, waitForRoom } from "./_waiting/mod.ts";

const { IPC_NOWAIT, MSG_COPY, MSG_NOERROR } = constants;

/** A wait that is on. */
interface Parked {
  readonly wanted: Wanted;
  /** Lets those who wait try again; does nothing once the wait is over. */
  wake(): void;
  /** Leaves the queue alone; calling it again does nothing. */
  giveUp(): void;
}

/** The most messages of one batch: who sends as fast as we receive must not keep us for ever. */
const MOST_IN_BATCH = 1024;
const NO_LIMIT: MessageSizeOptions = {};
const NOTHING = new Uint8Array(0);

/** A {@linkcode Source} over msgrcv(2). It owns nothing in the kernel; closing it gives back what waiting took. */
export class QueueSource implements Source<Bytes> {
  /** A queue does not know who sends into it, so there is no end. */
  readonly ended = false;
  readonly #queue: Found;
  readonly #plain: Wanted;
  readonly #onClose: (() => void) | undefined;
  /** The types of empty messages that a wait had to take, oldest first: each came before all of its type in the queue. */
  readonly #kept: number[] = [];
  readonly #parked = new Map<unknown, Parked>();
  readonly #taken = (type: number): void => {
    this.#kept.push(type);
  };

  /** `plain` is what a receive wants that does not say. */
  constructor(queue: Found, plain: Wanted = ANY, onClose?: () => void) {
    this.#queue = queue;
    this.#plain = plain;
    this.#onClose = onClose;
  }

  take(): Bytes | undefined {
    return this.takeMessage(this.#plain, IPC_NOWAIT, NO_LIMIT)?.data;
  }

  takeMany(max = MOST_IN_BATCH): Bytes[] | undefined {
    const batch: Bytes[] = [];
    try {
      for (let message; batch.length < max && (message = this.take()) !== undefined;) batch.push(message);
    } catch (error) {
      // Behind other messages it can wait: the next receive runs into it again.
      if (batch.length === 0) throw error;
    }
    return batch.length > 0 ? batch : undefined;
  }

  takeSync(): Bytes | undefined {
    return this.takeMessage(this.#plain, 0, NO_LIMIT)?.data;
  }

  /** Takes a message with its type; blocks this thread as long as it takes unless `flags` are IPC_NOWAIT. */
  takeMessage(wanted: Wanted, flags: number, options: MessageSizeOptions): QueueMessage | undefined {
    // A wait for the same may hold an empty message that comes before all that is there.
    if (this.#parked.size > 0) interrupt(this.#parked.get(wanted.line));
    if (this.#kept.length === 0) return this.#receive(wanted, flags, options);
    try {
      return this.#takeKept(wanted, options) ?? this.#receive(wanted, flags, options);
    } finally {
      this.#tellOfKept();
    }
  }

  /** Looks at the message at this place in the queue. */
  peek(index: number): QueueMessage | undefined {
    return this.#message(receiveMessage(this.#queue.id, BigInt(index), MSG_COPY | IPC_NOWAIT), "look into");
  }

  ready(): boolean {
    const { msgtyp, flags } = this.#plain;
    interrupt(this.#parked.get(this.#plain.line));
    if (this.#keeps(this.#plain)) {
      this.#tellOfKept();
      return true;
    }
    const length = receiveMessage(this.#queue.id, msgtyp, flags | IPC_NOWAIT, 0);
    if (length === 0) {
      this.#kept.push(receivedType());
      this.#tellOfKept();
    }
    // An error is there for the next receive, as is a message that is longer than nothing.
    return length !== -ERRNO.ENOMSG;
  }

  park(wake: () => void, line?: unknown): () => void {
    const wanted = this.#wantedIn(line);
    const parked: Parked = {
      wanted,
      wake: () => {
        if (this.#parked.get(wanted.line) !== parked) return;
        this.#parked.delete(wanted.line);
        wake();
      },
      giveUp: waitForMessage(
        this.#queue.id,
        wanted.type,
        wanted.flags,
        this.#taken,
        () => parked.wake(),
      ),
    };
    this.#parked.set(wanted.line, parked);
    return () => {
      if (this.#parked.get(wanted.line) === parked) this.#parked.delete(wanted.line);
      const before = this.#kept.length;
      parked.giveUp();
      // Whoever wanted what it has taken has gone, but others wait.
      if (this.#kept.length > before) this.#tellOfKept();
    };
  }

  block(timeout: number | undefined, line?: unknown): void {
    const { type, flags } = this.#wantedIn(line);
    blockForMessage(this.#queue.id, type, flags, timeout, this.#taken);
  }

  close(): void {
    this.#onClose?.();
    this.#giveBack();
  }

  /** Whether a message that this wants is not in the queue any more, but here. */
  #keeps(wanted: Wanted): boolean {
    return this.#kept.some((type) => matches(wanted, type));
  }

  /** Has those who wait for what is kept here try again: their threads wait in the kernel, where it is not. */
  #tellOfKept(): void {
    // Each that is interrupted may have taken one more, which others want.
    for (let told = 0; this.#parked.size > 0 && told < this.#kept.length;) {
      told = this.#kept.length;
      for (const parked of this.#parked.values()) if (this.#keeps(parked.wanted)) interrupt(parked);
    }
  }

  #wantedIn(line: unknown): Wanted {
    return line === undefined ? this.#plain : wantedIn(line as Wanted["line"]);
  }

  #receive(wanted: Wanted, how: number, { maxSize, noError }: MessageSizeOptions): QueueMessage | undefined {
    const flags = wanted.flags | how | (noError ? MSG_NOERROR : 0);
    return this.#message(
      receiveMessage(this.#queue.id, wanted.msgtyp, flags, maxSize),
      "receive from",
      maxSize,
    );
  }

  /** The message that came, none, or the error that a length below zero stands for. */
  #message(length: number, verb: string, maxSize?: number): QueueMessage | undefined {
    if (length >= 0) return { type: receivedType(), data: receivedBytes(length) };
    if (length === -ERRNO.ENOMSG) return undefined;
    throw this.#failure(-length, verb, maxSize);
  }

  /** Takes what waiting had taken, unless the queue has a message of a lower type that is wanted first. */
  #takeKept(wanted: Wanted, options: MessageSizeOptions): QueueMessage | undefined {
    const fitting = this.#kept.filter((type) => matches(wanted, type));
    if (fitting.length === 0) return undefined;
    const type = wanted.type < 0 ? Math.min(...fitting) : fitting[0]!;
    if (wanted.type < 0 && type > 1) {
      const lower = this.#receive(wantedBy({ atMost: type - 1 }), IPC_NOWAIT, options);
      if (lower !== undefined) return lower;
    }
    this.#kept.splice(this.#kept.indexOf(type), 1);
    return { type, data: new Uint8Array(0) };
  }

  /**
   * Puts back what waiting had taken, behind what was sent meanwhile; who may only read cannot. Where there is no
   * room it waits, and keeps the process alive, until there is some.
   */
  #giveBack(): void {
    const { id } = this.#queue;
    while (this.#kept.length > 0) {
      const code = sendMessage(id, NOTHING, this.#kept[0]!, IPC_NOWAIT);
      if (code === ERRNO.EAGAIN) {
        waitForRoom(id, 0, () => this.#giveBack());
        return;
      }
      this.#kept.shift();
    }
  }

  #failure(code: number, verb: string, maxSize: number | undefined): IpcError {
    const { id, name } = this.#queue;
    if (code !== ERRNO.E2BIG) return objectFailure(queueKind, code, "msgrcv", verb, id, name);
    return new MessageTooLongError(
      `Cannot receive from message queue ${name}: the message has more than ${maxSize} bytes`,
      {
        code: "E2BIG",
        errno: code,
        syscall: "msgrcv",
        target: name,
        hint: "it is still in the queue: allow for more with maxSize, or have it cut with noError",
      },
    );
  }
}

/** Ends a wait: what it has taken is there now, and those who wait try again soon. */
function interrupt(parked: Parked | undefined): void {
  if (parked === undefined) return;
  parked.giveUp();
  queueMicrotask(() => parked.wake());
}
