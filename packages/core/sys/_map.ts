/** Mapping memory: mmap(2). */

import { ERRNO } from "../errno.ts";
import type { IpcError } from "../errors.ts";
import { libc } from "./_libc.ts";
import { checkLength, failed, type MappedRegion, pageSize } from "./_region.ts";
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

const ACCESSES: readonly MappingAccess[] = ["read", "write", "copy-on-write"];
const READ_WRITE = abi.PROT_READ | abi.PROT_WRITE;

/** Maps a part of an open file, after a look at its size. */
export function mapFile(fd: number, options: MapOptions): MappedRegion {
  const { offset = 0, access = "write", target } = options;
  // What is mistyped must not become a mapping that can be written.
  if (!ACCESSES.includes(access)) {
    throw new TypeError(`Cannot map for "${access}": it is "read", "write" or "copy-on-write"`);
  }
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
        `Cannot map ${Math.max(length, 0)} bytes of ${what} from byte ${offset}: it has ${status.size} bytes`,
      );
    }
  }
  const before = offset % pageSize();
  return {
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
    shared: access !== "copy-on-write",
  };
}

/** Maps memory without a name. */
export function mapAnonymous(length: number): MappedRegion {
  checkLength(length);
  const flags = abi.MAP_SHARED | abi.MAP_ANONYMOUS;
  return { pointer: mapMemory(length, READ_WRITE, flags, -1, 0), byteLength: length, anonymous: true };
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

function mapFailure(code: number, target?: string | number): IpcError {
  if (target === undefined) return failure(code, "mmap", "map memory");
  return failure(code, "mmap", typeof target === "number" ? "map descriptor" : "map", target);
}
