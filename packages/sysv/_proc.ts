/** Files of /proc, read through libc: that takes no `--allow-read`. */

import { ERRNO } from "@ipc/core";
import { abi, cString, errno } from "@ipc/core/sys";
import { libc } from "./_libc.ts";

/** The text of a file, or undefined where it cannot be read: /proc is not mounted, or the kernel has no such file. */
export function readProc(path: string): string | undefined {
  const name = cString(path);
  const fd = libc.open(name, abi.O_RDONLY | abi.O_CLOEXEC);
  if (fd === -1) return undefined;
  try {
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(32_768);
    let text = "";
    for (;;) {
      const count = libc.read(fd, buffer, 32_768n);
      if (count === -1 && errno() === ERRNO.EINTR) continue;
      if (count === -1) return undefined;
      if (count === 0) return text;
      text += decoder.decode(buffer.subarray(0, count), { stream: true });
    }
  } finally {
    libc.close(fd);
  }
}
