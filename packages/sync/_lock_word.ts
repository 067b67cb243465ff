/** A lock in one word of memory: claimed, with its owner's name, by one atomic step. */

import { ERRNO, IpcError, NotRecoverableError, type SyncOptions, type WaitOptions } from "@ipc/core";
import { Waits } from "@ipc/core/base";
import { wakeWord } from "@ipc/core/sys";
import type { Place } from "./_object.ts";
import { type Owner, TOKEN_MASK } from "./_owner.ts";
import { OwnerWait, WAITERS } from "./_owner_wait.ts";

/** Nobody has the lock. */
export const FREE = 0;
/** What it guards was given up. Like the next it is no owner's token, for no process has the number 0. */
export const NOT_RECOVERABLE = 1;
/** Nobody has the lock, and what it guards is as a dead owner left it. */
export const ABANDONED = 2;

/** In a word: its owner has touched nothing yet, and nothing is abandoned if it dies. */
export const TENTATIVE: number = 1 << 31;

const LOOKS = 300;

/** What a claim found: `FREE`, `ABANDONED`, or the word that a dead owner left. */
export type Claim = number;

/**
 * One handle's view of a lock word: how it is claimed, waited for and given back.
 *
 * The word is 0, or the token of the owner, with {@linkcode WAITERS} where somebody waits. Who waits looks every
 * 20 ms whether the owner lives, and takes over from a dead one; so whatever a process was doing when it died, the
 * others go on. Where more than the word is needed a claim is {@linkcode TENTATIVE} until `confirm`.
 */
export class LockWord {
  /** What stood in the way last. */
  readonly wait: OwnerWait;
  /** Where it is. */
  readonly place: Place;
  readonly #owner: Owner;
  readonly #index: number;
  readonly #first: number;
  readonly #line: Waits;
  readonly #verb: string;
  readonly #wake: number;
  /** What is in the word besides the owner once it is claimed. */
  readonly #claimed: number;

  /**
   * `index` is that of the word; in none of the words from `first` on may the token of a newcomer be. When the lock
   * is given back `wake` of those who wait for it look again; `claimed` is 0 or {@linkcode TENTATIVE}.
   */
  constructor(
    place: Place,
    owner: Owner,
    index: number,
    first: number,
    { verb = "lock", wake = 1, claimed = 0 }: { verb?: string; wake?: number; claimed?: number } = {},
  ) {
    this.wait = new OwnerWait(place, owner, verb);
    this.place = place;
    this.#owner = owner;
    this.#index = index;
    this.#first = first;
    this.#verb = verb;
    this.#wake = wake;
    this.#claimed = claimed;
    this.#line = new Waits({
      action: `${verb} ${place.name}`,
      park: (wake) => this.wait.park(wake),
      block: (timeout) => this.wait.block(timeout),
    });
    place.onEnd(() => this.#line.close(() => place.closedError(verb)));
  }

  /** Claims the lock if it is free: the way on which nobody waits for anything. */
  quick(): Claim | undefined {
    const words = this.place.words(this.#verb);
    const token = this.#owner.token || this.#owner.choose(words, this.#first);
    return Atomics.compareExchange(words, this.#index, FREE, token) === FREE ? FREE : undefined;
  }

  /** Claims the lock if it is free within about a microsecond: many are held for less than sleeping takes. */
  soon(): Claim | undefined {
    const claim = this.quick();
    if (claim !== undefined) return claim;
    const words = this.place.words(this.#verb);
    for (let look = 0; look < LOOKS; look++) {
      if (Atomics.load(words, this.#index) === FREE) return this.quick();
    }
    return undefined;
  }

  /**
   * Claims the lock if nobody living has it.
   *
   * @throws {NotRecoverableError} if what it guards was given up.
   */
  try(): Claim | undefined {
    this.wait.alive = 0;
    return this.attempt();
  }

  /** Claims the lock as soon as nobody living has it. */
  take<T>(made: (claim: Claim) => T, options: WaitOptions): Promise<T> {
    this.wait.alive = 0;
    const attempt = () => {
      const claim = this.attempt();
      return claim === undefined ? undefined : made(claim);
    };
    return this.#line.take(attempt, options) as Promise<T>;
  }

  /**
   * Claims the lock, blocking this thread while somebody living has it.
   *
   * @throws {IpcError} with code `EDEADLK` if that is somebody in this thread.
   */
  takeSync(options: SyncOptions): Claim {
    this.wait.alive = 0;
    return this.#line.takeSync(this.attempt, options)!;
  }

  /** From now on the claim is one of an owner who may have touched what is guarded. */
  confirm(): void {
    Atomics.and(this.place.words(this.#verb), this.#index, ~TENTATIVE);
  }

  /** Gives the lock back, as free or as what `next` says; false: somebody wrote over it who did not hold it. */
  release(next: typeof FREE | typeof NOT_RECOVERABLE | typeof ABANDONED = FREE): boolean {
    const words = this.place.words("unlock");
    const { token } = this.#owner;
    const seen = Atomics.compareExchange(words, this.#index, token, next);
    if (seen === token) return true;
    if ((seen & TOKEN_MASK) !== token) return false;
    if ((Atomics.exchange(words, this.#index, next) & WAITERS) !== 0) {
      this.#wakeUp(next === FREE ? this.#wake : Infinity);
    }
    return true;
  }

  /**
   * Makes the lock free, also one that was given up or is a dead owner's.
   *
   * Throws an `IpcError` (`EBUSY`) if somebody living has it.
   */
  reset(): void {
    const words = this.place.words("initialize");
    while (true) {
      const seen = Atomics.load(words, this.#index);
      if (seen === FREE) return;
      if (seen === NOT_RECOVERABLE || seen === ABANDONED) {
        if (Atomics.compareExchange(words, this.#index, seen, FREE) === seen) return;
        continue;
      }
      const result = this.#owner.takeOver(words, this.#index, seen, FREE);
      if (result === "taken") return this.#wakeUp(Infinity);
      if (result === "alive") throw busy(this.place);
    }
  }

  /** What `try` does, but for an owner that was seen alive a moment ago. */
  readonly attempt = (): Claim | undefined => {
    const { wait } = this;
    const words = this.place.words(this.#verb);
    const owner = this.#owner;
    const token = owner.token || owner.choose(words, this.#first);
    while (true) {
      const next = wait.contended ? token | WAITERS : token;
      const seen = Atomics.compareExchange(words, this.#index, FREE, next | this.#claimed);
      if (seen === ABANDONED && Atomics.compareExchange(words, this.#index, seen, next) !== seen) continue;
      if (seen === FREE || seen === ABANDONED) {
        wait.contended = false;
        return seen;
      }
      if (seen === NOT_RECOVERABLE) throw this.notRecoverable();
      const other = seen & TOKEN_MASK;
      wait.index = this.#index;
      if (other !== 0 && other === wait.alive) return undefined;
      // Who waits for the dead owner's word is woken by the new one; what it has not touched is as if it were free.
      const tentative = seen & this.#claimed;
      const result = owner.takeOver(words, this.#index, seen, seen & WAITERS | next | tentative);
      if (result === "taken") {
        wait.contended = false;
        return tentative === 0 ? seen : FREE;
      }
      if (result === "alive") wait.alive = other;
    }
  };

  #wakeUp(most: number): void {
    wakeWord(this.place.mapping, this.place.offset + this.#index * 4, most);
  }

  /** The error for a lock whose owner died, and then whoever was told of it unlocked without a repair. */
  notRecoverable(): NotRecoverableError {
    return new NotRecoverableError(
      `Cannot ${this.#verb} ${this.place.name}: its owner died and nobody repaired what it guards`,
      { hint: "when nobody uses what it guards, make that anew, and then initialize the lock again, once" },
    );
  }
}

/** The error for making anew what somebody holds. */
export function busy(place: Place): IpcError {
  return new IpcError(`Cannot initialize ${place.name}: there is one already, and somebody holds it`, {
    code: "EBUSY",
    errno: ERRNO.EBUSY,
    hint: "find it with at(), or openOrInitialize()",
  });
}
