/** Binding a socket to a path or an abstract name: with an exact mode, and over what a dead server left. */

import { ERRNO, IpcError, NotFoundError, TimeoutError, UntrustedError } from "@ipc/core";
import { abi, check, cString, errno, failure, type FileStatus, OwnedFd, stat } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import { libc } from "./_libc.ts";
import { inUse, lockOf, PathLock } from "./_path_lock.ts";
import { encodeUnixAddress, isAbstract } from "./_unix_address.ts";
import { sleep, unixSocket } from "./_unix_socket.ts";

/** Milliseconds between tries for the lock, and in all: who has it makes a few system calls. */
const PAUSE = 2;
const PATIENCE = 5_000;
/** Tries of who closes, and blocks its thread meanwhile. */
const CLOSING_TRIES = 10;
/** A word that nobody changes. */
const NOTHING = new Int32Array(new SharedArrayBuffer(4));

/** How a path is taken. */
export interface UnixBindOptions {
  /** Who may connect by the permission bits of the path, exact whatever the umask; 0o600 unless told. */
  mode?: number | undefined;
  /** Gives up to wait for others who take the path of a dead server. */
  signal?: AbortSignal | undefined;
}

/** A name that a socket has, to be given back when it closes. */
export interface Binding {
  /** Removes the path if it is still this socket's; before the socket is closed. */
  release(): void;
  /** The same after this process has closed the socket, unless another one was given it and has the path now. */
  leave(): void;
}

/**
 * Binds a socket to a path or an abstract name.
 *
 * A path whose server is dead is taken over: under a lock, so that of several who try one at most does it, and only if
 * no socket answers to it, be it one that does not listen yet.
 *
 * System calls: `fchmod`, `bind`, `open`, `fstat`, `chmod`; `flock`, `socket`, `connect` and `unlink` for a path that
 * exists.
 */
export async function bindUnix(fd: number, path: string, options: UnixBindOptions = {}): Promise<Binding> {
  const { mode = 0o600, signal } = options;
  checkMode(mode, path);
  const address = encodeUnixAddress(path);
  if (isAbstract(path)) {
    if (!tryBind(fd, address, path)) throw inUse(path, "somebody has this name");
    return { release: () => {}, leave: () => {} };
  }
  // The path gets the mode of its socket, less the umask: so it is never wider than asked for.
  check(libc.fchmod(fd, mode), "fchmod", "set the mode of socket", path);
  if (!tryBind(fd, address, path)) await takeOver(fd, address, path, signal);
  const status = finish(path, mode);
  return {
    release: () => release(path, status),
    leave: () => leave(address, path, status),
  };
}

/** Throws unless it is a mode. */
export function checkMode(mode: number, path: string): void {
  if (Number.isInteger(mode) && mode >= 0 && mode <= 0o777) return;
  throw new RangeError(`Cannot bind socket "${path}" with mode ${mode}: a mode is 0 to 0o777`);
}

/** False: the address is in use, or was. */
function tryBind(fd: number, address: Uint8Array<ArrayBuffer>, path: string): boolean {
  if (libc.bind(fd, address, address.byteLength) === 0) return true;
  const code = errno();
  if (code === ERRNO.EADDRINUSE) return false;
  throw failure(code, "bind", "bind socket", path, "directory");
}

async function takeOver(
  fd: number,
  address: Uint8Array<ArrayBuffer>,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  checkDead(address, path);
  using _lock = await lockPath(path, signal);
  // Between the two looks somebody else may have taken it over.
  const dead = checkDead(address, path);
  if (dead !== undefined) removeIfSame(path, dead);
  if (!tryBind(fd, address, path)) throw inUse(path, "somebody was faster");
}

/** What is at a path, for who takes it over: a socket of ours that nobody answers to. `undefined`: nothing any more. */
function checkDead(address: Uint8Array<ArrayBuffer>, path: string): FileStatus | undefined {
  const status = look(path);
  if (status === undefined) return undefined;
  if (status.type !== "socket") throw inUse(path, `it is a ${status.type}, not a socket`);
  const self = libc.geteuid();
  if (status.uid !== self && self !== 0) throw inUse(path, `it belongs to user ${status.uid}`);
  if (answers(address)) throw inUse(path, "another socket is bound to it");
  return status;
}

/**
 * Whether a socket is bound to a path, listening or not yet.
 *
 * A datagram socket connects to whatever is bound there, or is told that it is of another type: no server gets to
 * see a connection. Only where there is no socket at all is it refused.
 */
function answers(address: Uint8Array<ArrayBuffer>): boolean {
  return probe(address) !== ERRNO.ECONNREFUSED;
}

/** What connecting a datagram socket gives: 0 or an errno. */
function probe(address: Uint8Array<ArrayBuffer>): number {
  using socket = unixSocket(constants.SOCK_DGRAM);
  return libc.connect(socket.fd, address, address.byteLength) === 0 ? 0 : errno();
}

/** Holds a path locked against others who take it over, or remove it as theirs. */
async function lockPath(path: string, signal: AbortSignal | undefined): Promise<PathLock> {
  const deadline = performance.now() + PATIENCE;
  while (true) {
    const lock = PathLock.tryTake(path);
    if (lock !== undefined) return lock;
    if (performance.now() > deadline) {
      throw new TimeoutError(
        `Cannot bind socket "${path}": somebody held its lock "${lockOf(path)}" for ${PATIENCE} ms`,
        { target: path, hint: "remove the path by hand, if nobody listens there any more" },
      );
    }
    await sleep(PAUSE, signal);
  }
}

/** The lock, if it can be had within some milliseconds. */
function lockSoon(path: string): PathLock | undefined {
  for (let tries = 0; tries < CLOSING_TRIES; tries++) {
    const lock = PathLock.tryTake(path);
    if (lock !== undefined) return lock;
    Atomics.wait(NOTHING, 0, 0, PAUSE);
  }
  return undefined;
}

/** Looks at what has a name, without following it; `undefined`: there is nothing. */
export function look(path: string): FileStatus | undefined {
  try {
    using handle = openName(path);
    return stat(handle.fd);
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

/** A handle of what has a name; to open it would have no effect, and is not possible with a socket. */
function openName(path: string): OwnedFd {
  const name = cString(path);
  while (true) {
    const fd = libc.open(name, abi.O_PATH | abi.O_NOFOLLOW | abi.O_CLOEXEC, 0);
    if (fd !== -1) return new OwnedFd(fd);
    const code = errno();
    if (code !== ERRNO.EINTR) throw failure(code, "open", "look at socket", path, "socket");
  }
}

/** Whether the name was still that of the same file, and was removed. */
function removeIfSame(path: string, { ino, dev }: FileStatus): boolean {
  const status = look(path);
  if (status === undefined || status.ino !== ino || status.dev !== dev) return false;
  return libc.unlink(cString(path)) === 0;
}

/** Makes the mode exact; what is bound now. Where that fails nothing stays. */
function finish(path: string, mode: number): FileStatus {
  try {
    return finishBinding(path, mode);
  } catch (error) {
    // It was bound a moment ago, and cannot be looked at: there may be no descriptor left for that.
    if (!(error instanceof UntrustedError)) libc.unlink(cString(path));
    throw error;
  }
}

function finishBinding(path: string, mode: number): FileStatus {
  using handle = openName(path);
  const status = stat(handle.fd);
  if (status.type !== "socket" || status.uid !== libc.geteuid()) {
    throw new UntrustedError(`Cannot bind socket "${path}": somebody replaced it meanwhile`, {
      target: path,
    });
  }
  // By a name that nobody can replace.
  if (status.mode !== mode && libc.chmod(cString(`/proc/self/fd/${handle.fd}`), mode) !== 0) {
    throw failure(errno(), "chmod", "set the mode of socket", path);
  }
  return status;
}

/**
 * Somebody else may hold the same socket, or be bound to a new one there by now.
 *
 * Under the lock, for else a starter could take the path over between the look and the removal. Who has the lock makes
 * a few system calls; what cannot be had or looked at stays, and does no harm: the next server takes it over.
 */
function leave(address: Uint8Array<ArrayBuffer>, path: string, status: FileStatus): void {
  try {
    using lock = lockSoon(path);
    if (lock === undefined) return;
    const code = probe(address);
    // Another errno tells nothing of a socket: the mode may keep even its owner out.
    if (code !== 0 && code !== ERRNO.EPROTOTYPE) removeIfSame(path, status);
  } catch (error) {
    if (!(error instanceof IpcError)) throw error;
  }
}

/** What cannot be looked at stays: the next server takes it over. While the socket is open nobody else does. */
function release(path: string, status: FileStatus): void {
  try {
    removeIfSame(path, status);
  } catch (error) {
    if (!(error instanceof IpcError)) throw error;
  }
}
