/**
 * Files of /proc.
 *
 * @module
 */

import { ERRNO } from "../errno.ts";
import { libc } from "./_libc.ts";
import { abi } from "./abi.ts";
import { cString } from "./c_string.ts";
import { errno } from "./errno.ts";

/**
 * The text of a file, read through libc, which takes no `--allow-read`; `undefined` where it cannot be read: /proc
 * is not mounted, or the kernel has no such file.
 *
 * System calls: `open`, `read`, `close`.
 *
 * @example
 * ```ts
 * import { readProc } from "@ipc/core/sys";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(readProc("/proc/sys/kernel/ostype"), "Linux\n");
 * assertEquals(readProc("/proc/no/such/file"), undefined);
 * ```
 */
export function readProc(path: string): string | undefined {
  const name = cString(path);
  const fd = libc.open(name, abi.O_RDONLY | abi.O_CLOEXEC, 0);
  if (fd === -1) return undefined;
  try {
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(16_384);
    let text = "";
    for (;;) {
      const count = libc.read(fd, buffer, 16_384n);
      if (count === -1 && errno() === ERRNO.EINTR) continue;
      if (count === -1) return undefined;
      if (count === 0) return text;
      text += decoder.decode(buffer.subarray(0, count), { stream: true });
    }
  } finally {
    libc.close(fd);
  }
}
