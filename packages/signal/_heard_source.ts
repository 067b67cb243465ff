/** Signals as the runtime hears them. */

import type { Source } from "@ipc/core/base";
import type { SignalName } from "./names.ts";
import type { ReceivedSignal } from "./signals.ts";

/** Some 25 days, the longest that a timer can be. */
const LONGEST = 0x7fff_ffff;

/** A {@linkcode Source} of signals over the runtime's listeners. */
export class HeardSource implements Source<ReceivedSignal> {
  readonly ended = false;
  /** When each that waits to be received came, in the order of their coming. */
  readonly #waiting = new Map<SignalName, Date>();
  readonly #listeners = new Map<Deno.Signal, () => void>();
  #wake: (() => void) | undefined;

  constructor(names: readonly SignalName[]) {
    try {
      for (const name of names) this.#hear(name);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  ready(): boolean {
    return this.#waiting.size > 0;
  }

  take(): ReceivedSignal | undefined {
    for (const [signal, at] of this.#waiting) {
      this.#waiting.delete(signal);
      return { signal, at };
    }
  }

  park(wake: () => void): () => void {
    // Listeners alone do not keep the process alive.
    const alive = setInterval(() => {}, LONGEST);
    const stop = () => {
      clearInterval(alive);
      this.#wake = undefined;
    };
    this.#wake = () => (stop(), wake());
    return stop;
  }

  close(): void {
    for (const [name, listener] of this.#listeners) Deno.removeSignalListener(name, listener);
    this.#listeners.clear();
    this.#waiting.clear();
  }

  #hear(name: SignalName): void {
    const listener = () => {
      if (!this.#waiting.has(name)) this.#waiting.set(name, new Date());
      this.#wake?.();
    };
    Deno.addSignalListener(name as Deno.Signal, listener);
    this.#listeners.set(name as Deno.Signal, listener);
  }
}
