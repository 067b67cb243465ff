/** Memory that is passed on as a descriptor. */

import { ERRNO, errnoError, type IpcError, UntrustedError } from "@ipc/core";
import {
  abi,
  check,
  cString,
  dupCloexec,
  errno,
  failure,
  type MapOptions,
  OwnedFd,
  stat,
} from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import { libc } from "./_libc.ts";
import { FileWindow } from "./file_window.ts";

/**
 * What can be ruled out for a memfd, for all who have it and for good:
 *
 * - `"shrink"` and `"grow"`: that it changes its size. Memory that cannot shrink cannot be missing when it is touched;
 * - `"write"`: that anybody writes, the sealer too. Possible only when no writable mapping is left;
 * - `"future-write"`: the same, but for mappings that exist already, which go on writing: one writes, all others read;
 * - `"exec"`: that it becomes a program; set from the beginning where the kernel can;
 * - `"seal"`: that anything more is ruled out.
 */
export type Seal = "shrink" | "grow" | "write" | "future-write" | "exec" | "seal";

/** What a memfd must be to be taken. */
export interface MemfdRequirements {
  /** What must be ruled out: `["shrink"]` unless told. */
  seals?: readonly Seal[] | undefined;
  /** Bytes that it must have at least; 1 unless told. */
  size?: number | undefined;
  /** What errors call it. */
  name?: string | undefined;
}

const SEALS: Readonly<Record<Seal, number>> = {
  "shrink": abi.F_SEAL_SHRINK,
  "grow": abi.F_SEAL_GROW,
  "write": abi.F_SEAL_WRITE,
  "future-write": abi.F_SEAL_FUTURE_WRITE,
  "exec": constants.F_SEAL_EXEC,
  "seal": abi.F_SEAL_SEAL,
};

/** What {@linkcode Memfd.map} maps, and for what. */
export type MemfdMapOptions = Omit<MapOptions, "target">;

/**
 * Memory that has no name and no file, but a descriptor: whoever is given that maps the same memory.
 *
 * It owns the descriptor until `close`; the memory goes with the last descriptor and mapping of it, so nothing is left
 * behind however its users end. `createMemfd` makes one. A descriptor is passed on to a child that inherits it, over a
 * unix socket (SCM_RIGHTS), or is opened as `/proc/PID/fd/N` by a process of the same user.
 *
 * What keeps others from writing: a receiver of {@linkcode Memfd.openReadOnly} maps only for reading, but one of the
 * same user, or root, can open `/proc/self/fd/N` for writing. The seal `"future-write"` stops everybody, and only the
 * mappings that exist go on; `"write"` stops those too.
 *
 * Needs `--allow-ffi` without a path: under a scoped permission memory cannot be viewed.
 *
 * @example
 * ```ts
 * import { createMemfd, Memfd } from "@ipc/mmap";
 * import { dupCloexec, OwnedFd } from "@ipc/core/sys";
 * import { assertEquals } from "@std/assert";
 *
 * using memory = createMemfd("frames", 4096);
 * using writer = memory.map();
 * writer.write(0, new TextEncoder().encode("hello"));
 *
 * const received = new OwnedFd(dupCloexec(memory.fd)); // In another process, as a rule.
 * using same = new Memfd(received, { seals: ["shrink"], size: 5 });
 * using reader = same.map({ access: "read" });
 * assertEquals(new TextDecoder().decode(reader.read(0, 5)), "hello");
 * ```
 */
export class Memfd implements Disposable {
  readonly #file: OwnedFd;
  readonly #path: string;

  /**
   * Takes over a memfd that came from somebody else, unless it is not what it must be.
   *
   * Without the seal `"shrink"` the other side can end this process at any time. System calls: `fcntl`, `fstat`.
   *
   * @throws {RangeError} if it has fewer than `size` bytes, or `size` is not an integer from 1.
   * @throws {UntrustedError} if it is no memfd, or one of the seals is missing.
   */
  constructor(file: OwnedFd, { seals = ["shrink"], size = 1, name }: MemfdRequirements = {}) {
    this.#file = file;
    this.#path = name === undefined ? `/proc/self/fd/${file.fd}` : `memfd:${name}`;
    // What is no number would be larger than no memfd.
    if (!(Number.isSafeInteger(size) && size >= 1)) {
      throw new RangeError(`Cannot open memfd "${this.#path}" of ${size} bytes: a size is an integer from 1`);
    }
    const missing = bitsOf(seals) & ~this.#sealBits();
    if (missing !== 0) {
      const names = namesOf(missing).map((seal) => `"${seal}"`).join(" and ");
      throw new UntrustedError(`Cannot open memfd "${this.#path}": it is not sealed against ${names}`, {
        target: this.#path,
        hint: "whoever made it has to seal it before it is passed on",
      });
    }
    if (this.size < size) {
      throw new RangeError(`Cannot open memfd "${this.#path}": it has ${this.size} bytes, not ${size}`);
    }
  }

  /**
   * The descriptor, close-on-exec, which stays this object's: to be passed on.
   *
   * @throws {ClosedError} after `close`.
   */
  get fd(): number {
    return this.#file.fd;
  }

  /**
   * Bytes that it has. System call: `fstat`.
   *
   * @throws {ClosedError} after `close`.
   */
  get size(): number {
    return stat(this.fd).size;
  }

  /**
   * What is ruled out. System call: `fcntl`.
   *
   * @throws {ClosedError} after `close`.
   */
  get seals(): Seal[] {
    return namesOf(this.#sealBits());
  }

  /**
   * Rules something out, for everybody and for good. System call: `fcntl`.
   *
   * @throws {IpcError} with code `EBUSY` if writing is to be ruled out, and a mapping for it is left; `EINVAL` if the
   *   kernel is too old for the seal.
   * @throws {PermissionError} if sealing was ruled out, or the descriptor is for reading.
   * @throws {ClosedError} after `close`.
   *
   * @example
   * ```ts
   * import { createMemfd } from "@ipc/mmap";
   * import { assertEquals, assertThrows } from "@std/assert";
   *
   * using memory = createMemfd("table", 100);
   * using writer = memory.map();
   * memory.seal("future-write", "seal");
   * writer.bytes[0] = 1; // still writes, and nobody else ever will
   * assertThrows(() => memory.map(), Error, "not permitted");
   * using reader = memory.map({ access: "read" });
   * assertEquals(reader.bytes[0], 1);
   * ```
   */
  seal(...seals: Seal[]): void {
    const bits = bitsOf(seals);
    if (libc.fcntl(this.fd, abi.F_ADD_SEALS, bits) === -1) throw sealFailure(errno(), this.#path);
  }

  /**
   * Maps it, or a part of it; for writing unless told. System calls: `fcntl`, `fstat`, `mmap`.
   *
   * @throws {PermissionError} if that is ruled out, or the descriptor is for reading.
   * @throws {TypeError} if there is no such access.
   * @throws {RangeError} if the part is not inside.
   * @throws {ClosedError} after `close`.
   *
   * @example
   * ```ts
   * import { createMemfd } from "@ipc/mmap";
   * import { assertEquals } from "@std/assert";
   *
   * using memory = createMemfd("frames", 10_000);
   * using writer = memory.map();
   * using reader = memory.map({ access: "read", offset: 5000, length: 100 });
   * writer.bytes[5000] = 7;
   * assertEquals([reader.bytes[0], reader.byteLength], [7, 100]);
   * ```
   */
  map({ access = "write", offset, length }: MemfdMapOptions = {}): FileWindow {
    // Before Linux 6.7 what is sealed against writing is mapped by nobody who could write.
    const sealed = access === "read" && this.seals.includes("write");
    const file = sealed ? this.openReadOnly() : new OwnedFd(dupCloexec(this.fd));
    try {
      return new FileWindow(this.#path, file, { access, offset, length });
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /**
   * Another descriptor of it that is only for reading, to be passed on to who shall not write; it is the caller's to
   * close. Who gets it can map it with `new Memfd(…).map({ access: "read" })`. System call: `open`, through /proc.
   *
   * @throws {LimitError} if this process has no descriptor left.
   * @throws {NotFoundError} if /proc is not mounted.
   * @throws {ClosedError} after `close`.
   *
   * @example
   * ```ts
   * import { PermissionError } from "@ipc/core";
   * import { createMemfd, Memfd } from "@ipc/mmap";
   * import { assertThrows } from "@std/assert";
   *
   * using memory = createMemfd("table", 100);
   * using given = new Memfd(memory.openReadOnly()); // in another process, as a rule
   * given.map({ access: "read" }).close();
   * assertThrows(() => given.map(), PermissionError);
   * ```
   */
  openReadOnly(): OwnedFd {
    const path = cString(`/proc/self/fd/${this.fd}`);
    return new OwnedFd(check(libc.open(path, abi.O_RDONLY | abi.O_CLOEXEC, 0), "open", "open", this.#path));
  }

  /** Closes the descriptor; mappings stay. Calling it again does nothing. System call: `close`. */
  close(): void {
    this.#file.close();
  }

  /** The same as {@linkcode Memfd.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  #sealBits(): number {
    const bits = libc.fcntl(this.fd, abi.F_GET_SEALS, 0);
    if (bits !== -1) return bits;
    const code = errno();
    if (code !== ERRNO.EINVAL) throw failure(code, "fcntl", "read the seals of", this.#path);
    throw new UntrustedError(`Cannot open memfd "${this.#path}": it is no memfd`, { target: this.#path });
  }
}

function bitsOf(seals: readonly Seal[]): number {
  return seals.reduce((bits, seal) => {
    if (Object.hasOwn(SEALS, seal)) return bits | SEALS[seal];
    throw new TypeError(`Cannot seal against "${seal}": there is no such seal`);
  }, 0);
}

function namesOf(bits: number): Seal[] {
  return (Object.keys(SEALS) as Seal[]).filter((seal) => bits & SEALS[seal]);
}

function sealFailure(code: number, path: string): IpcError {
  const hints: Record<number, string> = {
    [ERRNO.EBUSY]: 'close every mapping for writing first, or seal against "future-write"',
    [ERRNO.EPERM]: "it was sealed for good, or the descriptor is for reading",
    [ERRNO.EINVAL]: "the kernel is too old for this seal, or sealing was not permitted when it was made",
  };
  return errnoError(code, { syscall: "fcntl", action: `seal "${path}"`, target: path, hint: hints[code] });
}
