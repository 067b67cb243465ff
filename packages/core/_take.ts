import { nextTurn } from "./base/_ladder.ts";
import { checkTimeout, timedOut, Waiter } from "./base/_wait.ts";
import { hasReadiness, READY } from "./base/ready.ts";
import type { Receiver, WaitOptions } from "./channel.ts";
import { TimeoutError } from "./errors.ts";

/** What a receive of ours brought after another channel had won: a message, the end, or an error. */
type Late = { message: unknown } | { error: unknown };

/** The late results of one receiver, and who waits for it here. */
interface Shelf {
  readonly late: Late[];
  readonly listeners: Set<() => void>;
}

/**
 * Only receivers that cannot say when a message is there need a shelf: for them we must call `receive` on
 * each, and two may win before the abort of the losers gets through.
 */
const shelves = new WeakMap<Receiver<unknown>, Shelf>();

function shelfOf(receiver: Receiver<unknown>): Shelf {
  let shelf = shelves.get(receiver);
  if (shelf === undefined) shelves.set(receiver, shelf = { late: [], listeners: new Set() });
  return shelf;
}

/** One of several channels. */
interface Entry {
  readonly name: string;
  readonly receiver: Receiver<unknown>;
  /** Whether the receiver has said that a message is there. */
  ready: boolean;
  /** Whether a wait is under way. */
  waiting: boolean;
}

/** A message and the channel that it is from. */
export interface Taken {
  readonly from: string;
  readonly message: unknown;
}

/**
 * Takes one message at a time from several receivers, in turns, and leaves all others where they are.
 *
 * Between {@linkcode Taker.take} and {@linkcode Taker.leave} waits may be under way on every receiver.
 */
export class Taker {
  #entries: Entry[];
  #abort = new AbortController();
  readonly #waits = new Set<Promise<void>>();
  /** Whether something has happened since the channels were last looked at. */
  #woken = false;
  #sleeper: Waiter<void> | undefined;
  readonly #wake = (): void => {
    this.#woken = true;
    this.#sleeper?.resolve();
  };

  constructor(channels: Readonly<Record<string, Receiver<unknown>>>) {
    this.#entries = Object.entries(channels).map(([name, receiver]) => ({
      name,
      receiver,
      ready: false,
      waiting: false,
    }));
  }

  /** How many channels are left. */
  get size(): number {
    return this.#entries.length;
  }

  /** Forgets a channel that has ended. */
  drop(name: string): void {
    this.#entries = this.#entries.filter((entry) => entry.name !== name);
  }

  /** Ends a wait of `take`, which then gives undefined. */
  wake(): void {
    this.#wake();
  }

  /** Takes one message; undefined: `wanted` says that nobody wants it any more. */
  async take(options: WaitOptions, wanted: () => boolean = () => true): Promise<Taken | undefined> {
    const { timeout, signal } = options;
    checkTimeout(timeout);
    signal?.throwIfAborted();
    const deadline = timeout === undefined ? undefined : performance.now() + timeout;
    while (wanted()) {
      this.#woken = false;
      for (const entry of [...this.#entries]) {
        const taken = await this.#takeFrom(entry, timeout === 0);
        if (taken !== undefined) return taken;
      }
      if (timeout === 0) throw timedOut("receive", 0);
      signal?.throwIfAborted();
      for (const entry of this.#entries) this.#arm(entry);
      if (!this.#woken) await this.#sleep(deadline, options);
    }
    return undefined;
  }

  /** Ends every wait and waits until it has ended: afterwards the receivers belong to their owner again. */
  async leave(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#waits);
    this.#abort = new AbortController();
    for (const entry of this.#entries) entry.ready = false;
  }

  async #sleep(deadline: number | undefined, { timeout, signal }: WaitOptions): Promise<void> {
    const sleeper = this.#sleeper = new Waiter<void>();
    sleeper.arm(
      { timeout: deadline === undefined ? undefined : Math.max(0, deadline - performance.now()), signal },
      () => sleeper.reject(timedOut("receive", timeout!)),
      () => sleeper.reject(signal!.reason),
    );
    try {
      await sleeper.promise;
    } finally {
      this.#sleeper = undefined;
    }
  }

  async #takeFrom(entry: Entry, untold: boolean): Promise<Taken | undefined> {
    const { name, receiver } = entry;
    const late = shelves.get(receiver)?.late.shift();
    if (late !== undefined) {
      this.#toTheEnd(entry);
      if ("error" in late) throw late.error;
      return { from: name, message: late.message };
    }
    if (!entry.ready && !untold) return undefined;
    entry.ready = false;
    try {
      const message = await receiver.receive({ timeout: 0 });
      this.#toTheEnd(entry);
      return { from: name, message };
    } catch (error) {
      if (error instanceof TimeoutError) {
        // Somebody else took it, or stands in line for it: let him have his turn.
        if (!untold) await new Promise<void>(nextTurn);
        return undefined;
      }
      this.#toTheEnd(entry);
      throw error;
    }
  }

  /** Who was served is asked last the next time. */
  #toTheEnd(entry: Entry): void {
    const index = this.#entries.indexOf(entry);
    if (index < 0) return;
    this.#entries.splice(index, 1);
    this.#entries.push(entry);
  }

  #arm(entry: Entry): void {
    if (entry.waiting) return;
    const { receiver } = entry;
    const { signal } = this.#abort;
    entry.waiting = true;
    const wait = hasReadiness(receiver)
      ? this.#untilReady(entry, receiver[READY]({ signal }), signal)
      : this.#receiveAhead(receiver, signal);
    this.#waits.add(wait);
    wait.then(() => {
      this.#waits.delete(wait);
      entry.waiting = false;
      this.#wake();
    });
  }

  /** An error of the wait is left for the receive that follows: it meets the same one. */
  async #untilReady(entry: Entry, wait: Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await wait;
    } catch { /* An abort of ours, or what the receive will say. */ }
    entry.ready = !signal.aborted;
  }

  /** What comes goes onto the shelf, where whoever waits first finds it. */
  async #receiveAhead(receiver: Receiver<unknown>, signal: AbortSignal): Promise<void> {
    const { late, listeners } = shelfOf(receiver);
    listeners.add(this.#wake);
    try {
      late.push({ message: await receiver.receive({ signal }) });
    } catch (error) {
      if (!signal.aborted || error !== signal.reason) late.push({ error });
    } finally {
      listeners.delete(this.#wake);
    }
    if (late.length > 0) { for (const listener of listeners) listener(); }
  }
}
