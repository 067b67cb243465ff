/** The directory of a log: its settings, its lock, and its segments. */

import { AlreadyExistsError, ERRNO, UntrustedError } from "@ipc/core";
import { abi, check, cString, errno, failure, OwnedFd, stat } from "@ipc/core/sys";
import { AT_REMOVEDIR, dirent, SYS_GETDENTS64 } from "./_abi.ts";
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
const OPEN = abi.O_CLOEXEC | abi.O_NOFOLLOW;

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
    if (libc.mkdir(name, 0o700) === -1) throw failure(errno(), "mkdir", "create log", path);
    let done = false;
    try {
      {
        using fd = openDirectory(made, path);
        writeNew(fd.fd, SETTINGS, encodeSettings(settings), mode, path);
        writeNew(fd.fd, LOCK, new Uint8Array(0), mode, path);
        check(libc.mkdirat(fd.fd, cString(CONSUMERS), 0o700), "mkdir", "create log", path);
        using consumers = openDirectory(`${made}/${CONSUMERS}`, path);
        check(libc.fchmod(consumers.fd, searchable(mode)), "fchmod", "set the mode of", path);
        check(libc.fchmod(fd.fd, searchable(mode)), "fchmod", "set the mode of", path);
        check(libc.fsync(fd.fd), "fsync", "create log", path);
      }
      const target = cString(path);
      if (libc.rename(name, target) === -1) {
        const code = errno();
        if (code === ERRNO.ENOTEMPTY || code === ERRNO.EEXIST || code === ERRNO.ENOTDIR) {
          throw new AlreadyExistsError(`Cannot create log "${path}": there is something of this name`, {
            code: "EEXIST",
            errno: ERRNO.EEXIST,
            syscall: "rename",
            target: path,
          });
        }
        throw failure(code, "rename", "create log", path);
      }
      done = true;
    } finally {
      if (!done) removeAll(made);
    }
    return LogDirectory.open(path, {});
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

  /** Removes a log with all that a log has in it, and nothing else. */
  static remove(path: string, trust: LogTrustOptions): void {
    using directory = LogDirectory.open(path, trust);
    const { fd } = directory;
    for (const first of directory.segments()) libc.unlinkat(fd, cString(segmentName(first)), 0);
    for (const name of directory.consumers()) libc.unlinkat(fd, cString(`${CONSUMERS}/${name}`), 0);
    libc.unlinkat(fd, cString(CONSUMERS), AT_REMOVEDIR);
    libc.unlinkat(fd, cString(LOCK), 0);
    // Last of all: until then it is a log, and can be removed once more.
    libc.unlinkat(fd, cString(SETTINGS), 0);
    if (libc.rmdir(cString(path)) === -1) throw failure(errno(), "rmdir", "remove log", path);
  }

  /** The descriptor. */
  get fd(): number {
    return this.#fd.fd;
  }

  /** The first sequences of the segments, in their order. */
  segments(): number[] {
    const found = namesIn(this.#fd.fd, this.path).map((name) => SEGMENT.exec(name)?.[1]).filter((name) =>
      name !== undefined
    );
    return found.map(Number).filter(Number.isSafeInteger).sort((a, b) => a - b);
  }

  /** The names of the consumers, in the order of the alphabet. */
  consumers(): string[] {
    using fd = new OwnedFd(this.#open(CONSUMERS, abi.O_RDONLY | abi.O_DIRECTORY));
    return namesIn(fd.fd, this.path).filter((name) => name !== "." && name !== "..").sort();
  }

  /** Opens the file whose lock keeps writers apart, with an open file description of its own. */
  openLock(): OwnedFd {
    return new OwnedFd(this.#open(LOCK, abi.O_RDWR));
  }

  /** Opens a segment; `undefined`: there is none of this first sequence. */
  openSegment(first: number, access: "read" | "write"): OwnedFd | undefined {
    const name = cString(segmentName(first));
    const fd = libc.openat(this.#fd.fd, name, (access === "read" ? abi.O_RDONLY : abi.O_RDWR) | OPEN, 0);
    if (fd !== -1) return new OwnedFd(fd);
    const code = errno();
    if (code === ERRNO.ENOENT) return undefined;
    throw failure(code, "openat", "open a segment of log", this.path);
  }

  /** Creates a segment, or opens the one that a writer has created before it died. */
  createSegment(first: number): OwnedFd {
    const name = segmentName(first);
    const fd = libc.openat(
      this.#fd.fd,
      cString(name),
      abi.O_RDWR | abi.O_CREAT | abi.O_EXCL | OPEN,
      this.mode,
    );
    if (fd === -1) {
      const code = errno();
      const existing = code === ERRNO.EEXIST ? this.openSegment(first, "write") : undefined;
      if (existing !== undefined) return existing;
      throw failure(code, "openat", "create a segment of log", this.path);
    }
    const owned = new OwnedFd(fd);
    if (libc.fchmod(fd, this.mode) === 0) return owned;
    const code = errno();
    owned.close();
    throw failure(code, "fchmod", "set the mode of a segment of log", this.path);
  }

  /** Removes a segment, which who reads it still can. */
  removeSegment(first: number): void {
    libc.unlinkat(this.#fd.fd, cString(segmentName(first)), 0);
  }

  /** Puts another file in the place of a segment: what was written into it under this name. */
  replaceSegment(first: number, written: string): void {
    const { fd } = this.#fd;
    check(
      libc.renameat(fd, cString(written), fd, cString(segmentName(first))),
      "renameat",
      "repair log",
      this.path,
    );
  }

  /** Creates a file of some name; one that is left of an earlier attempt is emptied. */
  createFile(name: string): OwnedFd {
    const fd = new OwnedFd(this.#open(name, abi.O_RDWR | abi.O_CREAT | abi.O_TRUNC));
    check(libc.fchmod(fd.fd, this.mode), "fchmod", "set the mode of a file of log", this.path);
    return fd;
  }

  /** Opens the file of a consumer; `undefined`: there is none of this name. */
  openConsumer(name: string, create: boolean): OwnedFd | undefined {
    const path = `${CONSUMERS}/${name}`;
    const flags = abi.O_RDWR | OPEN | (create ? abi.O_CREAT : 0);
    const fd = libc.openat(this.#fd.fd, cString(path), flags, this.mode);
    if (fd === -1) {
      const code = errno();
      if (code === ERRNO.ENOENT && !create) return undefined;
      throw failure(code, "openat", "open a consumer of log", this.path);
    }
    // The umask may have made it narrower.
    if (create) libc.fchmod(fd, this.mode);
    return new OwnedFd(fd);
  }

  /** Removes the place of a consumer; false: there was none. */
  removeConsumer(name: string): boolean {
    if (libc.unlinkat(this.#fd.fd, cString(`${CONSUMERS}/${name}`), 0) === 0) return true;
    const code = errno();
    if (code === ERRNO.ENOENT) return false;
    throw failure(code, "unlinkat", "remove a consumer of log", this.path);
  }

  /** Forces names to the disk. */
  sync(): void {
    check(libc.fsync(this.#fd.fd), "fsync", "flush log", this.path);
  }

  /** Another handle of the same directory, for who outlives this one. */
  again(): LogDirectory {
    const fd = libc.openat(this.#fd.fd, cString("."), abi.O_RDONLY | abi.O_DIRECTORY | OPEN, 0);
    check(fd, "openat", "open log", this.path);
    return new LogDirectory(this.path, new OwnedFd(fd), this.settings, this.mode);
  }

  close(): void {
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #open(name: string, flags: number): number {
    return check(
      libc.openat(this.#fd.fd, cString(name), flags | OPEN, this.mode),
      "openat",
      "open log",
      this.path,
    );
  }
}

/** Opens a directory for its names; by another name than errors call it, perhaps. */
function openDirectory(path: string, target: string): OwnedFd {
  const fd = libc.open(cString(path), abi.O_RDONLY | abi.O_DIRECTORY | OPEN, 0);
  if (fd !== -1) return new OwnedFd(fd);
  const code = errno();
  if (code === ERRNO.ENOENT) throw failure(code, "open", "open log", target, "log");
  if (code === ERRNO.ENOTDIR || code === ERRNO.ELOOP) {
    throw new UntrustedError(`Cannot open log "${target}": it is no directory`, { target });
  }
  throw failure(code, "open", "open log", target);
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
  using fd = new OwnedFd(
    check(libc.openat(directory, cString(name), flags, mode), "openat", "create log", path),
  );
  check(libc.fchmod(fd.fd, mode), "fchmod", "set the mode of a file of log", path);
  if (bytes.length === 0) return;
  const count = check(libc.pwrite(fd.fd, bytes, BigInt(bytes.length), 0n), "pwrite", "create log", path);
  if (count < bytes.length) throw failure(ERRNO.ENOSPC, "pwrite", "create log", path);
  check(libc.fsync(fd.fd), "fsync", "create log", path);
}

/** The text of a small file; `undefined`: there is none. */
function readAll(directory: number, name: string): string | undefined {
  const fd = libc.openat(directory, cString(name), abi.O_RDONLY | OPEN, 0);
  if (fd === -1) {
    const code = errno();
    if (code === ERRNO.ENOENT || code === ERRNO.ELOOP) return undefined;
    throw failure(code, "openat", "open", name);
  }
  using owned = new OwnedFd(fd);
  const buffer = new Uint8Array(4096);
  const count = check(libc.pread(owned.fd, buffer, 4096n, 0n), "pread", "read", name);
  return new TextDecoder().decode(buffer.subarray(0, count));
}

/** What a creation that failed has left. */
function removeAll(path: string): void {
  for (const name of [SETTINGS, LOCK]) libc.unlinkat(abi.AT_FDCWD, cString(`${path}/${name}`), 0);
  libc.rmdir(cString(`${path}/${CONSUMERS}`));
  libc.rmdir(cString(path));
}

/** The names in a directory, as they come. */
function namesIn(directory: number, path: string): string[] {
  const flags = abi.O_RDONLY | abi.O_DIRECTORY | abi.O_CLOEXEC;
  // One of its own, for its place among the names.
  using fd = new OwnedFd(check(libc.openat(directory, cString("."), flags, 0), "openat", "list log", path));
  const names: string[] = [];
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(32_768);
  const view = new DataView(buffer.buffer);
  for (;;) {
    const count = libc.getdents64(SYS_GETDENTS64, fd.fd, buffer, buffer.length);
    if (count === -1) throw failure(errno(), "getdents64", "list log", path);
    if (count === 0) return names;
    for (let at = 0; at < count; at += view.getUint16(at + dirent.d_reclen, true)) {
      const from = at + dirent.d_name;
      names.push(decoder.decode(buffer.subarray(from, buffer.indexOf(0, from))));
    }
  }
}
