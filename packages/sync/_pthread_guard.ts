/** A mutex of libc that this thread holds. */

import { ERRNO, IpcError } from "@ipc/core";
import { ADOPT } from "./_adopt.ts";
import type { Place } from "./_object.ts";
import { mutexError, pthread } from "./_pthread.ts";
import type { Lockable, MutexGuard } from "./mutex_guard.ts";

/** What is held from the moment at which it was locked. */
export class PthreadGuard implements MutexGuard {
  readonly mutex: Lockable;
  readonly previousOwner = undefined;
  readonly #place: Place;
  readonly #hold: (guard: PthreadGuard | undefined) => void;
  #held = true;
  #abandoned: boolean;
  #consistent: boolean;

  /** `hold` is told whose the lock is at each change. */
  constructor(
    mutex: Lockable,
    place: Place,
    abandoned: boolean,
    hold: (guard: PthreadGuard | undefined) => void,
  ) {
    this.mutex = mutex;
    this.#place = place;
    this.#abandoned = abandoned;
    this.#consistent = !abandoned;
    this.#hold = hold;
    hold(this);
  }

  get abandoned(): boolean {
    return this.#abandoned;
  }

  get held(): boolean {
    return this.#held;
  }

  markConsistent(): void {
    const words = this.#check("mark consistent");
    if (this.#consistent) return;
    const code = pthread.pthread_mutex_consistent!(words);
    if (code !== 0) throw this.#error(code, "pthread_mutex_consistent", "mark consistent");
    this.#consistent = true;
  }

  unlock(): void {
    const words = this.#check("unlock");
    const code = pthread.pthread_mutex_unlock!(words);
    if (code !== 0) throw this.#error(code, "pthread_mutex_unlock", "unlock");
    this.#end();
  }

  /** Unlocks at the end of the handle, when nobody could be told that it failed. */
  giveBack(): void {
    pthread.pthread_mutex_unlock!(this.#place.words("unlock"));
    this.#end();
  }

  /** The lock that was given up here is taken again. */
  [ADOPT](next: PthreadGuard): void {
    this.#abandoned = next.#abandoned;
    this.#consistent = next.#consistent;
    this.#held = next.#held;
    next.#held = false;
    if (this.#held) this.#hold(this);
  }

  [Symbol.dispose](): void {
    if (this.#held) this.unlock();
  }

  #end(): void {
    this.#held = false;
    this.#hold(undefined);
  }

  #check(verb: string): Int32Array<ArrayBuffer> {
    const words = this.#place.words(verb);
    if (this.#held) return words;
    throw new IpcError(`Cannot ${verb} ${this.#place.name}: it is not held through this guard any more`, {
      code: "EPERM",
      errno: ERRNO.EPERM,
    });
  }

  #error(code: number, syscall: string, verb: string): IpcError {
    return mutexError(code, syscall, `${verb} ${this.#place.name}`);
  }
}
