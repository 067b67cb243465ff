/**
 * A channel inside one process that does everything to a stream of bytes that a kernel may do.
 *
 * @module
 */

import type { Sink, Source } from "../base/mechanism.ts";
import { BaseReceiver } from "../base/receiver.ts";
import { BaseSender } from "../base/sender.ts";
import type { Bytes } from "../channel.ts";
import { type Decoder, encodeFrame, type Framing } from "../framing.ts";
import { lengthPrefix } from "../framing/length_prefix.ts";
import { anySeed, Random } from "./_random.ts";
import { Wire } from "./_wire.ts";

/** How a channel in memory behaves. */
export interface MemoryChannelOptions {
  /** Decides where the stream is cut and merged, and what is late: the same seed does the same again. */
  seed?: number;
  /** The bytes that are under way at most, frames included; 256 to 65,536 by the seed unless told. */
  capacity?: number;
  /** The sender dies when it has written so many bytes, frames included. */
  dieAt?: number;
  /** How messages are marked on the stream; a length prefix unless told. */
  framing?: Framing;
  /** The most bytes of sends that nobody awaits; 16 MiB unless told. */
  maxQueuedBytes?: number;
}

/** The two ends of a channel in memory. */
export interface MemoryChannel {
  /** The end that messages go into. */
  readonly sender: BaseSender;
  /** The end that messages come out of. */
  readonly receiver: BaseReceiver;
  /** Lets the sender die inside a frame, of which the first bytes arrive. */
  truncate(): void;
}

/**
 * Makes a one-way channel in memory over a stream of bytes that is cut into random pieces, merged again,
 * delayed by turns of the event loop and short of room.
 *
 * What uses a channel is tested against it with many seeds, and a failure comes again with its seed. Both
 * ends make no system calls; the sync forms that would have to block throw `NotSupportedError`.
 *
 * @example Everything that can happen to a stream of bytes
 * ```ts
 * import { memoryChannel } from "@ipc/core/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const { sender, receiver } = memoryChannel({ seed: 1 });
 * using _ = receiver;
 * await sender.send(new Uint8Array([1, 2, 3]));
 * await sender.end();
 * assertEquals(await receiver.receive(), new Uint8Array([1, 2, 3]));
 * assertEquals(await receiver.receive(), undefined);
 * ```
 *
 * @example A sender that dies
 * ```ts
 * import { TruncatedError } from "@ipc/core";
 * import { memoryChannel } from "@ipc/core/testing";
 * import { assertRejects } from "@std/assert";
 *
 * const { sender, receiver } = memoryChannel({ seed: 1, dieAt: 6 });
 * using _ = receiver;
 * await assertRejects(() => sender.send(new Uint8Array(100)));
 * await assertRejects(() => receiver.receive(), TruncatedError);
 * ```
 */
export function memoryChannel(options: MemoryChannelOptions = {}): MemoryChannel {
  const random = new Random(options.seed ?? anySeed());
  const { capacity = 2 ** random.between(8, 16), dieAt = Infinity, framing = lengthPrefix() } = options;
  const wire = new Wire(random, capacity, dieAt);
  const sink = new MemorySink(wire, framing, random.oneIn(2));
  const sender = new BaseSender(sink, { maxQueuedBytes: options.maxQueuedBytes });
  const receiver = new BaseReceiver(new MemorySource(wire, framing.decoder(), random.oneIn(2)));
  return { sender, receiver, truncate: () => (sink.tear(), sender.close()) };
}

class MemorySource implements Source<Bytes> {
  readonly #wire: Wire;
  readonly #decoder: Decoder;
  #ended = false;
  readonly takeMany?: (max: number | undefined) => Bytes[] | undefined;

  constructor(wire: Wire, decoder: Decoder, many: boolean) {
    this.#wire = wire;
    this.#decoder = decoder;
    if (many) this.takeMany = (max = Infinity) => this.#takeMany(max);
  }

  get ended(): boolean {
    return this.#ended;
  }

  take(): Bytes | undefined {
    while (!this.#ended) {
      const message = this.#decoder.next();
      if (message !== undefined) return message;
      const count = this.#wire.read(this.#decoder.room());
      if (count === undefined) {
        this.#ended = true;
        this.#decoder.end();
      } else if (count === 0) return undefined;
      else this.#decoder.commit(count);
    }
    return undefined;
  }

  #takeMany(max: number): Bytes[] | undefined {
    const first = this.take();
    if (first === undefined) return undefined;
    const batch = [first];
    while (batch.length < max) {
      const message = this.#decoder.next();
      if (message === undefined) break;
      batch.push(message);
    }
    return batch;
  }

  park(wake: () => void): () => void {
    return this.#wire.parkReader(wake);
  }

  close(): void {
    this.#wire.closeReader();
  }
}

class MemorySink implements Sink {
  readonly #wire: Wire;
  readonly #framing: Framing;
  /** What is left of the message that was begun. */
  #rest: Uint8Array[] = [];
  readonly putMany?: (messages: readonly Uint8Array[], from: number) => number;

  constructor(wire: Wire, framing: Framing, many: boolean) {
    this.#wire = wire;
    this.#framing = framing;
    if (many) this.putMany = (messages, from) => this.#putMany(messages, from);
  }

  get maxMessageSize(): number {
    return this.#framing.maxMessageSize;
  }

  get begun(): boolean {
    return this.#rest.length > 0;
  }

  put(message: Uint8Array): boolean {
    const pieces = this.#frame(message);
    if (!this.#write(pieces)) return false;
    this.#rest = pieces;
    return this.finish();
  }

  #putMany(messages: readonly Uint8Array[], from: number): number {
    let next = from;
    try {
      while (next < messages.length && this.put(messages[next]!)) next++;
    } catch (error) {
      // What was taken before it counts; it throws again as the first.
      if (next === from) throw error;
    }
    return next;
  }

  finish(): boolean {
    try {
      while (this.#rest.length > 0) {
        if (!this.#write(this.#rest)) return false;
      }
    } catch (error) {
      this.#rest = [];
      throw error;
    }
    return true;
  }

  detach(): void {
    this.#rest = this.#rest.map((piece) => piece.slice());
  }

  park(wake: () => void): () => void {
    return this.#wire.parkWriter(wake);
  }

  end(): void {
    this.#wire.closeWriter();
  }

  close(): void {
    this.#wire.closeWriter();
  }

  /** Writes the first part of a frame. */
  tear(): void {
    let bytes: Uint8Array = encodeFrame(this.#framing, new Uint8Array(100).fill(7)).subarray(0, 50);
    while (bytes.byteLength > 0) bytes = bytes.subarray(this.#wire.write(bytes));
  }

  #frame(message: Uint8Array): Uint8Array[] {
    const { maxPrefix, suffix } = this.#framing;
    this.#framing.check(message);
    const prefix = new Uint8Array(maxPrefix);
    const length = this.#framing.writePrefix(message, prefix, 0);
    return [prefix.subarray(0, length), message, suffix].filter((piece) => piece.byteLength > 0);
  }

  /** Writes what the wire takes at once of the first piece; false: nothing. */
  #write(pieces: Uint8Array[]): boolean {
    const first = pieces[0]!;
    const count = this.#wire.write(first);
    if (count === first.byteLength) pieces.shift();
    else pieces[0] = first.subarray(count);
    return count > 0;
  }
}
