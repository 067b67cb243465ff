/** Files of /proc, read through libc: that takes no `--allow-read`. */

import { ERRNO } from "@ipc/core";
import { abi, cString, errno } from "@ipc/core/sys";
import { libc } from "./_libc.ts";

/** The text of a file, or undefined where it cannot be read: /proc is not mounted, or the kernel has no such file. */
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

/** The limits of queues that can be set with sysctl(8), and their values where nobody has. */
const QUEUE_SETTINGS = {
  msg_max: 10,
  msg_default: 10,
  msgsize_max: 8192,
  msgsize_default: 8192,
  queues_max: 256,
} as const;

/** The name of one of them. */
export type QueueSetting = keyof typeof QUEUE_SETTINGS;

/** One of them: what it is now, or where that cannot be read what it is unless somebody has set it. */
export function queueSetting(name: QueueSetting): number {
  const text = readProc(`/proc/sys/fs/mqueue/${name}`);
  return text === undefined ? QUEUE_SETTINGS[name] : Number(text);
}
