/** Making a memfd. */

import { ERRNO, errnoError } from "@ipc/core";
import { abi, cString, errno, failure, OwnedFd, reserve } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import { libc } from "./_libc.ts";
import { Memfd, type Seal } from "./memfd.ts";

/** How a memfd is created. */
export interface MemfdOptions {
  /** What is ruled out from the beginning; `["shrink", "grow"]` unless told. */
  seals?: readonly Seal[] | undefined;
}

const SYS_memfd_create = BigInt(abi.SYS_memfd_create);
/** Bytes of a name. */
const LONGEST = 249;

/**
 * Makes memory of `size` bytes, all zero, that is shared by passing its descriptor on.
 *
 * The name is what `/proc/PID/maps` shows, and finds nothing. Memory is set aside for all of it, and a process that
 * may not use the descriptor may not open it through /proc either: its mode is 0600. System calls: `memfd_create`,
 * `fchmod`, `fallocate`, `fcntl`.
 *
 * @throws {LimitError} if there is no memory, or no descriptor is left.
 * @throws {RangeError} if `size` is not an integer from 1.
 * @throws {TypeError} if the name is no string, longer than 249 bytes, or has a NUL.
 *
 * @example
 * ```ts
 * import { createMemfd } from "@ipc/mmap";
 * import { assertEquals } from "@std/assert";
 *
 * using memory = createMemfd("frames", 1_000_000);
 * using frames = memory.map();
 * frames.bytes[999_999] = 7;
 * assertEquals(memory.seals.includes("shrink"), true);
 * ```
 */
export function createMemfd(name: string, size: number, options: MemfdOptions = {}): Memfd {
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new RangeError(`Cannot create memfd of ${size} bytes: a size is an integer from 1`);
  }
  if (typeof name !== "string") throw new TypeError(`Cannot create memfd ${name}: its name is no string`);
  const { length } = new TextEncoder().encode(name);
  if (length > LONGEST) {
    throw new TypeError(`Cannot create memfd: its name has ${length} bytes, the limit is ${LONGEST}`);
  }
  const file = new OwnedFd(openNew(name));
  try {
    if (libc.fchmod(file.fd, 0o600) === -1) throw failure(errno(), "fchmod", "set the mode of memfd", name);
    const code = reserve(file.fd, 0, size);
    if (code !== 0) {
      throw errnoError(code, {
        syscall: "posix_fallocate",
        action: `make room for ${size} bytes in memfd "${name}"`,
        target: name,
      });
    }
    const memfd = new Memfd(file, { name, seals: [] });
    memfd.seal(...options.seals ?? ["shrink", "grow"]);
    return memfd;
  } catch (error) {
    file.close();
    throw error;
  }
}

function openNew(name: string): number {
  const text = cString(name);
  const flags = abi.MFD_CLOEXEC | abi.MFD_ALLOW_SEALING;
  const fd = libc.memfd_create(SYS_memfd_create, text, flags | constants.MFD_NOEXEC_SEAL);
  if (fd !== -1) return fd;
  const code = errno();
  if (code !== ERRNO.EINVAL) throw failure(code, "memfd_create", "create memfd", name);
  // An older kernel knows nothing of programs in memfds.
  const again = libc.memfd_create(SYS_memfd_create, text, flags);
  if (again !== -1) return again;
  throw failure(errno(), "memfd_create", "create memfd", name);
}
