/**
 * One wait for every descriptor: an epoll set, waited for by one call on one thread of the pool.
 *
 * @module
 */

import { pendingWaits } from "../base/_ladder.ts";
import { ERRNO } from "../errno.ts";
import { IpcError } from "../errors.ts";
import { abi } from "./abi.ts";
import { check, errno, failure } from "./errno.ts";
import { libc } from "./_libc.ts";

/** What a descriptor is waited for. */
export type Interest = "readable" | "writable";

/** What the waiting of this isolate takes at this moment. */
export interface Diagnostics {
  /** Threads of the pool behind asynchronous file I/O, 32 in all, that are parked for waits. */
  poolThreads: number;
  /** Calls on channels that wait. */
  waits: number;
  /** Descriptors that the shared waiter watches. */
  watched: number;
}

interface Registration {
  generation: number;
  readonly readable: Set<() => void>;
  readonly writable: Set<() => void>;
}

/** Events fetched by one call. */
const MOST_EVENTS = 64;
/** The descriptor half of the event that ends a parked call. */
const WAKE_FD = 0xffff_ffff;

const { size: EVENT_SIZE, data: EVENT_DATA } = abi.epollEvent;
const registrations = new Map<number, Registration>();
const events = new DataView(new ArrayBuffer(MOST_EVENTS * EVENT_SIZE));
const control = new DataView(new ArrayBuffer(EVENT_SIZE));
const counter = new BigUint64Array([1n]);
let epoll = -1;
let wakeup = -1;
let generations = 0;
let parked = false;
let woken = false;

/**
 * Waits until a descriptor is ready and calls `wake` once; returns what gives the wait up.
 *
 * Give it up before closing the descriptor. System calls: `epoll_ctl`, and one `epoll_wait` on a thread of the pool for all waits together.
 *
 * @throws {LimitError} if the kernel has no room for one more.
 */
export function waitFor(fd: number, interest: Interest, wake: () => void): () => void {
  if (epoll < 0) create();
  let registration = registrations.get(fd);
  const known = registration !== undefined;
  registration ??= {
    generation: generations = (generations + 1) >>> 0,
    readable: new Set(),
    writable: new Set(),
  };
  // The same function may wait twice.
  const waiter = () => wake();
  registration[interest].add(waiter);
  let armed: boolean;
  try {
    armed = arm(fd, registration, known ? abi.EPOLL_CTL_MOD : abi.EPOLL_CTL_ADD);
  } catch (error) {
    registration[interest].delete(waiter);
    if (!(known && error instanceof IpcError && error.errno === ERRNO.ENOENT)) throw error;
    // The number is another file's by now: who waited for the one before learns so by trying.
    dropWaits(fd);
    return waitFor(fd, interest, wake);
  }
  if (!armed) {
    // A regular file cannot be watched: it is always ready.
    const turn = setTimeout(wake, 0);
    return () => clearTimeout(turn);
  }
  registrations.set(fd, registration);
  if (!parked) park();
  return () => {
    if (registrations.get(fd) !== registration || !registration[interest].delete(waiter)) return;
    if (isWanted(registration)) {
      for (const other of rearm(fd, registration)) {
        other();
      }
    } else forget(fd);
    wakeIfIdle();
  };
}

/** Unwoken, the parked call would keep the process alive. */
function wakeIfIdle(): void {
  if (registrations.size > 0 || !parked || woken) return;
  for (let tries = 0; !woken && tries < 3; tries++) woken = libc.write(wakeup, counter, 8n) === 8;
}

function isWanted({ readable, writable }: Registration): boolean {
  return readable.size > 0 || writable.size > 0;
}

/** Ends all waits for a descriptor that is about to be closed; they are told, as if it were ready. */
export function dropWaits(fd: number): void {
  const registration = registrations.get(fd);
  if (registration === undefined) return;
  forget(fd);
  const waiters = [...registration.readable, ...registration.writable];
  queueMicrotask(() => wakeAll(waiters));
  wakeIfIdle();
}

/** What the waiting of this isolate takes at this moment: threads of the pool, waits, watched descriptors. */
export function diagnostics(): Diagnostics {
  return { poolThreads: parked ? 1 : 0, waits: pendingWaits(), watched: registrations.size };
}

function create(): void {
  wakeup = check(libc.eventfd(0, abi.EFD_CLOEXEC | abi.EFD_NONBLOCK), "eventfd", "create the shared waiter");
  const set = libc.epoll_create1(abi.EPOLL_CLOEXEC);
  if (set === -1) {
    const code = errno();
    libc.close(wakeup);
    throw failure(code, "epoll_create1", "create the shared waiter");
  }
  setEvent(control, 0, abi.EPOLLIN, WAKE_FD, 0);
  if (libc.epoll_ctl(set, abi.EPOLL_CTL_ADD, wakeup, control) === -1) {
    const code = errno();
    libc.close(wakeup);
    libc.close(set);
    throw failure(code, "epoll_ctl", "create the shared waiter");
  }
  epoll = set;
}

/** Tells the kernel what to report next, once; false: this kind of file is always ready. */
function arm(fd: number, registration: Registration, operation: number): boolean {
  const interests = abi.EPOLLONESHOT |
    (registration.readable.size > 0 ? abi.EPOLLIN | abi.EPOLLRDHUP : 0) |
    (registration.writable.size > 0 ? abi.EPOLLOUT : 0);
  setEvent(control, 0, interests, fd, registration.generation);
  if (libc.epoll_ctl(epoll, operation, fd, control) === 0) return true;
  const code = errno();
  if (code === ERRNO.EPERM) return false;
  // An earlier wait could not be taken back.
  if (code === ERRNO.EEXIST) return arm(fd, registration, abi.EPOLL_CTL_MOD);
  throw failure(code, "epoll_ctl", "wait for descriptor", fd);
}

/** Goes on waiting for what is left; where the kernel refuses, those who wait try again, and learn why. */
function rearm(fd: number, registration: Registration): (() => void)[] {
  try {
    arm(fd, registration, abi.EPOLL_CTL_MOD);
    return [];
  } catch {
    forget(fd);
    return [...registration.readable, ...registration.writable];
  }
}

function forget(fd: number): void {
  registrations.delete(fd);
  libc.epoll_ctl(epoll, abi.EPOLL_CTL_DEL, fd, control);
}

function setEvent(view: DataView, at: number, mask: number, fd: number, generation: number): void {
  view.setUint32(at, mask >>> 0, true);
  view.setUint32(at + EVENT_DATA, fd, true);
  view.setUint32(at + EVENT_DATA + 4, generation, true);
}

async function park(): Promise<void> {
  parked = true;
  while (registrations.size > 0) {
    let count = await libc.epoll_wait_parked(epoll, events, MOST_EVENTS, -1);
    // errno of a parked call is another thread's: ask again on this one.
    if (count < 0) count = libc.epoll_wait(epoll, events, MOST_EVENTS, 0);
    dispatch(count);
  }
  parked = false;
}

function dispatch(count: number): void {
  const ready: (() => void)[] = [];
  for (let index = 0; index < count; index++) {
    const at = index * EVENT_SIZE;
    const mask = events.getUint32(at, true);
    const fd = events.getUint32(at + EVENT_DATA, true);
    if (fd === WAKE_FD) {
      woken = false;
      libc.read(wakeup, new Uint8Array(8), 8n);
      continue;
    }
    const registration = registrations.get(fd);
    if (registration?.generation !== events.getUint32(at + EVENT_DATA + 4, true)) continue;
    const gone = (mask & (abi.EPOLLERR | abi.EPOLLHUP)) !== 0;
    const { readable, writable } = registration;
    if (gone || mask & (abi.EPOLLIN | abi.EPOLLRDHUP)) {
      ready.push(...readable);
      readable.clear();
    }
    if (gone || mask & abi.EPOLLOUT) {
      ready.push(...writable);
      writable.clear();
    }
    if (isWanted(registration)) ready.push(...rearm(fd, registration));
    else forget(fd);
  }
  // Woken only now: a wake-up may begin and end waits of its own.
  wakeAll(ready);
}

/** One that throws keeps nobody else from being woken. */
function wakeAll(waiters: readonly (() => void)[]): void {
  for (const wake of waiters) {
    try {
      wake();
    } catch (error) {
      reportError(error);
    }
  }
}
