/** What POSIX objects there are. */

import { NotFoundError, NotSupportedError, PermissionError } from "@ipc/core";
import { abi, cString, type FileStatus, OwnedFd, readProc, stat } from "@ipc/core/sys";
import { semT } from "./_abi.ts";
import { namesIn } from "./_directory.ts";
import { libc } from "./_libc.ts";
import { openQueue } from "./_queue_open.ts";
import { type MessageQueueStatus, queueStatus } from "./_queue_status.ts";

/** Where shared memory and named semaphores are files. */
const SHARED_MEMORY = "/dev/shm";
/** How the files of semaphores begin. */
const SEMAPHORE = "sem.";

/** What every listed object has. */
export interface ListedObject {
  /** The name, with its slash. */
  readonly name: string;
  /** The owner's user id. */
  readonly uid: number;
  /** The owner's group id. */
  readonly gid: number;
  /** Permission bits. */
  readonly mode: number;
}

/** What {@linkcode listMessageQueues} tells about a queue. */
export interface ListedMessageQueue extends ListedObject {
  /** What only those know who may read the queue; `undefined` for others. */
  readonly status: MessageQueueStatus | undefined;
}

/** What {@linkcode listSemaphores} tells about a named semaphore. */
export interface ListedSemaphore extends ListedObject {
  /** Its value; `undefined` for who may not read it, and where the file is too short to be a semaphore. */
  readonly value: number | undefined;
}

/** What {@linkcode listSharedMemory} tells about shared memory. */
export interface ListedSharedMemory extends ListedObject {
  /** Its length in bytes. */
  readonly size: number;
}

/**
 * Lists every message queue of this IPC namespace that has a name, everybody's.
 *
 * The kernel shows queues only through a file system of its own, which most systems mount at /dev/mqueue; wherever it
 * is mounted it is found. Creating and opening queues works without. System calls: `open`, `getdents64`, `fstat`,
 * `mq_open`, `mq_getattr`, `pread`.
 *
 * @throws {NotSupportedError} if that file system is not mounted.
 * @throws {PermissionError} if its directory may not be read.
 *
 * @example
 * ```ts ignore
 * import { listMessageQueues } from "@ipc/posix";
 *
 * for (const { name, status } of listMessageQueues()) console.log(name, status?.messages);
 * ```
 */
export function listMessageQueues(): ListedMessageQueue[] {
  const folders = queueFolders();
  if (folders.length === 0) {
    throw new NotSupportedError("Cannot list message queues: the mqueue file system is not mounted", {
      hint: "mount it: mkdir -p /dev/mqueue && mount -t mqueue none /dev/mqueue",
    });
  }
  const found = new Map<string, ListedMessageQueue>();
  for (const folder of folders) {
    for (const file of namesIn(folder)) {
      const queue = lookAtQueue(`/${file}`, `${folder}/${file}`);
      if (queue !== undefined) found.set(queue.name, queue);
    }
  }
  return [...found.values()];
}

/**
 * Lists every named semaphore, everybody's. System calls: `open`, `getdents64`, `fstat`, `pread`.
 *
 * @throws {PermissionError} if /dev/shm may not be read.
 *
 * @example
 * ```ts
 * import { listSemaphores } from "@ipc/posix";
 *
 * for (const { name, value } of listSemaphores()) console.log(name, value);
 * ```
 */
export function listSemaphores(): ListedSemaphore[] {
  const found: ListedSemaphore[] = [];
  for (const file of namesIn(SHARED_MEMORY)) {
    const path = `${SHARED_MEMORY}/${file}`;
    const status = file.startsWith(SEMAPHORE) ? lookAtFile(path) : undefined;
    if (status === undefined) continue;
    const { uid, gid, mode, size } = status;
    const value = size >= semT.size ? semaphoreValue(path) : undefined;
    found.push({ name: `/${file.slice(SEMAPHORE.length)}`, uid, gid, mode, value });
  }
  return found;
}

/**
 * Lists all POSIX shared memory that has a name, everybody's. System calls: `open`, `getdents64`, `fstat`.
 *
 * Whatever else lies in /dev/shm as a file looks the same, and is the same: shared memory by that name.
 *
 * @throws {PermissionError} if /dev/shm may not be read.
 *
 * @example
 * ```ts
 * import { listSharedMemory } from "@ipc/posix";
 *
 * for (const { name, size } of listSharedMemory()) console.log(name, size);
 * ```
 */
export function listSharedMemory(): ListedSharedMemory[] {
  const found: ListedSharedMemory[] = [];
  for (const file of namesIn(SHARED_MEMORY)) {
    const status = file.startsWith(SEMAPHORE) ? undefined : lookAtFile(`${SHARED_MEMORY}/${file}`);
    if (status === undefined) continue;
    const { uid, gid, mode, size } = status;
    found.push({ name: `/${file}`, uid, gid, mode, size });
  }
  return found;
}

/** Where the mqueue file system is mounted; a path has its spaces and the like as octal numbers. */
function queueFolders(): string[] {
  const lines = (readProc("/proc/self/mounts") ?? "").split("\n");
  return lines.map((line) => line.split(" ")).filter(([, , type]) => type === "mqueue").map(([, path = ""]) =>
    path.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)))
  );
}

/** A queue by its name; undefined: it is gone, or the mount is another namespace's. */
function lookAtQueue(name: string, path: string): ListedMessageQueue | undefined {
  try {
    const { descriptor } = openQueue(name, { access: "read", allowOwner: "any" });
    try {
      const status = queueStatus(descriptor.fd, name);
      return { name, uid: status.uid, gid: status.gid, mode: status.mode, status };
    } finally {
      descriptor.close();
    }
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    if (!(error instanceof PermissionError)) throw error;
  }
  const file = lookAtFile(path);
  return file && { name, uid: file.uid, gid: file.gid, mode: file.mode, status: undefined };
}

/** Looks at a file without opening it; undefined: it is gone, or no regular file. */
function lookAtFile(path: string): FileStatus | undefined {
  const name = cString(path);
  const fd = libc.open(name, abi.O_PATH | abi.O_NOFOLLOW | abi.O_CLOEXEC, 0);
  if (fd === -1) return undefined;
  using file = new OwnedFd(fd);
  const status = stat(file.fd);
  return status.type === "file" ? status : undefined;
}

/** The value of a semaphore that another process may be changing. */
function semaphoreValue(path: string): number | undefined {
  const name = cString(path);
  const fd = libc.open(name, abi.O_RDONLY | abi.O_NOFOLLOW | abi.O_NONBLOCK | abi.O_CLOEXEC, 0);
  if (fd === -1) return undefined;
  using file = new OwnedFd(fd);
  const word = new DataView(new ArrayBuffer(4));
  if (libc.pread(file.fd, word, 4n, BigInt(semT.value)) !== 4) return undefined;
  return word.getUint32(0, true) & semT.VALUE_MASK;
}
