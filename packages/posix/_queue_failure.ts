/** What the errors of queues mean: the kernel's limits for them hide behind errors of another name. */

import { ERRNO, errnoError, errnoName, type IpcError, LimitError } from "@ipc/core";
import { abi, check, cString } from "@ipc/core/sys";
import { own, rlimit } from "./_abi.ts";
import { libc } from "./_libc.ts";
import { queueSetting } from "./_queue_settings.ts";

/** How large a queue is. */
export interface QueueSize {
  /** The most messages. */
  readonly maxMessages: number;
  /** The longest message in bytes. */
  readonly maxMessageSize: number;
}

/** Beyond these not even a privileged process may go: HARD_MSGMAX and HARD_MSGSIZEMAX of the kernel. */
const HARD: QueueSize = { maxMessages: 65_536, maxMessageSize: 16 * 1024 * 1024 };

/** What the kernel counts for each message beside its bytes: `struct msg_msg` and a node of its tree. */
const BYTES_BESIDE = 96;

/** The error of a call on a queue. */
export function queueFailure(code: number, syscall: string, verb: string, name: string): IpcError {
  return errnoError(code, {
    syscall,
    action: `${verb} message queue "${name}"`,
    target: name,
    object: "message queue",
  });
}

/** The error of creating a queue, of the kernel's own size where none was asked for. */
export function createFailure(code: number, name: string, size: QueueSize | null): IpcError {
  const { maxMessages, maxMessageSize } = size ?? defaultSize();
  const limit = (reason: string, hint: string) =>
    new LimitError(`Cannot create message queue "${name}": ${reason}`, {
      code: errnoName(code),
      errno: code,
      syscall: "mq_open",
      target: name,
      hint,
    });
  if (code === ERRNO.EINVAL || code === ERRNO.EOVERFLOW) {
    return limit(...tooLarge({ maxMessages, maxMessageSize }));
  }
  if (code === ERRNO.EMFILE && descriptorsAreLeft()) {
    return limit(
      `with its ${
        countedBytes({ maxMessages, maxMessageSize })
      } bytes this user's queues would pass RLIMIT_MSGQUEUE, ${queueBytesLimit()}`,
      "unlink queues that nobody uses, make this one smaller (maxMessages, maxMessageSize), or raise the limit " +
        "(ulimit -q); open files have nothing to do with it",
    );
  }
  if (code === ERRNO.ENOSPC) {
    return limit(
      `there are ${queueSetting("queues_max")} queues already (queues_max)`,
      "unlink queues that nobody uses, or raise the limit (sysctl fs.mqueue.queues_max)",
    );
  }
  return queueFailure(code, "mq_open", "create", name);
}

/** The size of a queue for which none was asked. */
export function defaultSize(): QueueSize {
  return {
    maxMessages: Math.min(queueSetting("msg_default"), queueSetting("msg_max")),
    maxMessageSize: Math.min(queueSetting("msgsize_default"), queueSetting("msgsize_max")),
  };
}

/** What the kernel counts against RLIMIT_MSGQUEUE for a queue, in bytes. */
export function countedBytes({ maxMessages, maxMessageSize }: QueueSize): number {
  return maxMessages * (maxMessageSize + BYTES_BESIDE);
}

/** RLIMIT_MSGQUEUE of this process, in bytes; `Infinity`: none. */
export function queueBytesLimit(): number {
  const view = new DataView(new ArrayBuffer(rlimit.size));
  check(libc.getrlimit(own.RLIMIT_MSGQUEUE, view), "getrlimit", "read RLIMIT_MSGQUEUE");
  const limit = view.getBigUint64(rlimit.rlim_cur, true);
  return limit === 2n ** 64n - 1n ? Infinity : Number(limit);
}

/** Which of the two sizes is too large, and what to do about it. */
function tooLarge(size: QueueSize): [reason: string, hint: string] {
  for (const [option, setting] of [["maxMessages", "msg_max"], ["maxMessageSize", "msgsize_max"]] as const) {
    const asked = size[option];
    if (asked > HARD[option]) {
      return [`${option} is ${asked}, and the kernel takes no more than ${HARD[option]}`, "ask for less"];
    }
    const most = queueSetting(setting);
    if (asked > most) {
      return [
        `${option} is ${asked}, the limit is ${most} (${setting})`,
        `ask for less, or raise the limit (sysctl fs.mqueue.${setting})`,
      ];
    }
  }
  return ["the kernel refuses its size", "ask for smaller maxMessages or maxMessageSize"];
}

/** Whether EMFILE was not about open files. */
function descriptorsAreLeft(): boolean {
  const path = cString("/");
  const fd = libc.open(path, abi.O_PATH | abi.O_CLOEXEC, 0);
  if (fd === -1) return false;
  libc.close(fd);
  return true;
}
