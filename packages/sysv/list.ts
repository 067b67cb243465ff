import { check, readProc } from "@ipc/core/sys";
import { type Kind, memoryKind, queueKind, setKind } from "./_kinds.ts";
import type { MessageQueueStatus, SemaphoreSetStatus, SharedMemoryStatus, SystemVStatus } from "./status.ts";

/** What {@linkcode list} tells about a segment of shared memory. */
export interface ListedMemory extends SharedMemoryStatus {
  /** Bytes of it that are in memory (rss of /proc/sysvipc/shm); `undefined` where /proc is not mounted. */
  readonly resident: number | undefined;
  /** Bytes of it that are swapped out (swap of /proc/sysvipc/shm); `undefined` where /proc is not mounted. */
  readonly swapped: number | undefined;
  /** The command line of the process that created it; `undefined` where that has ended, or cannot be seen. */
  readonly creatorCommand: string | undefined;
}

/** Every System V object of this IPC namespace. */
export interface SystemVObjects {
  /** Message queues. */
  readonly queues: MessageQueueStatus[];
  /** Semaphore sets; their values are told by the sets. */
  readonly semaphoreSets: SemaphoreSetStatus[];
  /** Segments of shared memory. */
  readonly memories: ListedMemory[];
}

/**
 * Lists every System V object with all that the kernel tells about it, everybody's, in the order of `ipcs`.
 *
 * Nothing is taken and no permission to the objects is needed, except before Linux 4.17, where objects that this
 * user may not read are left out. What comes and goes meanwhile may be in the list or not. System calls: `msgctl`,
 * `semctl`, `shmctl`; for the bytes in memory /proc/sysvipc/shm is read, which takes no `--allow-read`.
 *
 * @throws {NotSupportedError} if the kernel was built without System V objects.
 *
 * @example
 * ```ts
 * import { IPC_PRIVATE, list, SharedMemory } from "@ipc/sysv";
 * import { assertEquals } from "@std/assert";
 *
 * using memory = SharedMemory.create(IPC_PRIVATE, 100, { removeOnClose: true });
 * const mine = list().memories.find(({ id }) => id === memory.id);
 * assertEquals([mine?.size, mine?.attachCount, mine?.creatorPid], [100, 1, Deno.pid]);
 * ```
 */
export function list(): SystemVObjects {
  const pages = memoryPages();
  return {
    queues: all(queueKind),
    semaphoreSets: all(setKind),
    memories: all(memoryKind).map((memory) => ({
      ...memory,
      resident: pages.get(memory.id)?.resident,
      swapped: pages.get(memory.id)?.swapped,
      creatorCommand: commandOf(memory.creatorPid),
    })),
  };
}

/** The kernel keeps objects in a table; most of its places below the highest one in use are taken. */
function all<S extends SystemVStatus>(kind: Kind<S>): S[] {
  const buffer = new Uint8Array(kind.structSize);
  const view = new DataView(buffer.buffer);
  const found: S[] = [];
  const highest = check(kind.control(0, kind.info, buffer), kind.controller, `list each ${kind.object}`);
  for (let index = 0; index <= highest; index++) {
    let id = kind.control(index, kind.statAny, buffer);
    if (id === -1) id = kind.control(index, kind.stat, buffer);
    if (id !== -1) found.push(kind.read(id, view));
  }
  return found;
}

/** By id, what only /proc tells; see proc_sysvipc(5). */
function memoryPages(): Map<number, { resident: number; swapped: number }> {
  const [heading = "", ...lines] = (readProc("/proc/sysvipc/shm") ?? "").trim().split("\n");
  const columns = heading.split(/ +/);
  return new Map(lines.map((line) => {
    const fields = line.trim().split(/ +/);
    const field = (name: string) => Number(fields[columns.indexOf(name)]);
    return [field("shmid"), { resident: field("rss"), swapped: field("swap") }];
  }));
}

function commandOf(pid: number): string | undefined {
  return readProc(`/proc/${pid}/cmdline`)?.replaceAll("\0", " ").trimEnd() || undefined;
}
