/** Mapped memory with its one buffer, from the call that mapped it until it is given back. */

import { libc } from "./_libc.ts";
import { abi } from "./abi.ts";

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
  /** Whether what is written is seen by all who map the same; true when left out. */
  shared?: boolean | undefined;
  /** Whether there is no object behind it that others could map too; false when left out. */
  anonymous?: boolean | undefined;
  /** Unmaps all of it, `shmdt` for instance; `munmap` when left out. Must not throw. */
  unmap?: ((pointer: Deno.PointerObject) => void) | undefined;
}

const { transfer } = ArrayBuffer.prototype;
let page = 0;

/** Bytes of a page of memory. System call: none, libc's `sysconf`. */
export function pageSize(): number {
  return page ||= libc.sysconf(abi._SC_PAGESIZE);
}

/** Owns a region. */
export class Region {
  readonly buffer: ArrayBuffer;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly pointer: Deno.PointerObject;
  /** Bytes between `pointer` and the buffer's first. */
  readonly offset: number;
  readonly readOnly: boolean;
  readonly shared: boolean;
  readonly anonymous: boolean;
  readonly #span: number;
  readonly #unmap: (pointer: Deno.PointerObject) => void;
  #pins = 0;
  /** What is to be done when nobody holds a pin any more. */
  #unpinned: (() => void) | undefined;

  /** Unmaps the region if it cannot be taken over. */
  constructor(region: MappedRegion) {
    const { pointer, byteLength, offset = 0, span, readOnly = false, shared = true, anonymous = false } =
      region;
    const { unmap } = region;
    this.pointer = pointer;
    this.offset = offset;
    this.readOnly = readOnly;
    this.shared = shared;
    this.anonymous = anonymous;
    this.#span = span ?? Math.ceil((offset + byteLength) / pageSize()) * pageSize();
    this.#unmap = unmap ?? ((start) => void libc.munmap(start, BigInt(this.#span)));
    try {
      checkLength(byteLength);
      this.buffer = Deno.UnsafePointerView.getArrayBuffer(pointer, byteLength, offset) as ArrayBuffer;
      this.bytes = new Uint8Array(this.buffer);
    } catch (error) {
      this.#unmap(pointer);
      throw error;
    }
  }

  /** Keeps the addresses valid until the pin is disposed of. */
  pin(): Disposable {
    this.#pins++;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        if (--this.#pins === 0) this.#unpinned?.();
      },
    };
  }

  /**
   * Empties every view and, once nobody holds a pin, unmaps: until then the first `kept` bytes are what they were, as
   * far as whole pages go, and the rest, which may be gone from the file, is zero pages.
   */
  leave(kept: number): void {
    if (this.#pins === 0) return this.close();
    // What was transferred away is somebody's view still.
    const transferred = this.buffer.detached;
    if (!transferred) transfer.call(this.buffer, 0);
    this.#zero(Math.ceil((this.offset + kept) / pageSize()) * pageSize());
    this.#unpinned = () => transferred ? this.close() : this.#unmap(this.pointer);
  }

  /** Empties every view and unmaps, or puts zero pages there while somebody holds a pin; to be called once. */
  close(): void {
    const transferred = this.buffer.detached;
    if (!transferred) transfer.call(this.buffer, 0);
    if (!transferred && this.#pins === 0) return this.#unmap(this.pointer);
    // If even this fails the region stays as it is: a leak, but nobody's crash.
    if (!this.#zero(0) || transferred) return;
    this.#unpinned = () => void libc.munmap(this.pointer, BigInt(this.#span));
  }

  /** Puts zero pages of this process's own in the place of those from byte `from` of the region on. */
  #zero(from: number): boolean {
    if (from >= this.#span) return true;
    const flags = abi.MAP_PRIVATE | abi.MAP_ANONYMOUS | abi.MAP_NORESERVE | abi.MAP_FIXED;
    const access = abi.PROT_READ | abi.PROT_WRITE;
    const start = Deno.UnsafePointer.offset(this.pointer, from);
    return !failed(libc.mmap(start, BigInt(this.#span - from), access, flags, -1, 0n));
  }
}

/** Whether bytes can be mapped at all. */
export function checkLength(length: number): void {
  if (!Number.isSafeInteger(length) || length < 1) {
    throw new RangeError(`Cannot map ${length} bytes: a length is an integer from 1`);
  }
}

/** MAP_FAILED is not null but the last address there is. */
export function failed(pointer: Deno.PointerValue): pointer is null {
  return pointer === null || Deno.UnsafePointer.value(pointer) === 2n ** 64n - 1n;
}
