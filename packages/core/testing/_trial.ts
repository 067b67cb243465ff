/** What every check of the contract works with: pairs that are closed in the end, ceilings, random choices. */

import type { Bytes, Receiver, Sender, SyncReceiver, SyncSender } from "../channel.ts";
import { nextTurn } from "../base/_ladder.ts";
import { TimeoutError } from "../errors.ts";
import { diagnostics } from "../sys/poller.ts";
import { wordDiagnostics } from "../sys/word_waiter.ts";
import { anySeed, Random } from "./_random.ts";
import type { ChannelPair, ConformanceOptions } from "./conformance.ts";

/** One part of a promise. */
export interface Check {
  /** The number of the promise. */
  readonly promise: number;
  /** What is promised, as it stands in the name of the test. */
  readonly title: string;
  /** Throws when the promise is broken. */
  run(trial: Trial): Promise<void>;
  /** Whether the check applies at all; absent: always. */
  applies?(options: ConformanceOptions): boolean;
}

/** The options with every default filled in. */
export type Settings = Required<Omit<ConformanceOptions, "childScript" | "seed" | "ignore" | "duplex">>;

const DEFAULTS: Settings = {
  maxTestedSize: 256 * 1024,
  capacity: 16 * 1024 * 1024,
  maxQueuedBytes: 16 * 1024 * 1024,
  emptyMessages: true,
  ordered: true,
  truncatable: true,
  endDetectable: true,
  backPressure: true,
  ceiling: 2000,
  scale: 1,
};

/** Whether a send that finds no room waits for it. */
export function waitsForRoom({ backPressure }: ConformanceOptions): boolean {
  return backPressure !== false;
}

/** One run of one check. */
export class Trial {
  readonly settings: Settings;
  readonly childScript: ConformanceOptions["childScript"];
  readonly random: Random;
  readonly #open: () => ChannelPair | Promise<ChannelPair>;
  readonly #pairs: ChannelPair[] = [];

  constructor(open: () => ChannelPair | Promise<ChannelPair>, options: ConformanceOptions) {
    this.#open = open;
    const ceiling = options.ceiling ?? fromEnvironment("IPC_TEST_CEILING", DEFAULTS.ceiling);
    this.settings = { ...DEFAULTS, ...options, ceiling, scale: options.scale ?? testScale() };
    this.childScript = options.childScript;
    this.random = new Random(options.seed ?? anySeed());
  }

  /** Opens a pair that is closed when the check is over. */
  async open(): Promise<ChannelPair> {
    const pair = await this.#open();
    this.#pairs.push(pair);
    return pair;
  }

  /** Closes every pair. */
  async close(): Promise<void> {
    for (const { sender, receiver } of this.#pairs) {
      receiver.close();
      sender.close();
    }
    for (const pair of this.#pairs.splice(0)) await pair.cleanup?.();
    // The threads that waited for all of them need a moment to come back.
    for (let looks = 0; looks < 1000; looks++) {
      const [descriptors, words] = [diagnostics(), wordDiagnostics()];
      const descriptorsRest = descriptors.poolThreads === 0 || descriptors.watched > 0;
      const wordsRest = words.poolThreads === 0 || words.parked > 0;
      if (descriptorsRest && wordsRest) break;
      await sleep(1);
    }
  }

  /** How often something is repeated, at least once. */
  times(count: number): number {
    return Math.max(1, Math.round(count * this.settings.scale));
  }

  /** The promise's result, or a failure when there is none within the ceiling. */
  async within<T>(promise: Promise<T>, what: string, ceilings = 1): Promise<T> {
    const limit = this.settings.ceiling * ceilings;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${what}: nothing happened within ${limit} ms`)), limit);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The promise's rejection, which must be of this kind and come within the ceiling. */
  async rejects<E>(promise: Promise<unknown>, kind: new (...args: never[]) => E, what: string): Promise<E> {
    const error = await this.rejection(promise, what);
    if (!(error instanceof kind)) {
      throw new Error(`${what}: expected ${kind.name}, got ${describe(error)}`, { cause: error });
    }
    return error;
  }

  /** What the promise rejects with, within the ceiling. */
  rejection(promise: Promise<unknown>, what: string): Promise<unknown> {
    const turned = promise.then((value) => {
      throw new Error(`${what}: expected a rejection, got ${describe(value)}`);
    }, (error) => error);
    return this.within(turned, what);
  }

  /** The longest message that is tried on this channel. */
  longest(sender: Sender): number {
    return Math.min(sender.maxMessageSize, this.settings.maxTestedSize);
  }

  /** A size worth trying: often a small one, sometimes a round one or its neighbour, now and then the longest. */
  size(sender: Sender): number {
    const { random } = this;
    const longest = this.longest(sender);
    const chosen = random.pick([
      () => 0,
      () => random.between(1, 16),
      () => random.between(1, 16),
      () => random.between(1, 1000),
      () => random.between(1, 1000),
      () => 2 ** random.between(0, 16) + random.between(-1, 1),
      () => random.oneIn(8) ? longest : random.between(1, Math.min(longest, 20_000)),
    ])();
    return Math.max(this.settings.emptyMessages ? 0 : 1, Math.min(longest, chosen));
  }

  /** Sends until the mechanism has no room for even one byte and returns what will arrive; fails if it never has. */
  async fill({ sender }: ChannelPair): Promise<Uint8Array[]> {
    const sent: Uint8Array[] = [];
    let bytes = 0;
    const long = Math.min(1000, sender.maxMessageSize);
    // Small messages may still fit where a longer one does not; many of them say that it was only slow.
    for (let size = long, small = 0; size > 0; size = size === 1 ? 0 : 1, small = 0) {
      // The kernel makes room again a moment later, of TCP when the other end has confirmed: being full has to last.
      for (let refused = 0; refused < 4;) {
        const message = pattern(sent.length, size);
        let arrives = true;
        try {
          await this.within(sender.send(message, { timeout: 0 }), "a send that tries once");
          refused = 0;
        } catch (error) {
          if (!(error instanceof TimeoutError)) throw error;
          arrives = error.partial === true;
          refused++;
          if (refused < 4) await sleep(refused === 3 && size === 1 ? 40 : 2);
        }
        if (arrives) {
          sent.push(message);
          bytes += size;
          if (size === 1 && ++small > 2 * long) size = long;
        }
        expect(
          bytes <= this.settings.capacity,
          `send never waits: ${sent.length} messages, ${bytes} bytes in all, were taken while nobody reads`,
        );
      }
    }
    return sent;
  }

  /** Receives as many messages as are expected, and compares them. */
  async receives(receiver: Receiver, expected: readonly Uint8Array[], what: string): Promise<void> {
    const got: Bytes[] = [];
    while (got.length < expected.length) {
      const message = await this.within(
        receiver.receive(),
        `${what}: message ${got.length} of ${expected.length}`,
        5,
      );
      if (message === undefined) break;
      if (this.settings.ordered) {
        expectBytes(message, expected[got.length]!, `${what}: message ${got.length} of ${expected.length}`);
      }
      got.push(message);
    }
    this.same(got, expected, what);
  }

  /** Compares messages one by one, or in any order where the mechanism promises none. */
  same(got: readonly Uint8Array[], expected: readonly Uint8Array[], what: string): void {
    if (!this.settings.ordered) [got, expected] = [[...got].sort(byBytes), [...expected].sort(byBytes)];
    const count = Math.min(got.length, expected.length);
    for (let index = 0; index < count; index++) {
      expectBytes(got[index], expected[index]!, `${what}: message ${index} of ${expected.length}`);
    }
    expect(got.length === expected.length, `${what}: ${got.length} messages came, not ${expected.length}`);
  }

  /** Sends one message and expects it as the next: nothing else was on its way, and the channel works. */
  async works({ sender, receiver }: ChannelPair, what: string): Promise<void> {
    const message = pattern(this.random.between(0, 1000), 8);
    const [, got] = await this.within(
      Promise.all([sender.send(message), receiver.receive()]),
      `${what}: the channel works on`,
    );
    expectBytes(got, message, `${what}: the next message`);
  }

  /** Expects the end where the mechanism can tell it. */
  async ends(receiver: Receiver, what: string): Promise<void> {
    if (!this.settings.endDetectable) return;
    const got = await this.within(receiver.receive(), `${what}: the end`);
    expect(got === undefined, `${what}: expected the end, got ${describe(got)}`);
    expect(receiver.ended, `${what}: \`ended\` is false at the end`);
  }

  /** Waits until `look` finds something. */
  eventually<T>(look: () => T | undefined | false, what: string): Promise<T> {
    let over = false;
    const looking = async (): Promise<T> => {
      for (let round = 0; !over; round++) {
        const found = look();
        if (found !== undefined && found !== false) return found;
        await (round < 100 ? turn() : sleep(1));
      }
      return await new Promise(() => {});
    };
    return this.within(looking(), what).finally(() => over = true);
  }
}

/** Sends that nobody awaits yet, as many as their bytes may be. */
export class Unawaited {
  readonly #most: number;
  readonly #sends: Promise<unknown>[] = [];
  #bytes = 0;

  constructor({ maxQueuedBytes }: Settings) {
    this.#most = maxQueuedBytes;
  }

  /** Makes room for so many bytes; only waits where they would be too many. */
  room(bytes: number): Promise<unknown> | undefined {
    const full = this.#bytes > 0 && this.#bytes + bytes > this.#most;
    const waiting = full ? this.settle() : undefined;
    this.#bytes += bytes;
    return waiting;
  }

  /** Adds a send for which there is room. */
  add<P extends Promise<unknown>>(send: P): P {
    this.#sends.push(ignored(send));
    return send;
  }

  /** Waits for all of them. */
  settle(): Promise<unknown> {
    this.#bytes = 0;
    return Promise.all(this.#sends.splice(0));
  }
}

/** Runs one check and closes what it opened; a failure tells the seed. */
export async function runCheck(
  check: Check,
  open: () => ChannelPair | Promise<ChannelPair>,
  options: ConformanceOptions = {},
): Promise<void> {
  const trial = new Trial(open, options);
  try {
    await check.run(trial);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason} (seed ${trial.random.seed})`, { cause: error });
  } finally {
    await trial.close();
  }
}

/** How many repetitions are wanted: `IPC_TEST_SCALE`, 1 where it is not set or must not be read. */
export function testScale(): number {
  return fromEnvironment("IPC_TEST_SCALE", 1);
}

/** A number above 0 that a variable of the environment may set. */
function fromEnvironment(name: string, otherwise: number): number {
  try {
    const value = Number(Deno.env.get(name) ?? otherwise);
    return value > 0 ? value : otherwise;
  } catch {
    return otherwise;
  }
}

/** The sender with its sync forms, where it has them. */
export function syncSender(sender: Sender): SyncSender | undefined {
  return "trySend" in sender && typeof sender.trySend === "function" ? sender as SyncSender : undefined;
}

/** The receiver with its sync forms, where it has them. */
export function syncReceiver(receiver: Receiver): SyncReceiver | undefined {
  return "tryReceive" in receiver && typeof receiver.tryReceive === "function"
    ? receiver as SyncReceiver
    : undefined;
}

/** A message that no other number or size gives. */
export function pattern(number: number, size: number): Bytes {
  const message = new Uint8Array(size);
  let value = Math.imul(number + 1, 0x9e3779b1) ^ size;
  for (let index = 0; index < size; index++) {
    value = (Math.imul(value, 1664525) + 1013904223) | 0;
    message[index] = value >>> 24;
  }
  return message;
}

/** Messages `from`, `from + 1`, …: `count` of them, all of one size. */
export function patterns(count: number, size: number, from = 0): Bytes[] {
  return Array.from({ length: count }, (_, index) => pattern(from + index, size));
}

/** Fails with `message` unless `condition` holds. */
export function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/** Fails unless both have the same bytes. */
export function expectBytes(actual: unknown, expected: Uint8Array, what: string): void {
  expect(actual instanceof Uint8Array, `${what}: expected ${describe(expected)}, got ${describe(actual)}`);
  const { byteLength } = expected;
  expect(
    actual.byteLength === byteLength,
    `${what}: it has ${actual.byteLength} bytes, not the ${byteLength} that were sent`,
  );
  for (let index = 0; index < byteLength; index++) {
    if (actual[index] !== expected[index]) throw new Error(`${what}: byte ${index} of ${byteLength} differs`);
  }
}

/** What `call` throws, which must be of this kind. */
export function thrown<E>(call: () => unknown, kind: new (...args: never[]) => E, what: string): E {
  let value: unknown;
  try {
    value = call();
  } catch (error) {
    if (error instanceof kind) return error;
    throw new Error(`${what}: expected ${kind.name}, got ${describe(error)}`, { cause: error });
  }
  throw new Error(`${what}: expected ${kind.name}, got ${describe(value)}`);
}

/** A value in a few words. */
export function describe(value: unknown): string {
  if (value instanceof Uint8Array) return `a message of ${value.byteLength} bytes`;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  return Array.isArray(value) ? `an array of ${value.length}` : String(value);
}

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise(nextTurn);
}

/** Some turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let index = 0; index < count; index++) await turn();
}

/** Milliseconds pass. */
export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Lets a promise settle unseen, for what a check does not wait for. */
export function ignored<P extends Promise<unknown>>(promise: P): P {
  promise.catch(() => {});
  return promise;
}

function byBytes(a: Uint8Array, b: Uint8Array): number {
  for (let index = 0; index < Math.min(a.byteLength, b.byteLength); index++) {
    if (a[index] !== b[index]) return a[index]! - b[index]!;
  }
  return a.byteLength - b.byteLength;
}
