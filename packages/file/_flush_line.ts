/** Who waits until what was appended is on the disk. */

import { ClosedError, type WaitOptions } from "@ipc/core";
import { Waits } from "@ipc/core/base";
import type { Flusher } from "./_flusher.ts";

/** A line of calls that wait for flushes: one serves all whose records were appended before it began. */
export class FlushLine {
  readonly #flusher: Flusher;
  readonly #line: Waits;
  #flushing = false;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(flusher: Flusher) {
    this.#flusher = flusher;
    this.#line = new Waits({
      action: "flush log",
      park: (wake) => {
        this.#wake = wake;
        this.begin();
        return () => this.#wake = undefined;
      },
      ended: () => this.#closed,
    });
  }

  /**
   * Resolves once all that was appended until now is on the disk.
   *
   * @throws {IpcError} with code `EIO` if a flush has failed since there had been `failures` of them.
   * @throws {TimeoutError} if that took longer than `timeout`.
   * @throws {ClosedError} if the line was closed before.
   */
  async wait(failures: number, options?: WaitOptions): Promise<void> {
    const flusher = this.#flusher;
    const { written } = flusher;
    if (!this.#closed) this.begin();
    const flushed = await this.#line.take(() => {
      if (flusher.failures !== failures) throw flusher.error();
      return flusher.settled >= written || undefined;
    }, options);
    if (!flushed) throw new ClosedError("Cannot flush log: it was closed here before the disk had all");
  }

  /** Begins a flush where there is something to be flushed, and none under way. */
  begin(): void {
    if (this.#flushing || this.#flusher.settled === this.#flusher.written) return;
    const flush = this.#flusher.flushAside();
    this.#flushing = true;
    flush.finally(() => {
      this.#flushing = false;
      this.#wakeAll();
    });
  }

  /** Answers all who wait, by what is known now. */
  close(): void {
    this.#closed = true;
    this.#wakeAll();
  }

  #wakeAll(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
