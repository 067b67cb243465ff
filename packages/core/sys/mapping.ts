/**
 * Mapped memory that can be closed without danger.
 *
 * @module
 */

import { ERRNO } from "../errno.ts";
import { ClosedError, type IpcError } from "../errors.ts";
import { libc } from "./_libc.ts";
import { abi } from "./abi.ts";
import { errno, failure } from "./errno.ts";
import { stat } from "./fd.ts";

/** What may be done with a mapping: `"copy-on-write"` keeps what is written to this process. */
export type MappingAccess = "read" | "write" | "copy-on-write";

/** Which part of a file is mapped, and for what. */
export interface MapOptions {
  /** Bytes, exactly, not rounded to pages; the rest of the file when left out. */
  length?: number | undefined;
  /** Where in the file the mapping begins, in bytes; any number, 0 when left out. */
  offset?: number | undefined;
  /** `"write"` when left out: shared with every process that maps the same file. */
  access?: MappingAccess | undefined;
  /** What errors call the file: its path or name; otherwise the descriptor's number. */
  target?: string | undefined;
}

/** Memory that somebody mapped, as {@linkcode Mapping} takes it over. */
export interface MappedRegion {
  /** Where the memory that the kernel mapped begins. */
  pointer: Deno.PointerObject;
  /** Bytes that the user asked for. */
  byteLength: number;
  /** Bytes between `pointer` and the first of those; 0 when left out. */
  offset?: number | undefined;
  /** Bytes from `pointer` on that the kernel mapped; whole pages as far as needed when left out. */
  span?: number | undefined;
  /** Whether writing would end the process with SIGSEGV; false when left out. */
  readOnly?: boolean | undefined;
  /** Unmaps all of it, `shmdt` for instance; `munmap` when left out. Must not throw. */
  unmap?: ((pointer: Deno.PointerObject) => void) | undefined;
}

const READ_WRITE = abi.PROT_READ | abi.PROT_WRITE;
const { transfer } = ArrayBuffer.prototype;
let page = 0;

/** Bytes of a page of memory. System call: none, libc's `sysconf`. */
export function pageSize(): number {
  return page ||= libc.sysconf(abi._SC_PAGESIZE);
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
  readonly #buffer: ArrayBuffer;
  readonly #pointer: Deno.PointerObject;
  readonly #span: number;
  readonly #unmap: (pointer: Deno.PointerObject) => void;
  #bytes: Uint8Array<ArrayBuffer> | undefined;
  #closed = false;
  #pins = 0;
  /** Zero pages of this object's own are there, for the pins that were held at `close`. */
  #zeroed = false;

  /**
   * Takes mapped memory over, for packages that map it themselves; unmaps it if that fails.
   *
   * Only one Mapping for one region: a second buffer over the same memory would not be detached.
   *
   * @throws {RangeError} if the length is not a positive integer.
   */
  constructor(region: MappedRegion) {
    const { pointer, byteLength, offset = 0 } = region;
    this.#pointer = pointer;
    this.#span = region.span ?? wholePages(offset + byteLength);
    this.#unmap = region.unmap ?? ((start) => void libc.munmap(start, BigInt(this.#span)));
    this.readOnly = region.readOnly ?? false;
    try {
      checkLength(byteLength);
      this.#buffer = Deno.UnsafePointerView.getArrayBuffer(pointer, byteLength, offset) as ArrayBuffer;
    } catch (error) {
      this.#unmap(pointer);
      throw error;
    }
  }

  /**
   * Maps a part of an open file, whose size is checked first: beyond the end, touching memory ends the process.
   *
   * The descriptor may be closed afterwards. System calls: `fstat`, `mmap`.
   *
   * @throws {RangeError} if the part is not inside the file.
   * @throws {PermissionError} if the file was not opened for this access.
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
    const { offset = 0, access = "write", target } = options;
    if (!Number.isSafeInteger(offset) || offset < 0) {
      throw new RangeError(`Cannot map from byte ${offset}: an offset is an integer from 0`);
    }
    if (options.length !== undefined) checkLength(options.length);
    const status = stat(fd);
    const rest = status.size - offset;
    const length = options.length ?? rest;
    if (options.length === undefined || status.type === "file") {
      const what = target === undefined ? `descriptor ${fd}` : `"${target}"`;
      if (length < 1 || length > rest) {
        throw new RangeError(
          `Cannot map ${
            Math.max(length, 0)
          } bytes of ${what} from byte ${offset}: it has ${status.size} bytes`,
        );
      }
    }
    const before = offset % pageSize();
    return new Mapping({
      pointer: mapMemory(
        before + length,
        access === "read" ? abi.PROT_READ : READ_WRITE,
        access === "copy-on-write" ? abi.MAP_PRIVATE : abi.MAP_SHARED,
        fd,
        offset - before,
        target ?? fd,
      ),
      byteLength: length,
      offset: before,
      readOnly: access === "read",
    });
  }

  /**
   * Maps memory without a name, all zero: what is shared are its threads. System call: `mmap`.
   *
   * @throws {RangeError} if the length is not a positive integer.
   * @throws {LimitError} if there is no room for it.
   */
  static anonymous(length: number): Mapping {
    checkLength(length);
    const flags = abi.MAP_SHARED | abi.MAP_ANONYMOUS;
    const pointer = mapMemory(length, READ_WRITE, flags, -1, 0);
    return new Mapping({ pointer, byteLength: length });
  }

  /**
   * The memory; always the same buffer.
   *
   * @throws {ClosedError} after `close`.
   */
  get buffer(): ArrayBuffer {
    this.#checkOpen();
    return this.#buffer;
  }

  /**
   * The memory as bytes; always the same array.
   *
   * @throws {ClosedError} after `close`.
   */
  get bytes(): Uint8Array<ArrayBuffer> {
    this.#checkOpen();
    return this.#bytes ??= new Uint8Array(this.#buffer);
  }

  /** Bytes that were asked for; 0 after `close`. */
  get byteLength(): number {
    return this.#buffer.byteLength;
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
   * @throws {TypeError} if it was mapped for reading.
   * @throws {RangeError} if they do not all fit inside.
   * @throws {ClosedError} after `close`.
   */
  write(offset: number, bytes: Uint8Array): void {
    if (this.readOnly) throw new TypeError("Cannot write into a mapping that is for reading");
    this.#checkRange("write", offset, bytes.byteLength);
    this.bytes.set(bytes, offset);
  }

  /**
   * Keeps the memory from being unmapped while a call that runs on another thread uses it.
   *
   * `close` in the meantime detaches the buffer at once; the addresses stay valid until the last pin is disposed of.
   *
   * @throws {ClosedError} after `close`.
   */
  pin(): Disposable {
    this.#checkOpen();
    this.#pins++;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        if (--this.#pins === 0 && this.#zeroed) libc.munmap(this.#pointer, BigInt(this.#span));
      },
    };
  }
  /** Empties every view and unmaps; calling it again does nothing. System calls: `munmap`, or `mmap` where in use. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#bytes = undefined;
    const transferred = this.#buffer.detached;
    if (!transferred) transfer.call(this.#buffer, 0);
    if (!transferred && this.#pins === 0) return this.#unmap(this.#pointer);
    const flags = abi.MAP_PRIVATE | abi.MAP_ANONYMOUS | abi.MAP_NORESERVE | abi.MAP_FIXED;
    // If even this fails the region stays as it is: a leak, but nobody's crash.
    const pages = libc.mmap(this.#pointer, BigInt(this.#span), READ_WRITE, flags, -1, 0n);
    this.#zeroed = !transferred && !failed(pages);
  }

  /** The same as {@linkcode Mapping.close}. */
  [Symbol.dispose](): void {
    this.close();
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

function checkLength(length: number): void {
  if (!Number.isSafeInteger(length) || length < 1) {
    throw new RangeError(`Cannot map ${length} bytes: a length is an integer from 1`);
  }
}

function wholePages(length: number): number {
  return Math.ceil(length / pageSize()) * pageSize();
}

/**
 * Calls mmap(2) and throws what it says.
 *
 * A pointer is an allocation, so that the collector can run between the call and errno, and leave EAGAIN there:
 * that answer is believed only when it comes three times.
 */
function mapMemory(
  length: number,
  protection: number,
  flags: number,
  fd: number,
  offset: number,
  target?: string | number,
): Deno.PointerObject {
  const size = BigInt(length);
  const from = BigInt(offset);
  for (let attempt = 1;; attempt++) {
    const pointer = libc.mmap(null, size, protection, flags, fd, from);
    const code = errno();
    if (!failed(pointer)) return pointer;
    if (code !== ERRNO.EAGAIN || attempt === 3) throw mapFailure(code, target);
  }
}

/** MAP_FAILED is not null but the last address there is. */
function failed(pointer: Deno.PointerValue): pointer is null {
  return pointer === null || Deno.UnsafePointer.value(pointer) === 2n ** 64n - 1n;
}

function mapFailure(code: number, target?: string | number): IpcError {
  if (target === undefined) return failure(code, "mmap", "map memory");
  return failure(code, "mmap", typeof target === "number" ? "map descriptor" : "map", target);
}
