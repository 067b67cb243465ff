/**
 * The note of which segment is appended to, so that who reads or writes need not list the folder to learn it.
 *
 * It is a file of its own, for all who may read the log may read it; who may only read cannot lock, and so stop, those
 * who write. It is never forced to the disk: it tells that a segment is the last, not that there is none behind it.
 */

import { type OwnedFd, stat } from "@ipc/core/sys";
import { attempt, must } from "./_call.ts";
import { libc } from "./_libc.ts";

const note = new BigUint64Array(1);

/** Owns the descriptor of the note. */
export class ActiveSegment {
  readonly #fd: OwnedFd;
  readonly #target: string;

  /** Takes the descriptor over. `target` is what errors call the log. */
  constructor(fd: OwnedFd, target: string) {
    this.#fd = fd;
    this.#target = target;
  }

  /**
   * The first sequence of the segment that is appended to, as whoever begins one notes it; 0: look which is the last,
   * as before the first; -1: it cannot be read.
   */
  get first(): number {
    const { fd } = this.#fd;
    note[0] = 0n;
    if (attempt(() => libc.pread(fd, note, 8n, 0n)) < 0) return -1;
    return Number(note[0]);
  }

  set first(first: number) {
    const { fd } = this.#fd;
    note[0] = BigInt(first);
    must(() => libc.pwrite(fd, note, 8n, 0n), "pwrite", "append to log", this.#target);
  }

  /** Whether the log was removed. */
  get removed(): boolean {
    return stat(this.#fd.fd).nlink === 0;
  }

  close(): void {
    this.#fd.close();
  }
}
