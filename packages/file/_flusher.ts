/** Forcing to the disk what a writer has appended, and remembering what came of it. */

import { ERRNO, IpcError, RemovedError } from "@ipc/core";
import { dupCloexec, OwnedFd } from "@ipc/core/sys";
import { attempt } from "./_call.ts";
import { libc } from "./_libc.ts";
import type { LogDirectory } from "./_log_directory.ts";

interface Segment {
  readonly first: number;
  /** The writer's own descriptor, for flushes that block. */
  readonly fd: number;
  /**
   * For flushes on another thread, with an open file description of its own: each that was open is told of a failure
   * once, and of two flushes through one at the same time only the first would be.
   */
  readonly aside: OwnedFd;
}

/** Flushes for one writer. Owns a descriptor of the segment that is appended to; the directory is the writer's. */
export class Flusher {
  readonly #directory: LogDirectory;
  /** Whether a segment is flushed before it is left. */
  readonly #eager: boolean;
  #segment: Segment | undefined;
  #written = 0;
  #settled = 0;
  #failures = 0;
  /** The first of the segments that were left as they were; `undefined`: none. */
  #left: number | undefined;
  /** Whether there is a segment whose name may not be on the disk. */
  #unnamed = false;

  constructor(directory: LogDirectory) {
    this.#directory = directory;
    this.#eager = directory.settings.fsync !== "never";
  }

  /** How many records were appended. */
  get written(): number {
    return this.#written;
  }

  /** For how many of them the flush is over, whether it failed or not. */
  get settled(): number {
    return this.#settled;
  }

  /**
   * How many flushes have failed. Whatever was appended before one is over, and was not flushed well before, may not be
   * on the disk: the kernel tells of a failure once, and would say at the next flush that all is well.
   */
  get failures(): number {
    return this.#failures;
  }

  /** Counts records that were appended. */
  wrote(records: number): void {
    this.#written += records;
  }

  /** A segment is appended to from now on. Opened before anything is, so that no failure is missed. */
  begin(first: number, fd: number): void {
    const aside = this.#directory.openSegment(first, "write");
    if (aside === undefined) {
      const { path } = this.#directory;
      throw new RemovedError(`Cannot append to log "${path}": it was removed`, { target: path });
    }
    this.#segment = { first, fd, aside };
    if (!this.#eager) this.#unnamed = true;
  }

  /** The segment has just been made: its name is forced to the disk, too. */
  named(): void {
    if (!this.#eager) return;
    try {
      this.#directory.sync();
    } catch {
      this.#failures++;
    }
  }

  /** Lets go of the segment; false: a flush before that failed. */
  leave(): boolean {
    const segment = this.#segment;
    if (segment === undefined) return true;
    const well = !this.#eager || this.flush();
    if (this.#settled < this.#written) this.#left ??= segment.first;
    this.#segment = undefined;
    segment.aside.close();
    return well;
  }

  /** Forces what was appended to the segment to the disk, blocking this thread; false: the disk did not take it. */
  flush(): boolean {
    if (this.#segment === undefined || this.#settled === this.#written) return true;
    const { fd } = this.#segment;
    const result = attempt(() => libc.fdatasync(fd));
    this.#settle(this.#written, result === 0);
    return result === 0;
  }

  /** Forces all that was appended to the disk, on a thread of the pool; one at a time. Throws only before it begins. */
  flushAside(): Promise<void> {
    const directory = this.#directory;
    const segment = this.#segment;
    // Descriptors of its own, for the segment may be left, or the log closed, meanwhile.
    using owned = new DisposableStack();
    const files: number[] = [];
    const add = (fd: number) => files.push(owned.use(new OwnedFd(fd)).fd);
    if (segment !== undefined) add(dupCloexec(segment.aside.fd));
    for (const first of this.#left === undefined ? [] : directory.segments()) {
      if (first < this.#left! || first === segment?.first) continue;
      using file = directory.openSegment(first, "write");
      // None: it was dropped, with what it held.
      if (file !== undefined) add(file.take());
    }
    const folder = this.#unnamed ? owned.use(directory.again()).fd : undefined;
    this.#left = undefined;
    this.#unnamed = false;
    return this.#flushAll(files, folder, owned.move());
  }

  async #flushAll(files: readonly number[], folder: number | undefined, owned: Disposable): Promise<void> {
    using _ = owned;
    const upTo = this.#written;
    let well = true;
    for (const fd of files) well = await libc.fdatasync_parked(fd) === 0 && well;
    if (folder !== undefined) well = await libc.fsync_parked(folder) === 0 && well;
    this.#settle(upTo, well);
  }

  /** The error of a flush that failed. Why, the kernel tells only those that block. */
  error(): IpcError {
    const { path } = this.#directory;
    return new IpcError(`Cannot flush log "${path}": the disk did not take it`, {
      code: "EIO",
      errno: ERRNO.EIO,
      syscall: "fdatasync",
      target: path,
      hint: "it was appended, and readers have it; whether it outlives a power failure is not known",
    });
  }

  #settle(upTo: number, well: boolean): void {
    this.#settled = Math.max(this.#settled, upTo);
    if (!well) this.#failures++;
  }
}
