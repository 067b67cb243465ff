/** Shared memory. */

import { FileMapping } from "@ipc/core/sys";
import type { CreateOptions, TrustOptions } from "./_object.ts";
import {
  checkSize,
  createMemory,
  giveUpMemory,
  type OpenMemory,
  openMemory,
  openOrCreateMemory,
  resizeMemory,
  type SharedMemoryOpenOptions,
  unlinkMemory,
  unlinkOpenMemory,
} from "./_shared_memory_open.ts";

export type { SharedMemoryOpenOptions } from "./_shared_memory_open.ts";

/**
 * Shared memory under a name, mapped into this process.
 *
 * It is a {@linkcode FileMapping}: `bytes` and views of `buffer` are the memory itself, which every process that has
 * it open sees at once; words that several processes write are to be used through `Atomics`. It owns a mapping and a
 * descriptor, from creation or opening until `close`, which first empties every view: use after that is an error,
 * never a crash. The memory itself stays until its name is unlinked and nobody has it open any more, or the machine
 * goes down.
 *
 * All of it is set aside when it is created, or opened to be written, so that using it cannot fail later. Whoever may
 * write it may also make it shorter: `read` and `write` notice that, views do not, and touching what is missing ends
 * the process (SIGBUS). A memfd of `@ipc/mmap` can be sealed against it.
 *
 * Needs `--allow-ffi` without a path: under a scoped permission memory cannot be viewed.
 *
 * @example
 * ```ts
 * import { SharedMemory } from "@ipc/posix";
 * import { assertEquals } from "@std/assert";
 *
 * const name = `/example-${crypto.randomUUID()}`;
 * using table = SharedMemory.create(name, 100, { unlinkOnClose: true });
 * using same = SharedMemory.open(name); // In another process, as a rule.
 * new Int32Array(table.buffer, 0, 1)[0] = 42;
 * assertEquals(new Int32Array(same.buffer, 0, 1)[0], 42);
 * assertEquals(same.byteLength, 100);
 * ```
 */
export class SharedMemory extends FileMapping {
  /** The name by which it was opened. */
  readonly name: string;
  readonly #unlinkOnClose: boolean;

  private constructor({ name, file }: OpenMemory, access: "read" | "write", unlinkOnClose: boolean) {
    super(file, { access, target: name });
    this.name = name;
    this.#unlinkOnClose = unlinkOnClose;
  }

  /**
   * Creates shared memory of `size` bytes, all zero.
   *
   * Nobody finds the name before the memory is whole. System calls: `open`, `fchmod`, `fallocate`, `linkat`, `mmap`.
   *
   * @throws {AlreadyExistsError} if the name is taken.
   * @throws {LimitError} if there is no room in /dev/shm, or in the address space; nothing is left behind.
   * @throws {PermissionError} if this user may create nothing there.
   * @throws {RangeError} if `size` is not an integer from 1, or `mode` not 0 to 0o777.
   * @throws {TypeError} if the name is not a slash and 1 to 255 other characters.
   *
   * @example
   * ```ts
   * import { SharedMemory } from "@ipc/posix";
   * import { assertEquals } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using memory = SharedMemory.create(name, 4096, { mode: 0o640, unlinkOnClose: true });
   * assertEquals([memory.stat().size, memory.stat().mode], [4096, 0o640]);
   * ```
   */
  static create(name: string, size: number, options: CreateOptions = {}): SharedMemory {
    return SharedMemory.#map(createMemory(name, size, options), options);
  }

  /**
   * Opens shared memory that exists, the whole of it.
   *
   * Memory is set aside for what has none yet, unless `reserve` is false. System calls: `open`, `fstat`, `mmap`, and
   * `fallocate` where there is something to set aside.
   *
   * @throws {NotFoundError} if there is none of this name.
   * @throws {NotSupportedError} if what has the name in /dev/shm is not a file.
   * @throws {LimitError} if there is no room for it in the address space, or in /dev/shm.
   * @throws {PermissionError} if its mode does not permit it; `access: "read"` asks for less.
   * @throws {RangeError} if it has fewer than `size` bytes.
   * @throws {TruncatedError} if it has none: whoever creates it has not given it a size yet.
   * @throws {TypeError} if the name is not a slash and 1 to 255 other characters.
   * @throws {UntrustedError} if it is somebody else's, and `allowOwner` does not name them, or a symbolic link.
   *
   * @example
   * ```ts
   * import { SharedMemory } from "@ipc/posix";
   * import { assertEquals, assertThrows } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using memory = SharedMemory.create(name, 4096, { unlinkOnClose: true });
   * memory.write(0, new TextEncoder().encode("hello"));
   * using reader = SharedMemory.open(name, { access: "read" });
   * assertEquals(new TextDecoder().decode(reader.read(0, 5)), "hello");
   * assertThrows(() => reader.write(0, new Uint8Array(1)), TypeError);
   * ```
   */
  static open(name: string, options: SharedMemoryOpenOptions = {}): SharedMemory {
    return SharedMemory.#map(openMemory(name, options), options);
  }

  /**
   * Opens the shared memory of a name, or creates it with `size` bytes; who else comes at the same time gets the same.
   *
   * What is there already may be larger. New memory is zero, and that is all that the others can rely on: whoever
   * puts more into it says so in a word of it. System calls: `open`, `fstat`, `fchmod`, `fallocate`, `linkat`, `mmap`.
   *
   * @throws {LimitError} as `create` does.
   * @throws {PermissionError} as `open` does.
   * @throws {RangeError} if what is there has fewer than `size` bytes, or an argument is out of range.
   * @throws {TypeError} if the name is not a slash and 1 to 255 other characters.
   * @throws {TruncatedError} as `open` does.
   * @throws {UntrustedError} as `open` does.
   *
   * @example
   * ```ts
   * import { SharedMemory } from "@ipc/posix";
   * import { assertEquals } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using first = SharedMemory.openOrCreate(name, 64, { unlinkOnClose: true });
   * using second = SharedMemory.openOrCreate(name, 64);
   * assertEquals(first.stat().ino, second.stat().ino);
   * ```
   */
  static openOrCreate(
    name: string,
    size: number,
    options: CreateOptions & TrustOptions = {},
  ): SharedMemory {
    return SharedMemory.#map(openOrCreateMemory(name, size, options), options);
  }

  /**
   * Removes a name; who has the memory open keeps it. System call: `unlink`.
   *
   * @throws {NotFoundError} if there is none of this name.
   * @throws {PermissionError} if it is somebody else's.
   * @throws {TypeError} if the name is not a slash and 1 to 255 other characters.
   *
   * @example
   * ```ts
   * import { SharedMemory } from "@ipc/posix";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * SharedMemory.create(name, 1).close();
   * SharedMemory.unlink(name);
   * ```
   */
  static unlink(name: string): void {
    unlinkMemory(name);
  }

  static #map(open: OpenMemory, options: CreateOptions & SharedMemoryOpenOptions): SharedMemory {
    const { access = "write", unlinkOnClose = false } = options;
    try {
      return new SharedMemory(open, access, open.created && unlinkOnClose);
    } catch (error) {
      giveUpMemory(open);
      throw error;
    }
  }

  /**
   * Gives the memory another size, and maps all of it: `bytes` and `buffer` are new, and older views are empty.
   *
   * What is new is zero, and set aside. Who else has it open still maps what there was, and gets the rest by the same
   * call; where it became shorter, whoever touches what is missing dies of it (SIGBUS): tell them before. System calls:
   * `fstat`, `fallocate` or `ftruncate`, `mmap`, `munmap`.
   *
   * @throws {ClosedError} after `close`.
   * @throws {LimitError} if there is no room in /dev/shm, or in the address space.
   * @throws {RangeError} if `size` is not an integer from 1.
   * @throws {TypeError} if it was opened for reading, and has another size.
   *
   * @example
   * ```ts
   * import { SharedMemory } from "@ipc/posix";
   * import { assertEquals } from "@std/assert";
   *
   * const name = `/example-${crypto.randomUUID()}`;
   * using memory = SharedMemory.create(name, 100, { unlinkOnClose: true });
   * using other = SharedMemory.open(name);
   * const view = memory.bytes;
   * memory.resize(200);
   * assertEquals([view.length, memory.bytes.length, other.bytes.length], [0, 200, 100]);
   * other.resize(other.stat().size);
   * assertEquals(other.bytes.length, 200);
   * ```
   */
  resize(size: number): void {
    checkSize("resize", size);
    const { size: before } = this.stat();
    if (size !== before && this.readOnly) {
      throw new TypeError(`Cannot resize shared memory "${this.name}": it was opened for reading`);
    }
    const change = () => resizeMemory(this.fd, size, this.name);
    if (size < before) return this.remap(size, change);
    if (size > before) change();
    if (size !== this.byteLength) this.remap(size);
  }

  /**
   * Removes the name; the memory stays for who has it open. System calls: `fstat`, `unlink`.
   *
   * @throws {ClosedError} after `close`.
   * @throws {NotFoundError} if it was unlinked already; the name may be another's by now, which stays.
   * @throws {PermissionError} if it is somebody else's.
   *
   * @example
   * ```ts
   * import { NotFoundError } from "@ipc/core";
   * import { SharedMemory } from "@ipc/posix";
   * import { assertEquals, assertThrows } from "@std/assert";
   *
   * using memory = SharedMemory.create(`/example-${crypto.randomUUID()}`, 100);
   * memory.unlink();
   * assertEquals(memory.bytes.length, 100); // It goes on.
   * assertThrows(() => SharedMemory.open(memory.name), NotFoundError);
   * ```
   */
  unlink(): void {
    unlinkOpenMemory(this.fd, this.name);
  }

  /** Empties every view, unmaps and closes; calling it again does nothing. System calls: `munmap`, `close`, `unlink`. */
  override close(): void {
    if (this.closed) return;
    try {
      if (this.#unlinkOnClose) this.unlink();
    } catch {
      // It has lost its name already.
    }
    super.close();
  }
}
