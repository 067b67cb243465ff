/**
 * Mapped files and shared memory that keep an eye on what they map.
 *
 * @module
 */

import { ClosedError, TruncatedError } from "../errors.ts";
import { mapFile, type MapOptions, type MappingAccess } from "./_map.ts";
import { abi } from "./abi.ts";
import { cString } from "./c_string.ts";
import { check } from "./errno.ts";
import { type FileStatus, OwnedFd, stat } from "./fd.ts";
import { libc } from "./_libc.ts";
import { Mapping } from "./mapping.ts";

/**
 * A part of a file in memory, with a descriptor of the file: what POSIX shared memory, mapped files and memfds are.
 *
 * It owns both until `close`. A file that has become shorter since ends every process that touches what is missing
 * (SIGBUS). So `read` and `write` look at its size first, each time; views of `buffer` have nothing that looks.
 *
 * @example
 * ```ts
 * import { TruncatedError } from "@ipc/core";
 * import { FileMapping, OwnedFd } from "@ipc/core/sys";
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { openSync } from "node:fs";
 *
 * const path = await Deno.makeTempFile();
 * await Deno.writeTextFile(path, "hello");
 * using mapping = new FileMapping(new OwnedFd(openSync(path, "r+")));
 * assertEquals(new TextDecoder().decode(mapping.read(0, 5)), "hello");
 * await Deno.truncate(path, 2);
 * assertThrows(() => mapping.read(0, 5), TruncatedError, "it has 2 bytes now");
 * await Deno.remove(path);
 * ```
 */
export class FileMapping extends Mapping {
  /** For what it was mapped. */
  readonly access: MappingAccess;
  readonly #options: MapOptions;
  readonly #file: OwnedFd;

  /**
   * Maps a part of an open file, and takes its descriptor over unless that fails. System calls: `fstat`, `mmap`.
   *
   * @throws {RangeError} if the part is not inside the file.
   * @throws {PermissionError} if the file was not opened for this access.
   * @throws {TypeError} if there is no such access.
   * @throws {IpcError} if it is a kind of file that cannot be mapped (`ENODEV`).
   */
  constructor(file: OwnedFd, options: MapOptions = {}) {
    super(mapFile(file.fd, options));
    this.access = options.access ?? "write";
    this.#file = file;
    this.#options = options;
  }

  /**
   * The descriptor of the file, which stays this object's.
   *
   * @throws {ClosedError} after `close`.
   */
  get fd(): number {
    if (this.closed) throw new ClosedError("Cannot use a mapping that was closed");
    return this.#file.fd;
  }

  /**
   * Looks at the file, whose size others may have changed. System call: `fstat`.
   *
   * @throws {ClosedError} after `close`.
   */
  stat(): FileStatus {
    return stat(this.fd);
  }

  /**
   * Copies bytes out of the memory. System call: `fstat`.
   *
   * @throws {TruncatedError} if the file no longer has them all.
   * @throws {RangeError} if they are not all inside.
   * @throws {ClosedError} after `close`.
   */
  override read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    this.checkFile("read", offset, length);
    return super.read(offset, length);
  }

  /**
   * Copies bytes into the memory. System call: `fstat`.
   *
   * @throws {TruncatedError} if the file no longer has room for them.
   * @throws {TypeError} if it was mapped for reading, or they are no `Uint8Array`.
   * @throws {RangeError} if they do not all fit inside.
   * @throws {ClosedError} after `close`.
   */
  override write(offset: number, bytes: Uint8Array): void {
    if (bytes instanceof Uint8Array) this.checkFile("write", offset, bytes.byteLength);
    super.write(offset, bytes);
  }

  /**
   * Opens the file once more, for reading and writing. System call: `open`, through /proc.
   *
   * @throws {PermissionError} if its mode does not permit writing.
   * @throws {NotFoundError} if /proc is not mounted.
   * @throws {LimitError} if this process has no descriptor left.
   * @throws {ClosedError} after `close`.
   */
  override openFile(): OwnedFd {
    const path = cString(`/proc/self/fd/${this.fd}`);
    const what = this.#options.target ?? this.fd;
    return new OwnedFd(
      check(libc.open(path, abi.O_RDWR | abi.O_CLOEXEC, 0), "open", "open the file of", what),
    );
  }

  /** Unmaps as `Mapping.close` does, and closes the descriptor. System calls: `munmap`, `close`. */
  override close(): void {
    if (this.closed) return;
    try {
      super.close();
    } finally {
      this.#file.close();
    }
  }

  /**
   * Maps the file again from the same offset on, for subclasses: views of what was mapped become empty.
   *
   * `ready` is called when the new memory is there and the old one still in its place; if it throws nothing changes.
   * System calls: `fstat`, `mmap`, `munmap`.
   *
   * @throws {RangeError} if the part is not inside the file.
   * @throws {ClosedError} after `close`.
   */
  protected remap(length: number | undefined, ready?: () => void): void {
    this.replace(mapFile(this.fd, { ...this.#options, length }), ready);
  }

  /**
   * Checks that the file still has bytes of this memory; for subclasses.
   *
   * @throws {TruncatedError} if it does not.
   * @throws {ClosedError} after `close`.
   */
  protected checkFile(verb: string, offset: number, length: number): void {
    const { size } = this.stat();
    const { offset: start = 0, target } = this.#options;
    // What is not inside the mapping either is no matter of the file's.
    if (!(start + offset + length > size) || offset + length > this.byteLength) return;
    const what = target === undefined ? `descriptor ${this.fd}` : `"${target}"`;
    throw new TruncatedError(
      `Cannot ${verb} ${length} bytes at ${offset} of ${what}: it has ${size} bytes now`,
      {
        target,
        hint: "somebody made it shorter; views of the part that is missing must not be touched",
      },
    );
  }
}
