/**
 * Mapped memory that can be closed without danger.
 *
 * @module
 */

import { ClosedError, NotSupportedError } from "../errors.ts";
import { mapAnonymous, mapFile, type MapOptions } from "./_map.ts";
import { type MappedRegion, pageSize, Region } from "./_region.ts";
import type { OwnedFd } from "./fd.ts";

export type { MapOptions, MappingAccess } from "./_map.ts";
export { type MappedRegion, pageSize } from "./_region.ts";

/** Whole pages of memory, for calls such as msync(2). */
export interface Pages {
  /** Where the first begins. */
  pointer: Deno.PointerObject;
  /** Bytes from there; the kernel rounds them up. */
  byteLength: number;
}

/**
 * One region of mapped memory: a file, shared memory of either kind, or memory without a name.
 *
 * It owns the region and the one `ArrayBuffer` over it, from construction until {@linkcode Mapping.close}. Closing
 * first detaches the buffer, so that every view that is still held becomes empty, and then unmaps: use after
 * close is an error, never a crash. Where the buffer was transferred away, or is pinned, private zero pages take
 * the region's place instead.
 *
 * Words that other processes write too are to be read and written through `Atomics`. Needs `--allow-ffi` without
 * a path: under a scoped permission memory cannot be viewed.
 *
 * @example
 * ```ts
 * import { Mapping } from "@ipc/core/sys";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const mapping = Mapping.anonymous(100);
 * const words = new Int32Array(mapping.buffer, 0, 4);
 * assertEquals(Atomics.add(words, 0, 7), 0);
 * mapping.close();
 * assertEquals(words.length, 0);
 * assertThrows(() => Atomics.load(words, 0));
 * ```
 */
export class Mapping implements Disposable {
  /** Whether writing into the memory would end the process with SIGSEGV. */
  readonly readOnly: boolean;
  /** Whether what is written is seen by all who map the same: with `"copy-on-write"` it is this mapping's own. */
  readonly shared: boolean;
  #region: Region;
  #closed = false;
  readonly #closing = new Set<() => void>();

  /**
   * Takes mapped memory over, for packages that map it themselves; unmaps it if that fails.
   *
   * Only one Mapping for one region: a second buffer over the same memory would not be detached.
   *
   * @throws {RangeError} if the length is not a positive integer.
   */
  constructor(region: MappedRegion) {
    this.#region = new Region(region);
    this.readOnly = this.#region.readOnly;
    this.shared = this.#region.shared;
  }

  /**
   * Maps a part of an open file, whose size is checked first: beyond the end, touching memory ends the process.
   *
   * The descriptor may be closed afterwards; so there is no `openFile`, as {@linkcode FileMapping} has it, and no
   * lock of `@ipc/sync` in the memory. System calls: `fstat`, `mmap`.
   *
   * @throws {RangeError} if the part is not inside the file.
   * @throws {PermissionError} if the file was not opened for this access.
   * @throws {TypeError} if there is no such access.
   * @throws {IpcError} if it is a kind of file that cannot be mapped (`ENODEV`).
   *
   * @example
   * ```ts
   * import { dupCloexec, Mapping, OwnedFd } from "@ipc/core/sys";
   * import { assertThrows } from "@std/assert";
   *
   * using fd = new OwnedFd(dupCloexec(0));
   * assertThrows(() => Mapping.map(fd.fd, { offset: -1 }), RangeError);
   * ```
   */
  static map(fd: number, options: MapOptions = {}): Mapping {
    return new Mapping(mapFile(fd, options));
  }

  /**
   * Maps memory without a name, all zero: what is shared are its threads. System call: `mmap`.
   *
   * @throws {RangeError} if the length is not a positive integer.
   * @throws {LimitError} if there is no room for it.
   */
  static anonymous(length: number): Mapping {
    return new Mapping(mapAnonymous(length));
  }

  /**
   * The memory; always the same buffer, unless a subclass changes its size.
   *
   * @throws {ClosedError} after `close`.
   */
  get buffer(): ArrayBuffer {
    this.#checkOpen();
    return this.#region.buffer;
  }

  /**
   * The memory as bytes; always the same array, unless a subclass changes its size.
   *
   * @throws {ClosedError} after `close`.
   */
  get bytes(): Uint8Array<ArrayBuffer> {
    this.#checkOpen();
    return this.#region.bytes;
  }

  /** Bytes that were asked for; 0 after `close`. */
  get byteLength(): number {
    return this.#region.buffer.byteLength;
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Copies bytes out of the memory.
   *
   * @throws {RangeError} if they are not all inside.
   * @throws {ClosedError} after `close`.
   */
  read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    this.#checkRange("read", offset, length);
    return this.bytes.slice(offset, offset + length);
  }

  /**
   * Copies bytes into the memory.
   *
   * @throws {TypeError} if it was mapped for reading, or they are no `Uint8Array`.
   * @throws {RangeError} if they do not all fit inside.
   * @throws {ClosedError} after `close`.
   */
  write(offset: number, bytes: Uint8Array): void {
    if (this.readOnly) throw new TypeError("Cannot write into a mapping that is for reading");
    // Of another view `set` would convert the numbers, and copy no bytes.
    if (!(bytes instanceof Uint8Array)) {
      throw new TypeError("Cannot write what is no Uint8Array into a mapping: make one of its buffer");
    }
    this.#checkRange("write", offset, bytes.byteLength);
    this.bytes.set(bytes, offset);
  }

  /**
   * Keeps the memory from being unmapped while a call that runs on another thread uses it.
   *
   * `close` in the meantime detaches the buffer at once; the addresses stay valid until the last pin is disposed of.
   * So they do, with the same memory, where a subclass puts other memory in its place.
   *
   * @throws {ClosedError} after `close`.
   */
  pin(): Disposable {
    this.#checkOpen();
    return this.#region.pin();
  }

  /**
   * Calls `done` once when the mapping is about to be closed, while the memory is still there; returns what takes
   * that back. For what lives in the memory: locks are given back, waits ended.
   *
   * What `done` throws `close` throws in the end, after everything else was done.
   *
   * @throws {ClosedError} after `close`.
   */
  onClose(done: () => void): () => void {
    this.#checkOpen();
    this.#closing.add(done);
    return () => void this.#closing.delete(done);
  }

  /**
   * Opens the object behind the memory once more, for reading and writing and with an open file description of its
   * own, so that locks taken through it belong to nobody else; the caller owns it.
   *
   * `undefined`: there is none, and the memory is this thread's alone.
   *
   * @throws {NotSupportedError} if there is one, but the mapping has kept nothing to open it by: it was made by
   *   {@linkcode Mapping.map}.
   * @throws {PermissionError} if it may not be opened for writing.
   * @throws {ClosedError} after `close`.
   */
  openFile(): OwnedFd | undefined {
    this.#checkOpen();
    if (this.#region.anonymous) return undefined;
    throw new NotSupportedError("Cannot open what is behind a mapping: it has kept no descriptor of it", {
      hint: "map it by what keeps one: MappedFile, Memfd or SharedMemory, and FileMapping in core",
    });
  }

  /** Empties every view and unmaps; calling it again does nothing. System calls: `munmap`, or `mmap` where in use. */
  close(): void {
    if (this.#closed) return;
    const closing = [...this.#closing];
    this.#closing.clear();
    const errors: unknown[] = [];
    for (const done of closing) {
      try {
        done();
      } catch (error) {
        errors.push(error);
      }
    }
    if (this.#closed) return;
    this.#closed = true;
    this.#region.close();
    if (errors.length > 0) throw errors[0];
  }

  /** The same as {@linkcode Mapping.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Puts other memory in the place of this, for subclasses whose object can change its size: views of what was here
   * become empty, as after `close`.
   *
   * `ready` is called when all that can fail here has been done; if it throws nothing changes.
   *
   * @throws {ClosedError} after `close`.
   */
  protected replace(region: MappedRegion, ready?: () => void): void {
    const next = new Region(region);
    try {
      ready?.();
      this.#checkOpen();
    } catch (error) {
      next.close();
      throw error;
    }
    const last = this.#region;
    this.#region = next;
    last.leave(next.bytes.byteLength);
  }

  /**
   * The whole pages that hold bytes of this memory; for subclasses, and until `close`.
   *
   * @throws {RangeError} if the bytes are not all inside.
   * @throws {ClosedError} after `close`.
   */
  protected pages(offset: number, length: number): Pages {
    this.#checkRange("use", offset, length);
    const from = this.#region.offset + offset;
    const start = from - from % pageSize();
    return {
      pointer: Deno.UnsafePointer.offset(this.#region.pointer, start)!,
      byteLength: from + length - start,
    };
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError("Cannot use a mapping that was closed");
  }

  #checkRange(verb: string, offset: number, length: number): void {
    this.#checkOpen();
    const inside = Number.isInteger(offset) && Number.isInteger(length) && offset >= 0 && length >= 0 &&
      offset + length <= this.byteLength;
    if (inside) return;
    throw new RangeError(
      `Cannot ${verb} ${length} bytes at ${offset}: the mapping has ${this.byteLength} bytes`,
    );
  }
}
