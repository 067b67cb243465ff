/** Messages that both sides know beforehand: numbered, of random sizes, and compared byte by byte. */

import type { Bytes } from "../channel.ts";
import { Random } from "./_random.ts";

/** The typical message. */
const TYPICAL = 64 * 1024;
/** The longest message where a mechanism takes it. */
export const LONGEST = 1024 * 1024;
/** A message of several senders says first whose it is, and which. */
const MARK = 8;

/** Every message is a piece of these bytes, so that making one costs a copy and checking one a comparison. */
const pool: Bytes = random(LONGEST + TYPICAL);

function random(length: number): Bytes {
  const words = new Uint32Array(length / 4);
  let state = 0x2545f491;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return new Uint8Array(words.buffer);
}

/** What a sequence of messages is made from; the same at both sides. */
export interface MessagesOptions {
  seed: number;
  /** Which of several senders they are of. */
  lane: number;
  /** The longest message in bytes; 1 MiB unless told. */
  longest?: number | undefined;
  /** Whether several senders share the channel. */
  marked?: boolean | undefined;
  /** Whether the channel carries bytes without boundaries. */
  bytes?: boolean | undefined;
}

/** A sequence of messages, made at one side and expected at the other. */
export class Messages {
  readonly #random: Random;
  readonly #lane: number;
  readonly #longest: number;
  readonly #marked: boolean;
  readonly #bytes: boolean;
  #number = 0;
  /** What is expected next, and of a stream of bytes how much of it has come. */
  #expected: Bytes | undefined;
  #come = 0;

  constructor({ seed, lane, longest = LONGEST, marked = false, bytes = false }: MessagesOptions) {
    this.#random = new Random(seed + Math.imul(lane + 1, 0x9e3779b1));
    this.#lane = lane;
    this.#longest = Math.min(longest, LONGEST);
    this.#marked = marked;
    this.#bytes = bytes;
  }

  /** How many were made or came. */
  get count(): number {
    return this.#number;
  }

  /** Makes the next message. */
  make(): Bytes {
    const start = this.#random.between(0, TYPICAL);
    const message = pool.slice(start, start + this.#size());
    if (this.#marked) {
      const words = new DataView(message.buffer);
      words.setUint32(0, this.#lane, true);
      words.setUint32(4, this.#number, true);
    }
    this.#number++;
    return message;
  }

  /** Compares what came with what has to come next. */
  check(got: Uint8Array): void {
    if (this.#bytes) return this.#checkBytes(got);
    const expected = this.make();
    const name = `message ${this.#number - 1}${this.#marked ? ` of sender ${this.#lane}` : ""}`;
    if (got.byteLength !== expected.byteLength) {
      throw new Error(
        `Expected ${name} of ${expected.byteLength} bytes, got one of ${got.byteLength} bytes`,
      );
    }
    const at = difference(got, expected, 0, got.byteLength);
    if (at < got.byteLength) {
      throw new Error(
        `Expected ${name} of ${expected.byteLength} bytes, got one that differs from byte ${at} on`,
      );
    }
  }

  #checkBytes(got: Uint8Array): void {
    let at = 0;
    while (at < got.byteLength) {
      this.#expected ??= this.make();
      const expected = this.#expected.subarray(this.#come);
      const length = Math.min(expected.byteLength, got.byteLength - at);
      const same = difference(got.subarray(at), expected, 0, length);
      if (same < length) {
        throw new Error(
          `Expected the bytes of message ${this.#number - 1}, got others at byte ${this.#come + same} of it`,
        );
      }
      at += length;
      this.#come += length;
      if (length === expected.byteLength) {
        this.#expected = undefined;
        this.#come = 0;
      }
    }
  }

  #size(): number {
    const { pick, between } = bound(this.#random);
    const size = pick([
      () => between(0, 64),
      () => between(0, 4096),
      () => TYPICAL,
      () => TYPICAL,
      () => TYPICAL,
      () => TYPICAL + between(-8, 8),
      () => between(TYPICAL, 4 * TYPICAL),
      () => between(0, 7) === 0 ? between(4 * TYPICAL, LONGEST) : between(0, TYPICAL),
    ])();
    return Math.max(this.#marked ? MARK : 0, Math.min(size, this.#longest));
  }
}

function bound(random: Random): { pick: <T>(items: readonly T[]) => T; between: Random["between"] } {
  return { pick: (items) => random.pick(items), between: (low, high) => random.between(low, high) };
}

/** The first index at which the two differ; `to` where they do not. */
function difference(a: Uint8Array, b: Uint8Array, from: number, to: number): number {
  for (let at = from; at < to; at++) if (a[at] !== b[at]) return at;
  return to;
}

/** All that may come out of one channel: the messages of one sender, or of several mixed. */
export class Expectation {
  readonly #all: ReadonlyMap<number, Messages>;
  /** Those of whom more is to come. */
  readonly lanes: Map<number, Messages>;
  readonly #marked: boolean;

  constructor(senders: readonly MessagesOptions[]) {
    this.#all = new Map(senders.map((options) => [options.lane, new Messages(options)]));
    this.lanes = new Map(this.#all);
    this.#marked = senders.some(({ marked }) => marked);
  }

  /** This one died: what it had sent may still come. */
  forget(lane: number): void {
    this.lanes.delete(lane);
  }

  /** Compares what came with what has to come next. */
  check(got: Uint8Array): void {
    const lane = this.#marked
      ? new DataView(got.buffer, got.byteOffset, got.byteLength).getUint32(0, true)
      : this.#all.keys().next().value!;
    const messages = this.#all.get(lane);
    if (messages === undefined) throw new Error(`Expected a message of a known sender, got one of ${lane}`);
    messages.check(got);
  }
}
