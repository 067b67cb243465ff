/** What the handles of a semaphore set share: the id, the errors, and the lines in which calls wait. */

import { ClosedError, ERRNO, IpcError, LimitError } from "@ipc/core";
import { errno } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import { setKind } from "./_kinds.ts";
import { libc } from "./_libc.ts";
import { type Found, objectFailure } from "./_object.ts";
import type { Operations } from "./_set_calls.ts";
import { Line } from "./_set_line.ts";

/** Lines in which nobody stands are thrown away when there are more than this. */
const MOST_LINES = 64;

/**
 * Room for the values of any set there can be: the kernel writes as many as the set has, and after very many
 * removals and creations the id may be that of a larger one.
 */
let room: Uint16Array<ArrayBuffer> | undefined;
/** No kernel gives a set more, whatever SEMMSL says. */
export const MOST_SEMAPHORES = 65536;

/** A semaphore set until it is closed. */
export class OpenSet {
  /** By what is waited for. */
  readonly #lines = new Map<string, Line>();
  closed = false;

  constructor(readonly found: Found, readonly size: number) {}

  get id(): number {
    return this.found.id;
  }

  /** `verb` and the set, as errors say it. */
  describe(verb: string): string {
    return `${verb} ${setKind.object} ${this.found.name}`;
  }

  check(verb: string): void {
    if (this.closed) throw this.closedError(verb);
  }

  closedError(verb: string): ClosedError {
    return new ClosedError(`Cannot ${this.describe(verb)}: it was closed here`);
  }

  /** The error of a semop(2). */
  failure(code: number, verb: string): IpcError {
    const { id, name } = this.found;
    const context = { errno: code, syscall: "semop", target: name };
    switch (code) {
      case ERRNO.EAGAIN:
        return new IpcError(
          `Cannot ${this.describe(verb)}: an operation would have to wait that must not`,
          { ...context, code: "EAGAIN" },
        );
      case ERRNO.ERANGE:
        return new LimitError(
          `Cannot ${
            this.describe(verb)
          }: a value, or what is to be undone of it, would pass ${constants.SEMVMX}`,
          { ...context, code: "ERANGE" },
        );
      case ERRNO.E2BIG:
        return new LimitError(`Cannot ${this.describe(verb)}: these are more operations than SEMOPM`, {
          ...context,
          code: "E2BIG",
          hint: "do fewer at once, or raise the limit (the third number of sysctl kernel.sem)",
        });
    }
    const hint = code === ERRNO.ENOSPC || code === ERRNO.ENOMEM
      ? "the kernel has no room to remember more operations with undo (SEMMNU, SEMUME): do without it, or in fewer processes"
      : undefined;
    return objectFailure(setKind, code, "semop", verb, id, name, hint);
  }

  /** The error of a semctl(2). */
  controlFailure(code: number, verb: string): IpcError {
    return objectFailure(setKind, code, "semctl", verb, this.id, this.found.name);
  }

  /** The line of those who want just this, made with the first of them. */
  line(operations: Operations, verb: string): Line {
    const key = operations.join();
    let line = this.#lines.get(key);
    if (line === undefined) {
      if (this.#lines.size >= MOST_LINES) {
        for (const [other, { length }] of this.#lines) if (length === 0) this.#lines.delete(other);
      }
      this.#lines.set(key, line = new Line(this, operations, verb));
    }
    return line;
  }

  /** The values of all semaphores: GETALL. They stay as they are until the next call. */
  values(verb: string): Uint16Array {
    room ??= new Uint16Array(MOST_SEMAPHORES);
    if (libc.semctl_buffer(this.id, 0, constants.GETALL, room) === -1) {
      throw this.controlFailure(errno(), verb);
    }
    return room.subarray(0, this.size);
  }

  /** Gives all semaphores a value: SETALL. */
  setValues(values: ArrayLike<number>, verb: string): void {
    room ??= new Uint16Array(MOST_SEMAPHORES);
    room.set(values);
    if (libc.semctl_buffer(this.id, 0, constants.SETALL, room) === -1) {
      throw this.controlFailure(errno(), verb);
    }
  }

  close(): void {
    this.closed = true;
    for (const line of this.#lines.values()) line.close();
  }
}
