/** The kernel's limits for POSIX objects. */

import { NotSupportedError, PermissionError } from "@ipc/core";
import { cString } from "@ipc/core/sys";
import { constants, statfs } from "./_abi.ts";
import { libc } from "./_libc.ts";
import { queueSetting } from "./_queue_settings.ts";
import { countedBytes, queueBytesLimit } from "./_queue_failure.ts";
import { type ListedMessageQueue, listMessageQueues } from "./list.ts";

/** The kernel's names of its limits, and the place where shared memory lives. */
export type LimitName =
  | "msg_max"
  | "msg_default"
  | "msgsize_max"
  | "msgsize_default"
  | "queues_max"
  | "RLIMIT_MSGQUEUE"
  | "MQ_PRIO_MAX"
  | "SEM_VALUE_MAX"
  | "/dev/shm";

/** One limit of the kernel for POSIX objects. */
export interface Limit {
  /** The kernel's name for it. */
  readonly name: LimitName;
  /** What it limits, in a few words. */
  readonly meaning: string;
  /** The most there may be; `Infinity`: no limit. */
  readonly limit: number;
  /** What `limit` and `used` count. */
  readonly unit: "messages" | "bytes" | "queues" | "priorities" | "units";
  /** How much of it is in use now; `undefined` where it limits one object, or nothing tells. */
  readonly used: number | undefined;
  /** `used` in percent of `limit`, not rounded; `undefined` where `used` is. */
  readonly percent: number | undefined;
}

/**
 * The kernel's limits for POSIX objects, and how much of them is in use.
 *
 * - `msg_max`, `msgsize_max`, `msg_default`, `msgsize_default` and `queues_max` are of this IPC namespace, and set
 *   under /proc/sys/fs/mqueue. A process with CAP_SYS_RESOURCE may create queues of up to 65,536 messages, and of
 *   messages up to 16 MiB, whatever they say.
 * - RLIMIT_MSGQUEUE is of this process (`ulimit -q`): what all queues of its user may hold if they are full, with 96
 *   bytes for each message beside it. The tenth queue of the default size passes the default, 819,200; the kernel
 *   then says EMFILE.
 * - /dev/shm holds shared memory and named semaphores; `--shm-size` of a container sets it.
 *
 * What is used of the limits for queues is counted where the mqueue file system is mounted, over the queues that have
 * a name and that this user may read. System calls: `getrlimit`, `statfs`, `open`, `read`, and those of
 * `listMessageQueues`.
 *
 * @example
 * ```ts
 * import { limits } from "@ipc/posix";
 * import { assertEquals } from "@std/assert";
 *
 * const most = limits().find(({ name }) => name === "MQ_PRIO_MAX");
 * assertEquals(most?.limit, 32768);
 * ```
 */
export function limits(): Limit[] {
  const queues = knownQueues();
  const limits = [
    limit("msg_max", "messages in one queue", "messages", queueSetting("msg_max")),
    limit(
      "msg_default",
      "messages in a queue whose creator does not say",
      "messages",
      queueSetting("msg_default"),
    ),
    limit("msgsize_max", "bytes in one message", "bytes", queueSetting("msgsize_max")),
    limit(
      "msgsize_default",
      "bytes in a message of a queue whose creator does not say",
      "bytes",
      queueSetting("msgsize_default"),
    ),
    limit("queues_max", "message queues", "queues", queueSetting("queues_max"), queues?.length),
    limit(
      "RLIMIT_MSGQUEUE",
      "bytes in all queues of a user",
      "bytes",
      queueBytesLimit(),
      queues && bytesOfUser(queues),
    ),
    limit("MQ_PRIO_MAX", "priorities of messages", "priorities", constants.MQ_PRIO_MAX),
    limit("SEM_VALUE_MAX", "the value of a semaphore", "units", constants.SEM_VALUE_MAX),
  ];
  const space = sharedMemorySpace();
  if (space !== undefined) {
    limits.push(limit("/dev/shm", "bytes of shared memory and semaphores", "bytes", space.total, space.used));
  }
  return limits;
}

function limit(name: LimitName, meaning: string, unit: Limit["unit"], limit: number, used?: number): Limit {
  const percent = used === undefined ? undefined : limit === 0 ? 100 : used / limit * 100;
  return { name, meaning, limit, unit, used, percent };
}

function knownQueues(): ListedMessageQueue[] | undefined {
  try {
    return listMessageQueues();
  } catch (error) {
    if (error instanceof NotSupportedError || error instanceof PermissionError) return undefined;
    throw error;
  }
}

/** What the kernel counts for queues of the real user of this process. */
function bytesOfUser(queues: readonly ListedMessageQueue[]): number {
  const user = libc.getuid();
  return queues.reduce(
    (sum, { uid, status }) => uid === user && status !== undefined ? sum + countedBytes(status) : sum,
    0,
  );
}

/** How large /dev/shm is, and how much of it is taken; `undefined`: there is none. */
function sharedMemorySpace(): { total: number; used: number } | undefined {
  const view = new DataView(new ArrayBuffer(statfs.size));
  const path = cString("/dev/shm");
  if (libc.statfs(path, view) === -1) return undefined;
  const field = (at: number) => Number(view.getBigUint64(at, true));
  const block = field(statfs.f_bsize);
  const total = field(statfs.f_blocks) * block;
  return { total, used: total - field(statfs.f_bfree) * block };
}
