/**
 * Room for files, on the disk or in memory, before somebody needs it.
 *
 * @module
 */

import { ERRNO } from "../errno.ts";
import { libc } from "./_libc.ts";
import { abi } from "./abi.ts";
import { stat } from "./fd.ts";
import { readProc } from "./proc.ts";

/** `struct statfs`, whose first member, `f_type`, says what kind of file system it is. */
const statfs = new Uint32Array(30);

/**
 * Sets room aside for bytes of an open file, which is as long as that afterwards, or longer; returns the errno, or 0.
 *
 * What is set aside can be touched when it is mapped: without, a full disk or a full /dev/shm ends whoever does
 * (SIGBUS). In memory no more is set aside than is available now (`ENOMEM`): the kernel would set out to do it, and
 * end processes, anybody's, to have it. System calls: `fallocate`; `fstatfs` and a look at /proc/meminfo.
 *
 * @example
 * ```ts
 * import { OwnedFd, reserve, stat } from "@ipc/core/sys";
 * import { assertEquals } from "@std/assert";
 * import { openSync } from "node:fs";
 *
 * const path = await Deno.makeTempFile();
 * using file = new OwnedFd(openSync(path, "r+"));
 * assertEquals(reserve(file.fd, 0, 10_000), 0);
 * assertEquals(stat(file.fd).size, 10_000);
 * await Deno.remove(path);
 * ```
 */
export function reserve(fd: number, offset: number, length: number): number {
  if (inMemory(fd) && missing(fd, offset, length) > availableMemory()) return ERRNO.ENOMEM;
  const from = BigInt(offset);
  const bytes = BigInt(length);
  for (;;) {
    const code = libc.posix_fallocate(fd, from, bytes);
    if (code !== ERRNO.EINTR) return code;
  }
}

function inMemory(fd: number): boolean {
  return libc.fstatfs(fd, statfs) === 0 && statfs[0] === abi.TMPFS_MAGIC;
}

/** Bytes that have no memory yet; of those that the file has already, as few as it can be. */
function missing(fd: number, offset: number, length: number): number {
  const { size, allocated } = stat(fd);
  return offset >= size ? length : Math.max(0, length - allocated);
}

/** Bytes that processes can still have, with what the kernel can let go of for them; `Infinity` where it does not tell. */
function availableMemory(): number {
  const text = readProc("/proc/meminfo") ?? "";
  const [memory, swap] = ["MemAvailable", "SwapFree"].map((name) =>
    new RegExp(`^${name}: *(\\d+) kB$`, "m").exec(text)?.[1]
  );
  return memory === undefined ? Infinity : (Number(memory) + Number(swap ?? 0)) * 1024;
}
