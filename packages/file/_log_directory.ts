/** The directory of a log: its settings, its lock, and its segments. */

import { AlreadyExistsError, ERRNO, RemovedError, UntrustedError } from "@ipc/core";
import { abi, cString, failure, OwnedFd, stat } from "@ipc/core/sys";
import { AT_REMOVEDIR, dirent, SYS_GETDENTS64 } from "./_abi.ts";
import { attempt, must } from "./_call.ts";
import { libc } from "./_libc.ts";
import { decodeSettings, encodeSettings, type LogSettings } from "./_settings.ts";

/** Whose logs are trusted, besides those of the effective user of this process. */
export interface LogTrustOptions {
  /** Users by number who may own the log, or `"any"` for whoever it is. */
  allowOwner?: number | readonly number[] | "any" | undefined;
}

const SETTINGS = "settings";
/** Whose first byte is locked by who appends; it also names the segment that is appended to. */
const LOCK = "lock";
const CONSUMERS = "consumers";
const DIGITS = 20;
const SEGMENT = new RegExp(`^(\\d{${DIGITS}})\\.log$`);
/** What a repair that died has left. */
const LEFT = /^repair\.\d+$/;
/** Not waiting, should somebody have put a FIFO there. */
const OPEN = abi.O_CLOEXEC | abi.O_NOFOLLOW | abi.O_NONBLOCK;

/** What a file of a log is opened for. */
export type Access = "read" | "write";

const active = new BigUint64Array(1);

/** The first sequence of the segment that is appended to, as whoever begins one notes it; 0: look which is the last. */
export function activeSegment(lock: number): number {
  active[0] = 0n;
  attempt(() => libc.pread(lock, active, 8n, 0n));
  return Number(active[0]);
}

/** Notes the segment that is appended to. */
export function setActiveSegment(lock: number, first: number, path: string): void {
  active[0] = BigInt(first);
  must(() => libc.pwrite(lock, active, 8n, 0n), "pwrite", "lock log", path);
}

/** Owns the descriptor of the directory. */
export class LogDirectory implements Disposable {
  readonly path: string;
  readonly settings: LogSettings;
  /** Permission bits of every file in it. */
  readonly mode: number;
  readonly #fd: OwnedFd;

  private constructor(path: string, fd: OwnedFd, settings: LogSettings, mode: number) {
    this.path = path;
    this.#fd = fd;
    this.settings = settings;
    this.mode = mode;
  }

  /** Makes a log that is seen only when it is whole. */
  static create(path: string, settings: LogSettings, mode: number): LogDirectory {
    const made = `${path}.${crypto.randomUUID()}`;
    const name = cString(made);
    must(() => libc.mkdir(name, 0o700), "mkdir", "create log", path);
    let fd: OwnedFd | undefined;
    try {
      fd = openDirectory(made, path);
      const { fd: directory } = fd;
      writeNew(directory, SETTINGS, encodeSettings(settings), mode, path);
      writeNew(directory, LOCK, new Uint8Array(8), mode, path);
      must(() => libc.mkdirat(directory, cString(CONSUMERS), 0o700), "mkdirat", "create log", path);
      using consumers = openDirectory(`${made}/${CONSUMERS}`, path);
      setMode(consumers.fd, searchable(mode), path);
      setMode(directory, searchable(mode), path);
      must(() => libc.fsync(directory), "fsync", "create log", path);
      takeName(name, path);
    } catch (error) {
      fd?.close();
      removeAll(made);
      throw error;
    }
    syncParent(path);
    return new LogDirectory(path, fd, settings, mode);
  }

  /** Opens a log that exists. */
  static open(path: string, trust: LogTrustOptions): LogDirectory {
    const fd = openDirectory(path, path);
    try {
      const { uid, mode } = stat(fd.fd);
      checkOwner(uid, mode, path, trust);
      const text = readAll(fd.fd, SETTINGS);
      if (text === undefined) {
        throw new UntrustedError(`Cannot open log "${path}": it is a directory, and no log`, {
          target: path,
        });
      }
      return new LogDirectory(path, fd, decodeSettings(text, path), mode & 0o666);
    } catch (error) {
      fd.close();
      throw error;
    }
  }

  /** Removes a log with all that a log has in it, and nothing else; what is gone already is none of it. */
  static remove(path: string, trust: LogTrustOptions): void {
    using directory = LogDirectory.open(path, trust);
    const { fd } = directory;
    const unlink = (name: string, flags = 0) => void attempt(() => libc.unlinkat(fd, cString(name), flags));
    for (const name of namesIn(fd, path)) if (SEGMENT.test(name) || LEFT.test(name)) unlink(name);
    for (const name of directory.consumers()) unlink(`${CONSUMERS}/${name}`);
    unlink(CONSUMERS, AT_REMOVEDIR);
    unlink(LOCK);
    // Last of all: until then it is a log, and can be removed once more.
    unlink(SETTINGS);
    must(() => libc.rmdir(cString(path)), "rmdir", "remove log", path);
  }

  /** The descriptor. */
  get fd(): number {
    return this.#fd.fd;
  }

  /**
   * The first sequences of the segments, in their order.
   *
   * @throws {RemovedError} if the log was removed.
   */
  segments(): number[] {
    const names = namesIn(this.#fd.fd, this.path);
    if (!names.includes(SETTINGS)) throw this.#removed();
    const found = names.map((name) => SEGMENT.exec(name)?.[1]).filter((name) => name !== undefined);
    return found.map(Number).filter(Number.isSafeInteger).sort((a, b) => a - b);
  }

  /** The names of the consumers, in the order of the alphabet. */
  consumers(): string[] {
    const folder = this.#tryOpen(CONSUMERS, abi.O_RDONLY | abi.O_DIRECTORY);
    if (folder === undefined) return [];
    using fd = folder;
    return namesIn(fd.fd, this.path).filter((name) => name !== "." && name !== "..").sort();
  }

  /** Opens the file whose lock keeps writers apart, with an open file description of its own. */
  openLock(access: Access): OwnedFd {
    const fd = this.#tryOpen(LOCK, access === "read" ? abi.O_RDONLY : abi.O_RDWR);
    if (fd === undefined) throw this.#removed();
    return fd;
  }

  /** Opens a segment; `undefined`: there is none of this first sequence. */
  openSegment(first: number, access: Access): OwnedFd | undefined {
    return this.#tryOpen(segmentName(first), access === "read" ? abi.O_RDONLY : abi.O_RDWR);
  }

  /** Creates a segment, or opens the one that a writer has created before it died. */
  createSegment(first: number): OwnedFd {
    const existing = this.openSegment(first, "write");
    return existing ?? this.createFile(segmentName(first));
  }

  /** Removes a segment, which who reads it still can. */
  removeSegment(first: number): void {
    attempt(() => libc.unlinkat(this.#fd.fd, cString(segmentName(first)), 0));
  }

  /** Writes a segment by `write`; it is seen only when it is whole, and stays as it is where there is one already. */
  addSegment(first: number, write: (fd: number) => void): void {
    using existing = this.openSegment(first, "read");
    if (existing !== undefined) return;
    const { fd } = this.#fd;
    const name = cString(`repair.${first}`);
    try {
      using file = this.createFile(`repair.${first}`);
      write(file.fd);
      must(() => libc.fsync(file.fd), "fsync", "repair log", this.path);
      const target = cString(segmentName(first));
      must(() => libc.renameat(fd, name, fd, target), "renameat", "repair log", this.path);
    } finally {
      attempt(() => libc.unlinkat(fd, name, 0));
    }
  }

  /** Creates a file of some name; one that is left of an earlier attempt is emptied. */
  createFile(name: string): OwnedFd {
    const flags = abi.O_RDWR | abi.O_CREAT | abi.O_TRUNC | OPEN;
    const bytes = cString(name);
    const fd = new OwnedFd(
      must(() => libc.openat(this.#fd.fd, bytes, flags, this.mode), "openat", "write log", this.path),
    );
    try {
      setMode(fd.fd, this.mode, this.path);
    } catch (error) {
      fd.close();
      throw error;
    }
    return fd;
  }

  /** Opens the file of a consumer; `undefined`: there is none of this name. */
  openConsumer(name: string, access: Access | "create"): OwnedFd | undefined {
    const existing = this.#tryOpen(`${CONSUMERS}/${name}`, access === "read" ? abi.O_RDONLY : abi.O_RDWR);
    if (existing !== undefined || access !== "create") return existing;
    // Who comes at the same time opens the same.
    const flags = abi.O_RDWR | abi.O_CREAT | OPEN;
    const path = cString(`${CONSUMERS}/${name}`);
    const fd = new OwnedFd(
      must(() => libc.openat(this.#fd.fd, path, flags, this.mode), "openat", "create consumer", name),
    );
    try {
      setMode(fd.fd, this.mode, this.path);
      using folder = this.#tryOpen(CONSUMERS, abi.O_RDONLY | abi.O_DIRECTORY)!;
      must(() => libc.fsync(folder.fd), "fsync", "create consumer", name);
    } catch (error) {
      fd.close();
      throw error;
    }
    return fd;
  }

  /** Removes the place of a consumer; false: there was none. */
  removeConsumer(name: string): boolean {
    const path = cString(`${CONSUMERS}/${name}`);
    const result = attempt(() => libc.unlinkat(this.#fd.fd, path, 0));
    if (result === 0) return true;
    if (result === -ERRNO.ENOENT) return false;
    throw failure(-result, "unlinkat", "remove a consumer of log", this.path);
  }

  /** Forces names to the disk. */
  sync(): void {
    must(() => libc.fsync(this.#fd.fd), "fsync", "flush log", this.path);
  }

  /** Another handle of the same directory, for who outlives this one. */
  again(): LogDirectory {
    const here = cString(".");
    const flags = abi.O_RDONLY | abi.O_DIRECTORY | OPEN;
    const fd = must(() => libc.openat(this.#fd.fd, here, flags, 0), "openat", "open log", this.path);
    return new LogDirectory(this.path, new OwnedFd(fd), this.settings, this.mode);
  }

  close(): void {
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Opens what is in it; `undefined`: there is nothing of this name. */
  #tryOpen(name: string, flags: number): OwnedFd | undefined {
    const bytes = cString(name);
    const fd = attempt(() => libc.openat(this.#fd.fd, bytes, flags | OPEN, 0));
    if (fd >= 0) return new OwnedFd(fd);
    if (fd === -ERRNO.ENOENT) return undefined;
    if (fd === -ERRNO.ELOOP) {
      throw new UntrustedError(`Cannot open log "${this.path}": its "${name}" is a symbolic link`, {
        code: "ELOOP",
        target: this.path,
      });
    }
    throw failure(-fd, "openat", "open log", this.path);
  }

  #removed(): RemovedError {
    return new RemovedError(`Cannot use log "${this.path}": it was removed`, { target: this.path });
  }
}

/** Opens a directory for its names; by another name than errors call it, perhaps. */
function openDirectory(path: string, target: string): OwnedFd {
  const name = cString(path);
  const fd = attempt(() => libc.open(name, abi.O_RDONLY | abi.O_DIRECTORY | OPEN, 0));
  if (fd >= 0) return new OwnedFd(fd);
  if (fd === -ERRNO.ENOENT) throw failure(-fd, "open", "open log", target, "log");
  if (fd === -ERRNO.ENOTDIR || fd === -ERRNO.ELOOP) {
    throw new UntrustedError(`Cannot open log "${target}": it is no directory`, { target });
  }
  throw failure(-fd, "open", "open log", target);
}

/** Gives a log that is whole its name, which nobody may have. */
function takeName(made: BufferSource, path: string): void {
  const name = cString(path);
  const result = attempt(() => libc.rename(made, name));
  if (result === 0) return;
  if (result === -ERRNO.ENOTEMPTY || result === -ERRNO.EEXIST || result === -ERRNO.ENOTDIR) {
    throw new AlreadyExistsError(`Cannot create log "${path}": there is something of this name`, {
      code: "EEXIST",
      errno: ERRNO.EEXIST,
      syscall: "rename",
      target: path,
    });
  }
  throw failure(-result, "rename", "create log", path);
}

/** Forces the name of a log to the disk, as far as its folder may be read and its file system can. */
function syncParent(path: string): void {
  const folder = cString(path.replace(/[^/]*\/*$/, "") || ".");
  const fd = attempt(() => libc.open(folder, abi.O_RDONLY | abi.O_DIRECTORY | abi.O_CLOEXEC, 0));
  if (fd < 0) return;
  attempt(() => libc.fsync(fd));
  libc.close(fd);
}

function setMode(fd: number, mode: number, path: string): void {
  must(() => libc.fchmod(fd, mode), "fchmod", "set the mode of", path);
}

function checkOwner(uid: number, mode: number, path: string, { allowOwner }: LogTrustOptions): void {
  const users = typeof allowOwner === "number" ? [allowOwner] : allowOwner ?? [];
  if (users !== "any" && !(Array.isArray(users) && users.every(Number.isInteger))) {
    throw new TypeError(
      `Cannot open log "${path}": allowOwner is a user's number, several of them, or "any"`,
    );
  }
  if (users === "any" || uid === libc.geteuid() || users.includes(uid)) return;
  throw new UntrustedError(
    `Cannot open log "${path}": it belongs to uid ${uid}, and has mode ${mode.toString(8).padStart(4, "0")}`,
    { target: path, hint: "allow that user with allowOwner, if it is who you expect" },
  );
}

/** Whoever may read files in it may search it, and whoever may write may also create. */
function searchable(mode: number): number {
  return mode | (mode & 0o444) >> 2;
}

function segmentName(first: number): string {
  return `${String(first).padStart(DIGITS, "0")}.log`;
}

function writeNew(directory: number, name: string, bytes: Uint8Array, mode: number, path: string): void {
  const flags = abi.O_RDWR | abi.O_CREAT | abi.O_EXCL | OPEN;
  const file = cString(name);
  using fd = new OwnedFd(
    must(() => libc.openat(directory, file, flags, mode), "openat", "create log", path),
  );
  setMode(fd.fd, mode, path);
  const size = BigInt(bytes.length);
  const count = must(() => libc.pwrite(fd.fd, bytes, size, 0n), "pwrite", "create log", path);
  if (count < bytes.length) throw failure(ERRNO.ENOSPC, "pwrite", "create log", path);
  must(() => libc.fsync(fd.fd), "fsync", "create log", path);
}

/** The text of a small file; `undefined`: there is none. */
function readAll(directory: number, name: string): string | undefined {
  const file = cString(name);
  const fd = attempt(() => libc.openat(directory, file, abi.O_RDONLY | OPEN, 0));
  if (fd === -ERRNO.ENOENT || fd === -ERRNO.ELOOP) return undefined;
  if (fd < 0) throw failure(-fd, "openat", "open", name);
  using owned = new OwnedFd(fd);
  const buffer = new Uint8Array(4096);
  const count = must(() => libc.pread(owned.fd, buffer, 4096n, 0n), "pread", "read", name);
  return new TextDecoder().decode(buffer.subarray(0, count));
}

/** What a creation that failed has left. */
function removeAll(path: string): void {
  for (const name of [SETTINGS, LOCK]) libc.unlinkat(abi.AT_FDCWD, cString(`${path}/${name}`), 0);
  libc.rmdir(cString(`${path}/${CONSUMERS}`));
  libc.rmdir(cString(path));
}

/** The names in a directory, as they come; none where it was removed. */
function namesIn(directory: number, path: string): string[] {
  const flags = abi.O_RDONLY | abi.O_DIRECTORY | abi.O_CLOEXEC;
  const here = cString(".");
  // One of its own, for its place among the names.
  const open = attempt(() => libc.openat(directory, here, flags, 0));
  if (open === -ERRNO.ENOENT) return [];
  if (open < 0) throw failure(-open, "openat", "list log", path);
  using fd = new OwnedFd(open);
  const names: string[] = [];
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(32_768);
  const view = new DataView(buffer.buffer);
  for (;;) {
    const count = attempt(() => libc.getdents64(SYS_GETDENTS64, fd.fd, buffer, buffer.length));
    if (count === 0 || count === -ERRNO.ENOENT) return names;
    if (count < 0) throw failure(-count, "getdents64", "list log", path);
    for (let at = 0; at < count; at += view.getUint16(at + dirent.d_reclen, true)) {
      const from = at + dirent.d_name;
      names.push(decoder.decode(buffer.subarray(from, buffer.indexOf(0, from))));
    }
  }
}
