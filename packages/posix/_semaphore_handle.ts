/** What is done through one handle of a semaphore. */

import { ClosedError, ERRNO, type IpcError, type SyncOptions, type WaitOptions } from "@ipc/core";
import { Waits } from "@ipc/core/base";
import { errno } from "@ipc/core/sys";
import {
  moveOn,
  type Place,
  placeIn,
  post,
  semaphoreFailure,
  tryWait,
  valueAt,
  waitAwhile,
  waitBriefly,
} from "./_semaphore_calls.ts";
import { type SemaphoreFile, unlinkOpenSemaphore } from "./_semaphore_file.ts";
import { waitForPost } from "./_semaphore_wait.ts";

/** A handle of a semaphore: it owns the line of those who wait through it, and the mapping of a named one. */
export class SemaphoreHandle {
  /** `undefined`: it is in a mapping that is not this handle's. */
  readonly name: string | undefined;
  #place: Place;
  readonly #file: SemaphoreFile | undefined;
  readonly #line: Waits;
  #closed = false;
  /** Calls of `withLock` that have something to give back. */
  #holders = 0;
  /** Whether blocking has taken something. */
  #taken = false;

  constructor(place: Place, file?: SemaphoreFile) {
    this.name = file?.name;
    this.#place = place;
    this.#file = file;
    this.#line = new Waits({
      action: this.#describe("acquire"),
      park: (wake) => waitForPost(this.#place.mapping, this.#place.offset, wake),
      block: (timeout) => this.#block(timeout),
    });
  }

  get value(): number {
    this.#check("look at");
    return valueAt(this.#place.address);
  }

  async acquire(options: WaitOptions): Promise<void> {
    this.#check("acquire");
    await this.#line.take(this.#attempt, options);
  }

  tryAcquire(): boolean {
    this.#check("acquire");
    return this.#try();
  }

  acquireSync(options: SyncOptions): void {
    this.#check("acquire");
    if (options.timeout === undefined) {
      while (!this.#took(waitAwhile(this.#place.address), "sem_wait")) moveOn();
      return;
    }
    this.#taken = false;
    this.#line.takeSync(() => this.#taken || this.#attempt(), options);
  }

  release(): void {
    this.#check("release");
    this.#post();
  }

  async withLock<T>(fn: () => T | Promise<T>, options: WaitOptions): Promise<T> {
    this.#check("acquire");
    await this.#line.take(this.#attemptToHold, options);
    using _held = { [Symbol.dispose]: () => this.#giveBack() };
    return await fn();
  }

  unlink(): void {
    this.#check("unlink");
    if (this.#file === undefined) throw new TypeError(`Cannot ${this.#describe("unlink")}: it has no name`);
    unlinkOpenSemaphore(this.#file);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#line.close(() => this.#closedError("acquire"));
    if (this.#file?.unlinkOnClose) {
      try {
        unlinkOpenSemaphore(this.#file);
      } catch {
        // Somebody else has unlinked it.
      }
    }
    if (this.#holders === 0) this.#file?.mapping.close();
  }

  readonly #attempt = (): true | undefined => {
    this.#check("acquire");
    return this.#try() || undefined;
  };

  /** From the moment at which it has taken something: the handle may be closed before whoever waits for it goes on. */
  readonly #attemptToHold = (): true | undefined => {
    const taken = this.#attempt();
    if (taken) this.#holders++;
    return taken;
  };

  #try(): boolean {
    return this.#took(tryWait(this.#place.address), "sem_trywait");
  }

  #block(timeout: number = Infinity): void {
    this.#taken = this.#took(waitBriefly(this.#place.address, timeout), "sem_wait");
  }

  /** Whether a call has taken something; false: trying again tells. */
  #took(result: number, syscall: string): boolean {
    if (result === 0) return true;
    const code = errno();
    if (code === ERRNO.EAGAIN || code === ERRNO.EINTR || code === ERRNO.ETIMEDOUT) return false;
    throw this.#failure(code, syscall, "acquire");
  }

  #post(): void {
    if (post(this.#place.address) === -1) throw this.#failure(errno(), "sem_post", "release");
  }

  #giveBack(): void {
    try {
      if (!this.#place.mapping.closed) {
        this.#find("release");
        this.#post();
      }
    } finally {
      if (--this.#holders === 0 && this.#closed) this.#file?.mapping.close();
    }
  }

  /** After this the address is good, as long as nothing is awaited. */
  #check(verb: string): void {
    if (this.#closed || this.#place.words.length === 0) this.#look(verb);
  }

  /** What empties the words: the mapping was closed, or resized, or somebody has transferred its buffer away. */
  #look(verb: string): void {
    if (this.#closed || this.#place.mapping.closed) throw this.#closedError(verb);
    this.#find(verb);
  }

  /** Memory that was resized is somewhere else. */
  #find(verb: string): void {
    const { mapping, offset, buffer } = this.#place;
    if (mapping.buffer !== buffer) this.#place = placeIn(mapping, offset, verb);
  }

  #closedError(verb: string): ClosedError {
    const what = this.#closed ? "it was closed here" : "its mapping was closed";
    return new ClosedError(`Cannot ${this.#describe(verb)}: ${what}`);
  }

  #failure(code: number, syscall: string, verb: string): IpcError {
    return semaphoreFailure(code, syscall, this.#describe(verb), this.name);
  }

  #describe(verb: string): string {
    const { name } = this;
    return `${verb} semaphore ${name === undefined ? `at byte ${this.#place.offset}` : `"${name}"`}`;
  }
}
