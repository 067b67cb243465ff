/** The limits of queues that sysctl(8) sets. */

import { readProc } from "@ipc/core/sys";

/** Their values where nobody has set them. */
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
