/** How readers and writers of a lock keep out of each other's way: the writer's word, and the row of readers. */

import { OwnerDiedError } from "@ipc/core";
import { Waits } from "@ipc/core/base";
import { Held } from "./_held.ts";
import { ABANDONED, busy, type Claim, FREE, LockWord, NOT_RECOVERABLE, TENTATIVE } from "./_lock_word.ts";
import type { Place } from "./_object.ts";
import { Owner, TOKEN_MASK } from "./_owner.ts";
import { OwnerWait } from "./_owner_wait.ts";
import { ReaderSlots, Reading } from "./_reader_slots.ts";
import type { LockGuard } from "./mutex_guard.ts";

/** Words of a lock, after the one that says what it is; the slots of readers follow. */
export const [ID, WRITER, READERS, SLOTS] = [1, 2, 3, 4] as const;

/**
 * One handle's view of a lock, and those of its calls that wait.
 *
 * Who reads takes a slot, and then looks whether a writer has come; who writes claims the word, and then waits until
 * the slots are empty: so one of the two always sees the other. Until they are the claim is tentative, and forgotten
 * if its owner dies.
 */
export class ReadWrite {
  readonly reading: Waits;
  readonly writing: Waits;
  readonly #place: Place;
  readonly #owner: Owner;
  readonly #writer: LockWord;
  readonly #slots: ReaderSlots;
  readonly #wait: OwnerWait;
  /** The writer's word is ours, and readers are waited for. */
  #claim: Claim | undefined;

  constructor(place: Place, readers: number) {
    const owner = this.#owner = new Owner(place.mapping, Atomics.load(place.words("use"), ID));
    this.#place = place;
    this.#writer = new LockWord(place, owner, WRITER, WRITER, {
      verb: "write",
      wake: Infinity,
      claimed: TENTATIVE,
    });
    this.#slots = new ReaderSlots(place, owner, SLOTS, readers);
    this.#wait = new OwnerWait(place, owner, "read");
    this.reading = this.#line("read", this.#wait);
    this.writing = this.#line("write", this.#writer.wait);
    place.onEnd(() => this.withdraw());
    place.onEnd(() => owner.close());
  }

  #line(verb: string, wait: OwnerWait): Waits {
    const line = new Waits({
      action: `${verb} ${this.#place.name}`,
      park: (wake) => wait.park(wake),
      block: (timeout) => wait.block(timeout),
    });
    this.#place.onEnd(() => line.close(() => this.#place.closedError(verb)));
    return line;
  }

  /** A call begins: whoever was seen alive is looked at again. */
  begin(verb: "read" | "write"): void {
    if (this.#place.closed) throw this.#place.closedError(verb);
    (verb === "read" ? this.#wait : this.#writer.wait).alive = 0;
  }

  /**
   * Locks for reading, without waiting.
   *
   * Throws an `OwnerDiedError` where a writer has died, and a `NotRecoverableError` where what it guards was given up.
   */
  readonly tryToRead = (): Reading | undefined => {
    const words = this.#place.words("read");
    if (this.#owner.token === 0) this.#owner.choose(words, WRITER);
    this.#wait.restless = false;
    if (!this.#mayRead(words)) return undefined;
    const index = this.#slots.enter(this.#wait);
    if (index === undefined) return undefined;
    // A writer who came meanwhile either sees this reader, or is seen here.
    if (Atomics.load(words, WRITER) === FREE) return new Reading(this.#place, this.#slots, index);
    this.#slots.leave(index);
    return this.#mayRead(words) ? this.tryToRead() : undefined;
  };

  /** Locks for writing, without waiting; the claim stays where only readers are in the way. */
  readonly tryToWrite = (): LockGuard | undefined => {
    const claim = this.#claim ??= this.#writer.attempt();
    if (claim === undefined || !this.#slots.areEmpty(this.#writer.wait)) return undefined;
    this.#claim = undefined;
    this.#writer.confirm();
    return new Held(this.#writer, claim);
  };

  /** Lets those who read go on, where nobody waits to write here any more. */
  withdraw(): void {
    if (this.#claim === undefined || this.writing.taking) return;
    const next = this.#claim === FREE ? FREE : ABANDONED;
    this.#claim = undefined;
    this.#writer.release(next);
  }

  /** Makes the lock free. Throws an `IpcError` (`EBUSY`) if somebody living has it. */
  reset(): void {
    this.#writer.reset();
    if (!this.#slots.areEmpty(this.#writer.wait)) throw busy(this.#place);
  }

  /** Whether nobody writes or waits to. */
  #mayRead(words: Int32Array<ArrayBuffer>): boolean {
    const wait = this.#wait;
    while (true) {
      const seen = Atomics.load(words, WRITER);
      if (seen === FREE) return true;
      if (seen === NOT_RECOVERABLE) throw this.#writer.notRecoverable();
      const token = seen & TOKEN_MASK;
      if (token !== 0 && wait.index === WRITER && wait.alive === token) return false;
      // A writer that died while it waited for readers has touched nothing.
      const next = (seen & TENTATIVE) === 0 ? seen : FREE;
      const result = seen === ABANDONED ? "taken" : this.#owner.takeOver(words, WRITER, seen, next);
      if (result === "taken" && next === FREE) continue;
      if (result === "taken") throw this.#writerDied();
      if (result === "changed") continue;
      wait.index = WRITER;
      wait.alive = token;
      return false;
    }
  }

  #writerDied(): OwnerDiedError {
    return new OwnerDiedError(
      `Cannot read ${this.#place.name}: a writer died, and what it guards may be torn`,
      {
        hint: "take write(), repair what the lock guards, and call markConsistent()",
      },
    );
  }
}
