/** A file in memory. */

import { dupCloexec, OwnedFd } from "@ipc/core/sys";
import { extend, type FileOptions, giveUp, type OpenFile, openFile } from "./_open.ts";
import { FileWindow } from "./file_window.ts";

export type { FileOptions, Reserve } from "./_open.ts";

/** How a file is mapped. */
export interface MappedFileOptions extends FileOptions {
  /** Where in the file the mapping begins, in bytes; any number, 0 unless told. */
  offset?: number | undefined;
  /** Bytes, exactly; the rest of the file unless told. */
  length?: number | undefined;
}

/**
 * A file in memory: its bytes are those of the file, read from the disk when they are touched, and written to it later.
 *
 * All processes that map the file share one memory, and `read(2)` and `write(2)` see the same; words that several
 * processes write are to be used through `Atomics`. It owns a mapping and a descriptor until `close`, which first
 * empties every view: use after that is an error, never a crash.
 *
 * Two things can end the process with SIGBUS when memory is touched: somebody made the file shorter, or the disk is
 * full where the file has a hole. `read` and `write` notice the first beforehand; views cannot. For the second see
 * `reserve`.
 *
 * Needs `--allow-ffi` without a path, and neither `--allow-read` nor `--allow-write`: FFI is full trust.
 *
 * @example
 * ```ts
 * import { MappedFile } from "@ipc/mmap";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `${await Deno.makeTempDir()}/counters`;
 * using file = MappedFile.open(path, { create: true, size: 4096 });
 * const counters = new Int32Array(file.buffer);
 * Atomics.add(counters, 3, 42);
 * using same = MappedFile.open(path, { access: "read", offset: 12, length: 4 }); // In another process, as a rule.
 * assertEquals(new DataView(same.buffer).getInt32(0, true), 42);
 * ```
 */
export class MappedFile extends FileWindow {
  readonly #file: OpenFile;
  readonly #options: MappedFileOptions;

  private constructor(open: OpenFile, options: MappedFileOptions) {
    const { access, offset, length } = options;
    super(open.path, open.file, { access, offset, length });
    this.#file = open;
    this.#options = options;
  }

  /**
   * Opens a file, or makes it, and maps it or a part of it.
   *
   * With `create` a file that is there already must be this user's own and no symbolic link, unless told: in a folder
   * where others may write, /tmp for instance, they could have been first. System calls: `open`, `fstat`, `mmap`; with
   * `create` also `fchmod`, with `size` or `reserve` also `fallocate`.
   *
   * @throws {AlreadyExistsError} if it exists, with `createNew`, or is a symbolic link to nowhere that is followed.
   * @throws {LimitError} if there is no room on the disk, or in the address space; a new file is removed again.
   * @throws {NotFoundError} if there is no such file, and it is not to be made.
   * @throws {NotSupportedError} if it is not a file, or the file system cannot set room aside.
   * @throws {PermissionError} if the file, or its folder, does not permit it.
   * @throws {RangeError} if the part is not inside the file, which an empty one never is, or a number is none.
   * @throws {TypeError} if options contradict each other, or the path is no string.
   * @throws {UntrustedError} if it is a symbolic link, or somebody else's, and `followLinks` or `allowOwner` do not
   *   permit that.
   *
   * @example
   * ```ts
   * import { MappedFile } from "@ipc/mmap";
   * import { assertEquals } from "@std/assert";
   *
   * const path = await Deno.makeTempFile();
   * await Deno.writeTextFile(path, "hello, world");
   * using draft = MappedFile.open(path, { access: "copy-on-write", offset: 7 });
   * draft.bytes.fill(33);
   * assertEquals(await Deno.readTextFile(path), "hello, world");
   * await Deno.remove(path);
   * ```
   */
  static open(path: string, options: MappedFileOptions = {}): MappedFile {
    const open = openFile(path, options);
    try {
      return new MappedFile(open, options);
    } catch (error) {
      giveUp(open);
      throw error;
    }
  }

  /**
   * Makes the file at least `size` bytes long, and maps all that it then has, unless the mapping has a `length` of its
   * own: then `bytes` and `buffer` are new, and older views are empty.
   *
   * Where others have made the file longer already it only maps, which `access: "read"` permits too. System calls:
   * `fstat`, `fallocate`, `mmap`, `munmap`.
   *
   * @throws {LimitError} if there is no room on the disk, or in the address space.
   * @throws {RangeError} if `size` is not an integer from 1, or the file is longer.
   * @throws {TypeError} if it would have to grow and was not opened to be written, or is mapped copy-on-write.
   * @throws {ClosedError} after `close`.
   *
   * @example
   * ```ts
   * import { MappedFile } from "@ipc/mmap";
   * import { assertEquals } from "@std/assert";
   *
   * const path = await Deno.makeTempFile();
   * using log = MappedFile.open(path, { size: 100 });
   * const view = log.bytes;
   * log.grow(200);
   * assertEquals([view.length, log.bytes.length], [0, 200]);
   * await Deno.remove(path);
   * ```
   */
  grow(size: number): void {
    const { size: before } = this.stat();
    const { offset = 0, length, reserve } = this.#options;
    if (this.access === "copy-on-write") {
      throw new TypeError(`Cannot grow "${this.path}": it is mapped copy-on-write`);
    }
    if (!(Number.isSafeInteger(size) && size >= Math.max(before, 1))) {
      throw new RangeError(`Cannot grow "${this.path}" to ${size} bytes: it has ${before}`);
    }
    if (size > before) {
      if (this.readOnly) throw new TypeError(`Cannot grow "${this.path}": it was opened for reading`);
      extend(this.#file, size, reserve);
    }
    // A file that became shorter is mapped as far as it is there again, and what is missing no longer.
    if (length === undefined && this.stat().size !== offset + this.byteLength) this.remap(undefined);
  }

  /**
   * Maps another part of the file, for the same access: the way through a file that is too large to be mapped whole.
   *
   * The window is its owner's to close, and stays when this is closed. System calls: `fcntl`, `fstat`, `mmap`.
   *
   * @throws {RangeError} if the part is not inside the file.
   * @throws {LimitError} if this process has no descriptor left, or no address space.
   * @throws {ClosedError} after `close`.
   *
   * @example
   * ```ts
   * import { MappedFile } from "@ipc/mmap";
   * import { assertEquals } from "@std/assert";
   *
   * const path = await Deno.makeTempFile();
   * using table = MappedFile.open(path, { size: 2 ** 33, reserve: "none", length: 4096 });
   * using part = table.window(2 ** 32 + 5, 100);
   * part.bytes[0] = 7;
   * assertEquals([table.byteLength, part.byteLength], [4096, 100]);
   * await Deno.remove(path);
   * ```
   */
  window(offset: number, length?: number): FileWindow {
    const file = new OwnedFd(dupCloexec(this.fd));
    try {
      return new FileWindow(this.path, file, { access: this.access, offset, length });
    } catch (error) {
      file.close();
      throw error;
    }
  }
}
