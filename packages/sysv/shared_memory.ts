import { ClosedError, ERRNO, IpcError, type Key, LimitError, RemovedError } from "@ipc/core";
import { errno, type MappedRegion, Mapping, type OwnedFd, readProc } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import { attach } from "./_attach.ts";
import { memoryKind } from "./_kinds.ts";
import { libc } from "./_libc.ts";
import {
  type ById,
  change,
  create,
  type CreateExtra,
  type CreateOptions,
  type Found,
  objectFailure,
  open,
  openOrCreate,
  type OwnershipChange,
  remove,
  status,
  type TrustOptions,
} from "./_object.ts";
import { openSideFile, removeSideFile } from "./_side_file.ts";
import type { SharedMemoryStatus } from "./status.ts";

/** How shared memory is created. */
export interface SharedMemoryCreateOptions extends CreateOptions {
  /** Marks it for removal once it is attached here, see {@linkcode SharedMemory.removeOnLastDetach}; false unless told. */
  removeOnLastDetach?: boolean | undefined;
  /** Huge pages of the default size (SHM_HUGETLB), which the system must have set aside; false unless told. */
  hugePages?: boolean | undefined;
  /** Promises no memory for it beforehand (SHM_NORESERVE): the kernel may kill who touches too much; false unless told. */
  noReserve?: boolean | undefined;
}

/** How shared memory is opened. */
export interface SharedMemoryOpenOptions extends TrustOptions {
  /**
   * `"read"` attaches with SHM_RDONLY, for which permission to read is enough; `"write"` unless told. `write` then
   * throws, but nothing stands between a view and the memory: writing through one ends the process with SIGSEGV.
   */
  access?: "read" | "write" | undefined;
  /** Bytes that it must have at least. */
  size?: number | undefined;
}

/**
 * A segment of System V shared memory, attached to this process.
 *
 * It is a {@linkcode Mapping}: `bytes` and views of `buffer` are the memory itself, which every process that
 * attaches it sees at once; words that several processes write are to be used through `Atomics`. It owns one
 * attachment, from creation or opening until `close`, which first empties every view: use after that is an error,
 * never a crash. The segment itself stays until somebody removes it, or the machine goes down.
 *
 * Needs `--allow-ffi` without a path: under a scoped permission memory cannot be viewed.
 *
 * @example Two attachments of one segment
 * ```ts
 * import { SharedMemory, stableKey } from "@ipc/sysv";
 * import { assertEquals } from "@std/assert";
 *
 * const key = stableKey(`example ${crypto.randomUUID()}`);
 * using table = SharedMemory.create(key, 100, { removeOnClose: true });
 * using same = SharedMemory.open(key); // In another process, as a rule.
 * new Int32Array(table.buffer, 0, 1)[0] = 42;
 * assertEquals(new Int32Array(same.buffer, 0, 1)[0], 42);
 * assertEquals(same.byteLength, 100);
 * ```
 */
export class SharedMemory extends Mapping {
  /** The number by which `ipcs` and other processes know it. */
  readonly id: number;
  /** The key under which it was found; `IPC_PRIVATE` for one without. */
  readonly key: Key;
  readonly #found: Found;
  readonly #removeOnClose: boolean;

  private constructor(found: Found, key: Key, region: MappedRegion, removeOnClose: boolean) {
    super(region);
    this.id = found.id;
    this.key = key;
    this.#found = found;
    this.#removeOnClose = removeOnClose;
  }

  /**
   * Creates a segment of `size` bytes, all zero, and attaches it; `IPC_PRIVATE` makes one without a key.
   *
   * System calls: `shmget`, `shmctl`, `shmat`.
   *
   * @throws {AlreadyExistsError} if the key is taken.
   * @throws {LimitError} if SHMMNI, SHMMAX or SHMALL is reached, there is no memory, or no huge pages.
   * @throws {PermissionError} if this user may not have huge pages, or `mode` shuts its own user out.
   * @throws {RangeError} if `size` is not an integer from 1, or `mode` not 0 to 0o777.
   *
   * @example
   * ```ts
   * import { IPC_PRIVATE, SharedMemory } from "@ipc/sysv";
   * import { assertEquals } from "@std/assert";
   *
   * using memory = SharedMemory.create(IPC_PRIVATE, 4096, { removeOnLastDetach: true });
   * assertEquals(memory.stat().removalPending, true);
   * ```
   */
  static create(key: Key, size: number, options: SharedMemoryCreateOptions = {}): SharedMemory {
    const extra = checkCreation(size, options);
    const found = withinLimits(size, () => create(memoryKind, key, size, options, extra));
    return SharedMemory.#attach(found, options);
  }

  /**
   * Attaches a segment that exists, the whole of it, found by its key or its id.
   *
   * System calls: `shmget` for a key, `shmctl`, `shmat`.
   *
   * @throws {NotFoundError} if there is none of this key.
   * @throws {PermissionError} if its mode does not permit it; `access: "read"` asks for less.
   * @throws {RangeError} if it has fewer than `size` bytes.
   * @throws {RemovedError} if there is none of this id any more.
   * @throws {UntrustedError} if it is or was somebody else's, and `allowOwner` does not name them.
   *
   * @example
   * ```ts
   * import { IPC_PRIVATE, SharedMemory } from "@ipc/sysv";
   * import { assertEquals, assertThrows } from "@std/assert";
   *
   * using memory = SharedMemory.create(IPC_PRIVATE, 4096, { removeOnClose: true });
   * memory.write(0, new TextEncoder().encode("hello"));
   * using reader = SharedMemory.open({ id: memory.id }, { access: "read" });
   * assertEquals(new TextDecoder().decode(reader.read(0, 5)), "hello");
   * assertThrows(() => reader.write(0, new Uint8Array(1)), TypeError);
   * ```
   */
  static open(target: Key | ById, options: SharedMemoryOpenOptions = {}): SharedMemory {
    if (options.size !== undefined) checkSize("open", options.size);
    return SharedMemory.#attach(open(memoryKind, target, options), options);
  }

  /**
   * Attaches the segment of a key, or creates one of `size` bytes; who else comes at the same time gets the same one.
   *
   * What is there already may be larger. New memory is zero, and that is all that the others can rely on: whoever
   * puts more into it says so in a word of it. System calls: `shmget`, `shmctl`, `shmat`.
   *
   * @throws {LimitError} as `create` does.
   * @throws {PermissionError} as `open` does.
   * @throws {RangeError} if what is there has fewer than `size` bytes, or an argument is out of range.
   * @throws {UntrustedError} if what is there is or was somebody else's, and `allowOwner` does not name them.
   *
   * @example
   * ```ts
   * import { SharedMemory, stableKey } from "@ipc/sysv";
   * import { assertEquals } from "@std/assert";
   *
   * const key = stableKey(`example ${crypto.randomUUID()}`);
   * using first = SharedMemory.openOrCreate(key, 64, { removeOnClose: true });
   * using second = SharedMemory.openOrCreate(key, 64);
   * assertEquals(first.id, second.id);
   * ```
   */
  static openOrCreate(
    key: Key,
    size: number,
    options: SharedMemoryCreateOptions & TrustOptions = {},
  ): SharedMemory {
    const extra = checkCreation(size, options);
    for (let attempt = 1;; attempt++) {
      const found = withinLimits(size, () => openOrCreate(memoryKind, key, size, options, extra));
      try {
        return SharedMemory.#attach(found, { ...options, size });
      } catch (error) {
        // It was removed before it could be attached.
        if (!(error instanceof RemovedError) || attempt === 100) throw error;
      }
    }
  }

  static #attach(found: Found, options: SharedMemoryCreateOptions & SharedMemoryOpenOptions): SharedMemory {
    const { access = "write", size = 1, removeOnClose = false, removeOnLastDetach, hugePages } = options;
    try {
      if (access !== "read" && access !== "write") {
        throw new TypeError(
          `Cannot open shared memory ${found.name} for "${access}": it is "read" or "write"`,
        );
      }
      const { key, size: byteLength } = status(memoryKind, found);
      if (byteLength < size) {
        throw new RangeError(
          `Cannot open shared memory ${found.name}: it has ${byteLength} bytes, not ${size}`,
        );
      }
      const readOnly = access === "read";
      const pointer = attach(found.id, null, readOnly ? constants.SHM_RDONLY : 0);
      if (typeof pointer === "number") {
        throw objectFailure(memoryKind, pointer, "shmat", "attach", found.id, found.name);
      }
      const region = {
        pointer,
        byteLength,
        span: found.created && hugePages ? hugeSpan(byteLength) : undefined,
        readOnly,
        unmap: detach,
      };
      const memory = new SharedMemory(found, key, region, found.created && removeOnClose);
      if (found.created && removeOnLastDetach) memory.removeOnLastDetach();
      return memory;
    } catch (error) {
      if (found.created) memoryKind.control(found.id, constants.IPC_RMID, null);
      throw error;
    }
  }

  /**
   * Looks at the segment. System call: `shmctl`.
   *
   * @throws {ClosedError} after `close`.
   * @throws {RemovedError} if it is gone.
   */
  stat(): SharedMemoryStatus {
    this.#checkAttached();
    return status(memoryKind, this.#found);
  }

  /**
   * Changes owner, group or mode of the segment; who has it attached keeps it. System call: `shmctl`.
   *
   * @throws {ClosedError} after `close`.
   * @throws {PermissionError} if this user is neither its owner nor its creator.
   * @throws {RangeError} if a value is out of range.
   *
   * @example
   * ```ts
   * import { IPC_PRIVATE, SharedMemory } from "@ipc/sysv";
   * import { assertEquals } from "@std/assert";
   *
   * using memory = SharedMemory.create(IPC_PRIVATE, 1, { removeOnClose: true });
   * memory.set({ mode: 0o640 });
   * assertEquals(memory.stat().mode, 0o640);
   * ```
   */
  set(changes: OwnershipChange): void {
    this.#checkAttached();
    change(memoryKind, this.#found, changes);
  }

  /**
   * Keeps the segment from being swapped out (SHM_LOCK): pages stay in memory from the time they are first touched.
   *
   * It holds for all processes, and until `unlock`, also when this one ends. Huge pages are never swapped, so
   * there nothing changes. System call: `shmctl`.
   *
   * @throws {ClosedError} after `close`.
   * @throws {LimitError} if it is more memory than this process may lock.
   * @throws {PermissionError} if this process may lock none, or is neither owner nor creator.
   */
  lock(): void {
    this.#lock(constants.SHM_LOCK, "lock");
  }

  /**
   * Lets the segment be swapped out again (SHM_UNLOCK). System call: `shmctl`.
   *
   * @throws {ClosedError} after `close`.
   * @throws {PermissionError} if this process is neither owner nor creator, and without CAP_IPC_LOCK.
   */
  unlock(): void {
    this.#lock(constants.SHM_UNLOCK, "unlock");
  }

  /**
   * Removes the segment (IPC_RMID): its key is free at once, and the memory itself goes with its last attachment.
   *
   * System call: `shmctl`.
   *
   * @throws {ClosedError} after `close`.
   * @throws {PermissionError} if this user is neither its owner nor its creator.
   * @throws {RemovedError} if it is gone.
   */
  remove(): void {
    this.#checkAttached();
    remove(memoryKind, this.#found);
  }

  /**
   * Lets the segment go with its last attachment, also where that ends by `kill -9`: the same call as `remove`.
   *
   * From now on nobody finds it by its key; on Linux, but not everywhere, processes that know its id can still
   * attach it as long as somebody has it attached. System call: `shmctl`.
   *
   * @throws {ClosedError} after `close`.
   * @throws {PermissionError} if this user is neither its owner nor its creator.
   */
  removeOnLastDetach(): void {
    this.remove();
  }

  /**
   * Opens the file `/dev/shm/ipc-sysv-shm.ID`, which stands for the segment where locks on a file are needed. System
   * calls: `shmctl`, `open`, `fstat`, and to make it `fchown`, `fchmod`, `linkat`.
   *
   * The first who needs it makes it, with the owner and the permissions of the segment; whoever detaches last from a
   * removed one removes it, unless killed. It is empty. All who use locks in the segment must see the same /dev/shm.
   *
   * @throws {ClosedError} after `close`.
   * @throws {PermissionError} if the mode of the segment does not permit writing, or there is no file yet and this
   *   user is neither owner nor creator of the segment.
   * @throws {UntrustedError} if what has that name is somebody else's, or no regular file.
   * @throws {RemovedError} if the segment is gone.
   * @throws {LimitError} if this process has no descriptor left.
   */
  override openFile(): OwnedFd {
    return openSideFile(this.stat());
  }

  /**
   * Empties every view and detaches; calling it again does nothing. System calls: `shmdt`, or `mmap` where in use;
   * `shmctl`, and `unlink` for the file of `openFile` where the segment has gone with this.
   */
  override close(): void {
    if (this.closed) return;
    try {
      super.close();
    } finally {
      // It fails only where somebody else has removed it, or was given it: then it is theirs.
      if (this.#removeOnClose) memoryKind.control(this.id, constants.IPC_RMID, null);
      removeSideFile(this.id);
    }
  }

  /** The same as {@linkcode SharedMemory.close}. */
  detach(): void {
    this.close();
  }

  #lock(command: number, verb: string): void {
    this.#checkAttached();
    if (memoryKind.control(this.id, command, null) !== -1) return;
    throw objectFailure(
      memoryKind,
      errno(),
      "shmctl",
      verb,
      this.id,
      this.#found.name,
      "raise the limit of locked memory (ulimit -l), or give the process CAP_IPC_LOCK",
    );
  }

  #checkAttached(): void {
    if (this.closed) throw new ClosedError("Cannot use shared memory that was detached");
  }
}

function detach(pointer: Deno.PointerObject): void {
  libc.shmdt(pointer);
}

function checkSize(verb: string, size: number): void {
  if (Number.isSafeInteger(size) && size >= 1) return;
  throw new RangeError(`Cannot ${verb} shared memory of ${size} bytes: a size is an integer from 1`);
}

/** What creation needs besides, after a look at the options. */
function checkCreation(size: number, { hugePages, noReserve }: SharedMemoryCreateOptions): CreateExtra {
  checkSize("create", size);
  if (!hugePages) return { flags: noReserve ? constants.SHM_NORESERVE : 0 };
  if (noReserve) {
    throw new TypeError(
      "Cannot create shared memory with hugePages and noReserve: where a page is missing, touching it is SIGBUS",
    );
  }
  return {
    flags: constants.SHM_HUGETLB,
    hints: {
      [ERRNO.ENOMEM]: "set huge pages aside (sysctl vm.nr_hugepages), or do without them",
      [ERRNO.EPERM]: "huge pages need CAP_IPC_LOCK, or the group of sysctl vm.hugetlb_shm_group",
    },
  };
}

/** The kernel calls a size beyond SHMMAX an invalid argument. */
function withinLimits(size: number, find: () => Found): Found {
  try {
    return find();
  } catch (error) {
    if (!(error instanceof IpcError) || error.code !== "EINVAL") throw error;
    const { code, errno, syscall, target } = error;
    throw new LimitError(`Cannot create shared memory: ${size} bytes are more than SHMMAX`, {
      code,
      errno,
      syscall,
      target,
      hint: "ask for less, or raise the limit (sysctl kernel.shmmax)",
    });
  }
}

/** Huge pages are unmapped as a whole or not at all. Without /proc their size is not known, nor needed but at odd ends. */
function hugeSpan(byteLength: number): number | undefined {
  const kibibytes = /^Hugepagesize: *(\d+) kB$/m.exec(readProc("/proc/meminfo") ?? "")?.[1];
  if (kibibytes === undefined) return undefined;
  const page = Number(kibibytes) * 1024;
  return Math.ceil(byteLength / page) * page;
}
