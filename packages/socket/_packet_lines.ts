/** The lines in which messages to other places than the peer wait for room. */

import { ClosedError, LimitError, type SyncOptions, type WaitOptions } from "@ipc/core";
import { BaseSender } from "@ipc/core/base";
import type { Destination, PacketSink, Parcel } from "./_packet_ends.ts";

/** A sender whose messages may go elsewhere. */
export class PacketSender extends BaseSender {
  /** Bytes that wait for room; `undefined`: nothing waits. */
  get waitingBytes(): number | undefined {
    return this.waiting;
  }

  sendTo(
    message: Uint8Array,
    to: Destination | Parcel | undefined,
    options?: WaitOptions,
  ): Promise<void> {
    return this.sendWith(message, options, to);
  }

  trySendTo(message: Uint8Array, to: Destination | undefined): boolean {
    return this.trySendWith(message, to);
  }

  sendSyncTo(message: Uint8Array, to: Destination | undefined, options?: SyncOptions): void {
    this.sendSyncWith(message, options, to);
  }
}

/** The most lines: each in which somebody waits is looked at every few milliseconds. */
const MOST_LINES = 256;

/**
 * A line for each destination: who does not read holds up what goes to it, and nothing else.
 *
 * All lines together hold `maxQueuedBytes`, and besides that the first message of each.
 */
export class PacketLines {
  readonly #newSink: () => PacketSink;
  readonly #maxQueuedBytes: number;
  readonly #lines = new Map<string, PacketSender>();
  /** Why nothing can be sent any more. */
  #over: string | undefined;

  constructor(newSink: () => PacketSink, maxQueuedBytes: number = 16 * 1024 * 1024) {
    this.#newSink = newSink;
    this.#maxQueuedBytes = maxQueuedBytes;
  }

  /**
   * The line of a destination.
   *
   * @throws {LimitError} if it cannot get longer, or there are too many in which somebody waits.
   */
  of({ name }: Destination): PacketSender {
    if (this.#over !== undefined) throw new ClosedError(`Cannot send: ${this.#over}`);
    const line = this.#lines.get(name);
    if (line === undefined) return this.#add(name);
    if (line.waitingBytes !== undefined) this.#checkRoom();
    return line;
  }

  /** Waits until the kernel has what was sent, and sends no more. */
  async end(): Promise<void> {
    this.#over ??= "this direction was ended";
    await Promise.all(Array.from(this.#lines.values(), (line) => line.end()));
  }

  /** Gives the kernel what it takes without waiting; what still waits then is not sent. */
  close(): void {
    this.#over = "the channel is closed";
    for (const line of this.#lines.values()) line.close();
    this.#lines.clear();
  }

  #add(name: string): PacketSender {
    if (this.#lines.size >= MOST_LINES) {
      for (const [other, { waitingBytes }] of this.#lines) {
        if (waitingBytes === undefined) this.#lines.delete(other);
      }
    }
    if (this.#lines.size >= MOST_LINES) {
      throw new LimitError(`Cannot send: ${MOST_LINES} destinations have no room already`, {
        code: "ENOBUFS",
      });
    }
    const line = new PacketSender(this.#newSink(), { maxQueuedBytes: this.#maxQueuedBytes });
    this.#lines.set(name, line);
    return line;
  }

  #checkRoom(): void {
    let bytes = 0;
    for (const { waitingBytes = 0 } of this.#lines.values()) bytes += waitingBytes;
    if (bytes < this.#maxQueuedBytes) return;
    throw new LimitError(
      `Cannot send: ${bytes} bytes wait already for destinations without room, the limit is ${this.#maxQueuedBytes}`,
      {
        code: "ENOBUFS",
        hint: "await each send, so that the receiver sets the pace, or send with a timeout",
      },
    );
  }
}
