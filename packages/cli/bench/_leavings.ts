/** What is left of those who were killed. */

import { IPC_PRIVATE, list, MessageQueue, SemaphoreSet } from "@ipc/sysv";

/**
 * Removes the message queues and semaphore sets without a key that nobody but these processes has used, which have
 * ended. Shared memory goes with the last of them by itself.
 */
export function removeObjectsOf(pids: readonly number[]): void {
  const { queues, semaphoreSets } = list();
  for (const { id, key, lastSendPid, lastReceivePid } of queues) {
    const users = [lastSendPid, lastReceivePid].filter((pid) => pid !== 0);
    if (key !== IPC_PRIVATE || users.length === 0 || !users.every((pid) => pids.includes(pid))) continue;
    attempt(() => {
      using queue = MessageQueue.open({ id });
      queue.remove();
    });
  }
  for (const { id, key } of semaphoreSets) {
    if (key !== IPC_PRIVATE) continue;
    attempt(() => {
      using set = SemaphoreSet.open({ id });
      if (pids.includes(set.at(0).lastPid)) set.remove();
    });
  }
}

/** Somebody else may have removed it, or may own it. */
function attempt(remove: () => void): void {
  try {
    remove();
  } catch {
    // Then it is not ours to remove.
  }
}
