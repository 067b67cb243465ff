/** A part of a file in memory. */

import { ERRNO, errnoError, type IpcError } from "@ipc/core";
import { abi, errno, failure, FileMapping, type MapOptions, type OwnedFd, pageSize } from "@ipc/core/sys";
import { libc } from "./_libc.ts";

/** A part of a mapping. */
export interface MappedRange {
  /** Its first byte, counted from the beginning of the mapping; 0 unless told. */
  offset?: number | undefined;
  /** Bytes; the rest of the mapping unless told. */
  length?: number | undefined;
}

/** How {@linkcode FileWindow.flush} writes. */
export interface FlushOptions {
  /** What is written; all of it unless told. The kernel writes whole pages. */
  range?: MappedRange | undefined;
  /** Asks, and does not wait (MS_ASYNC): Linux then writes within half a minute or so, as it does unasked; false unless told. */
  async?: boolean | undefined;
}

/** How memory will be used: see {@linkcode FileWindow.advise}. */
export type Advice = "normal" | "random" | "sequential" | "will-need" | "dont-need";

const ADVICE: Readonly<Record<Advice, number>> = {
  "normal": abi.MADV_NORMAL,
  "random": abi.MADV_RANDOM,
  "sequential": abi.MADV_SEQUENTIAL,
  "will-need": abi.MADV_WILLNEED,
  "dont-need": abi.MADV_DONTNEED,
};

/** So many pages are asked about in one call. */
const PAGES_AT_ONCE = 65_536;

/**
 * A part of a file in memory: what `window` of a `MappedFile` and `map` of a `Memfd` give.
 *
 * It is a {@linkcode FileMapping}: `bytes` and views of `buffer` are the file itself, as every process has it that
 * maps or reads it. It owns its mapping and a descriptor until `close`, which first empties every view: use after
 * that is an error, never a crash.
 *
 * @example
 * ```ts
 * import { type FileWindow, MappedFile } from "@ipc/mmap";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempFile();
 * using file = MappedFile.open(path, { size: 10_000 });
 * using part: FileWindow = file.window(5000, 100);
 * part.bytes[0] = 7;
 * assertEquals(file.bytes[5000], 7);
 * await Deno.remove(path);
 * ```
 */
export class FileWindow extends FileMapping {
  /** The path of the file, or what else errors call it. */
  readonly path: string;

  /**
   * Maps a part of an open file, and takes its descriptor over unless that fails. System calls: `fstat`, `mmap`.
   *
   * @throws {RangeError} if the part is not inside the file.
   * @throws {PermissionError} if the file was not opened for this access.
   * @throws {TypeError} if there is no such access.
   */
  constructor(path: string, file: OwnedFd, options: Omit<MapOptions, "target">) {
    super(file, { ...options, target: path });
    this.path = path;
  }

  /**
   * Writes what was changed to the disk, and waits until it is there unless told. System call: `msync`.
   *
   * Other processes see a change at once, without this: it is for when the machine goes down.
   *
   * @throws {IpcError} with code `EIO` if the disk fails.
   * @throws {RangeError} if the range is not inside.
   * @throws {TypeError} if it is mapped copy-on-write: nothing goes to the file.
   * @throws {ClosedError} after `close`.
   *
   * @example
   * ```ts
   * import { MappedFile } from "@ipc/mmap";
   *
   * const path = await Deno.makeTempFile();
   * using file = MappedFile.open(path, { size: 10_000 });
   * file.bytes.fill(1, 5000, 5010);
   * file.flush({ range: { offset: 5000, length: 10 } }); // on the disk now
   * await Deno.remove(path);
   * ```
   */
  flush({ range, async = false }: FlushOptions = {}): void {
    this.#refuseCopies("flush");
    const { pointer, byteLength } = this.#pagesOf(range);
    const bytes = BigInt(byteLength);
    const flags = async ? abi.MS_ASYNC : abi.MS_SYNC;
    while (libc.msync(pointer, bytes, flags) === -1) {
      const code = errno();
      if (code !== ERRNO.EINTR) throw failure(code, "msync", "flush", this.path);
    }
  }

  /**
   * Says how the memory will be used, which changes what the kernel reads ahead and keeps, but never the content.
   *
   * `"will-need"` begins to read it from the disk; `"sequential"` reads far ahead, `"random"` not at all;
   * `"dont-need"` takes it out of this process until it is touched again. System call: `madvise`.
   *
   * @throws {RangeError} if the range is not inside.
   * @throws {TypeError} if what is mapped copy-on-write is not needed: that would undo what was written.
   * @throws {ClosedError} after `close`.
   *
   * @example
   * ```ts
   * import { MappedFile } from "@ipc/mmap";
   * import { assertEquals } from "@std/assert";
   *
   * const path = await Deno.makeTempFile();
   * await Deno.writeTextFile(path, "one after another");
   * using file = MappedFile.open(path, { access: "read" });
   * file.advise("sequential");
   * assertEquals(new TextDecoder().decode(file.bytes), "one after another");
   * await Deno.remove(path);
   * ```
   */
  advise(advice: Advice, range?: MappedRange): void {
    if (!Object.hasOwn(ADVICE, advice)) {
      throw new TypeError(`Cannot advise "${advice}" on "${this.path}": there is no such advice`);
    }
    if (advice === "dont-need") this.#refuseCopies("advise not to need");
    const { pointer, byteLength } = this.#pagesOf(range);
    const bytes = BigInt(byteLength);
    const { [advice]: number } = ADVICE;
    if (libc.madvise(pointer, bytes, number) === -1) {
      throw failure(errno(), "madvise", "advise on", this.path);
    }
  }

  /**
   * Reads the memory in, and keeps it from being dropped or swapped out until `unlock` or `close`.
   *
   * System calls: `fstat`, `mlock`.
   *
   * @throws {LimitError} if it is more than this process may lock, or there is no memory.
   * @throws {PermissionError} if this process may lock none.
   * @throws {RangeError} if the range is not inside.
   * @throws {TruncatedError} if the file no longer has it.
   * @throws {ClosedError} after `close`.
   *
   * @example
   * ```ts
   * import { MappedFile } from "@ipc/mmap";
   * import { assertEquals } from "@std/assert";
   *
   * const path = await Deno.makeTempFile();
   * using file = MappedFile.open(path, { size: 4096 });
   * file.lock();
   * assertEquals(file.resident(), 1);
   * file.unlock();
   * await Deno.remove(path);
   * ```
   */
  lock(range?: MappedRange): void {
    const { pointer, byteLength, offset, length } = this.#pagesOf(range);
    this.checkFile("lock", offset, length);
    const bytes = BigInt(byteLength);
    if (libc.mlock(pointer, bytes) === -1) throw lockFailure(errno(), this.path);
  }

  /**
   * Lets the memory go again that `lock` keeps; `lock` does not count. System call: `munlock`.
   *
   * @throws {RangeError} if the range is not inside.
   * @throws {ClosedError} after `close`.
   *
   * @example
   * ```ts
   * import { MappedFile } from "@ipc/mmap";
   *
   * const path = await Deno.makeTempFile();
   * using file = MappedFile.open(path, { size: 8192 });
   * file.lock();
   * file.unlock({ offset: 4096 }); // the first page stays
   * await Deno.remove(path);
   * ```
   */
  unlock(range?: MappedRange): void {
    const { pointer, byteLength } = this.#pagesOf(range);
    const bytes = BigInt(byteLength);
    if (libc.munlock(pointer, bytes) === -1) throw failure(errno(), "munlock", "unlock", this.path);
  }

  /**
   * How much of it is in memory now, from 0 to 1: what is not is read from the disk when it is touched.
   *
   * Of a file that this user may not write the kernel says 1. System call: `mincore`.
   *
   * @throws {RangeError} if the range is not inside.
   * @throws {ClosedError} after `close`.
   *
   * @example
   * ```ts
   * import { MappedFile } from "@ipc/mmap";
   * import { assertEquals } from "@std/assert";
   *
   * const path = await Deno.makeTempFile();
   * using file = MappedFile.open(path, { size: 100_000 });
   * file.bytes.fill(1);
   * assertEquals(file.resident(), 1);
   * await Deno.remove(path);
   * ```
   */
  resident(range?: MappedRange): number {
    const { pointer, byteLength } = this.#pagesOf(range);
    const pages = Math.ceil(byteLength / pageSize());
    const found = new Uint8Array(Math.min(pages, PAGES_AT_ONCE));
    let count = 0;
    for (let first = 0; first < pages; first += PAGES_AT_ONCE) {
      const some = Math.min(pages - first, PAGES_AT_ONCE);
      const start = Deno.UnsafePointer.offset(pointer, first * pageSize());
      const bytes = BigInt(some * pageSize());
      while (libc.mincore(start, bytes, found) === -1) {
        const code = errno();
        if (code !== ERRNO.EAGAIN) throw failure(code, "mincore", "look at the pages of", this.path);
      }
      for (let page = 0; page < some; page++) count += found[page]! & 1;
    }
    return pages === 0 ? 1 : count / pages;
  }

  #pagesOf({ offset = 0, length = Math.max(0, this.byteLength - offset) }: MappedRange = {}) {
    return { ...this.pages(offset, length), offset, length };
  }

  #refuseCopies(verb: string): void {
    if (this.access !== "copy-on-write") return;
    throw new TypeError(`Cannot ${verb} "${this.path}": it is mapped copy-on-write`);
  }
}

function lockFailure(code: number, path: string): IpcError {
  return errnoError(code, {
    syscall: "mlock",
    action: `lock "${path}" in memory`,
    target: path,
    hint: "raise the limit of locked memory (ulimit -l), or give the process CAP_IPC_LOCK",
  });
}
