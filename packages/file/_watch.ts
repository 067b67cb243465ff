/** Hearing of changes in directories: one inotify(7) for all, and no polling. */

import { ERRNO } from "@ipc/core";
import { abi, cString, errno, failure, waitFor } from "@ipc/core/sys";
import { IN_IGNORED, IN_MASK_ADD, IN_Q_OVERFLOW, inotifyEvent } from "./_abi.ts";
import { attempt, must } from "./_call.ts";
import { libc } from "./_libc.ts";

const BUFFER = 65_536n;
const buffer = new DataView(new ArrayBuffer(Number(BUFFER)));
const pollfd = new DataView(new ArrayBuffer(8));

/** Those of which something was heard since all who are parked were last looked through. */
const changed = new Set<Watch>();
/** The watches of each directory, by the kernel's number of it. */
const watches = new Map<number, Set<Watch>>();
const parked = new Map<Watch, () => void>();
let inotify = -1;
let unpark: (() => void) | undefined;

/** A directory, or another file, whose changes somebody waits for. */
export class Watch {
  readonly #number: number;
  /** Whether something may have changed since this watch was last parked for. */
  #changed = true;
  #closed = false;

  /** The file in the directory whose changes count; `undefined`: all do. */
  readonly name: string | undefined;
  /** The watch whose waits its changes end: itself, unless it stands by another. */
  waiter: Watch;

  /** Watches from now on. `target` is what errors call it. */
  constructor(
    path: string,
    mask: number,
    target: string,
    { name, waiter }: { name?: string | undefined; waiter?: Watch | undefined } = {},
  ) {
    this.name = name;
    this.waiter = waiter ?? this;
    if (inotify === -1) {
      const flags = abi.O_CLOEXEC | abi.O_NONBLOCK;
      inotify = must(() => libc.inotify_init1(flags), "inotify_init1", "watch", target);
    }
    const folder = cString(path);
    const number = attempt(() => libc.inotify_add_watch(inotify, folder, mask | IN_MASK_ADD));
    if (number < 0) {
      closeIfUnused();
      throw failure(-number, "inotify_add_watch", "watch", target);
    }
    this.#number = number;
    let same = watches.get(number);
    if (same === undefined) watches.set(number, same = new Set());
    same.add(this);
  }

  /** Calls `wake` once when something has changed; returns what gives the wait up. */
  park(wake: () => void): () => void {
    if (this.#changed) {
      this.#changed = false;
      const turn = setTimeout(wake, 0);
      return () => clearTimeout(turn);
    }
    unpark ??= waitFor(inotify, "readable", hear);
    parked.set(this, wake);
    return () => {
      parked.delete(this);
      letGo();
      closeIfUnused();
    };
  }

  /** Blocks this thread until something has changed, at most `timeout` milliseconds. */
  block(timeout: number | undefined): void {
    if (!this.#changed) {
      pollfd.setInt32(0, inotify, true);
      pollfd.setInt16(4, abi.POLLIN, true);
      const limit = timeout === undefined ? -1 : Math.min(Math.ceil(timeout), 0x7fff_ffff);
      if (libc.poll(pollfd, 1n, limit) === -1) {
        const code = errno();
        if (code !== ERRNO.EINTR) throw failure(code, "poll", "wait for a change");
      }
      drain();
      // Those who are parked heard of it here, and nowhere else.
      if ([...parked.keys()].some((watch) => changed.has(watch))) setTimeout(wakeChanged, 0);
    }
    this.#changed = false;
  }

  /** Whether the directory is gone: nothing will be heard any more. */
  get gone(): boolean {
    return watches.get(this.#number)?.has(this) !== true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    parked.delete(this);
    letGo();
    const same = watches.get(this.#number);
    same?.delete(this);
    if (same?.size === 0) {
      watches.delete(this.#number);
      libc.inotify_rm_watch(inotify, this.#number);
    }
    closeIfUnused();
  }

  /** Something has changed. */
  notice(): void {
    this.#changed = true;
  }

  /** What waits is about to look. */
  looked(): void {
    this.#changed = false;
  }
}

function letGo(): void {
  if (parked.size > 0) return;
  unpark?.();
  unpark = undefined;
}

function closeIfUnused(): void {
  if (watches.size > 0 || parked.size > 0 || inotify === -1) return;
  libc.close(inotify);
  inotify = -1;
}

function hear(): void {
  unpark = undefined;
  drain();
  wakeChanged();
}

function wakeChanged(): void {
  const ready: (() => void)[] = [];
  const wakeAll = (which: (watch: Watch) => boolean) => {
    for (const [watch, wake] of parked) {
      if (!which(watch)) continue;
      parked.delete(watch);
      watch.looked();
      ready.push(wake);
    }
  };
  wakeAll((watch) => changed.has(watch));
  changed.clear();
  if (parked.size === 0) letGo();
  else {
    try {
      unpark ??= waitFor(inotify, "readable", hear);
    } catch {
      // Each that parks again is told why it cannot.
      wakeAll(() => true);
    }
  }
  // Woken only now: a wake-up may begin and end waits of its own.
  for (const wake of ready) wake();
}

/** Reads what the kernel has to tell. */
function drain(): void {
  for (;;) {
    const count = libc.read(inotify, buffer, BUFFER);
    if (count === -1 && errno() === ERRNO.EINTR) continue;
    if (count <= 0) return;
    for (let at = 0; at < count;) {
      const number = buffer.getInt32(at + inotifyEvent.wd, true);
      const mask = buffer.getUint32(at + inotifyEvent.mask, true);
      const overflow = (mask & IN_Q_OVERFLOW) !== 0;
      const heard = overflow ? [...watches.values()].flatMap((same) => [...same]) : watches.get(number) ?? [];
      const length = buffer.getUint32(at + inotifyEvent.len, true);
      const name = overflow ? undefined : nameAt(at + inotifyEvent.size, length);
      for (const watch of heard) {
        if (name !== undefined && watch.name !== undefined && watch.name !== name) continue;
        watch.waiter.notice();
        changed.add(watch.waiter);
      }
      if ((mask & IN_IGNORED) !== 0) watches.delete(number);
      at += inotifyEvent.size + length;
    }
  }
}

/** The name of the file that an event is about; `undefined`: it is about what is watched itself. */
function nameAt(at: number, length: number): string | undefined {
  if (length === 0) return undefined;
  const bytes = new Uint8Array(buffer.buffer, at, length);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(bytes.subarray(0, end === -1 ? length : end));
}
