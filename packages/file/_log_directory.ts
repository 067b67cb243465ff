/** The directory of a log: its settings, its lock, and its segments. */

import {
  AlreadyExistsError,
  ClosedError,
  ERRNO,
  IpcError,
  NotFoundError,
  RemovedError,
  UntrustedError,
} from "@ipc/core";
import { abi, cString, OwnedFd, stat } from "@ipc/core/sys";
import { AT_REMOVEDIR } from "./_abi.ts";
import { ActiveSegment } from "./_active_segment.ts";
import { attempt, must } from "./_call.ts";
import {
  type Access,
  createFileIn,
  namesIn,
  openFileIn,
  openFolder,
  openFolderIn,
  readTextIn,
  renameFolder,
  setMode,
  unlinkIn,
  writeFileIn,
} from "./_folder.ts";
import { libc } from "./_libc.ts";
import { decodeSettings, encodeSettings, type LogSettings } from "./_settings.ts";

/** Whose logs are trusted, besides those of the effective user of this process. */
export interface LogTrustOptions {
  /** Users by number who may own the log, or `"any"` for whoever it is. */
  allowOwner?: number | readonly number[] | "any" | undefined;
}

const SETTINGS = "settings";
/** Whose first byte is locked by who appends. */
const LOCK = "lock";
const ACTIVE = "active";
const CONSUMERS = "consumers";
const CONSUMER = /^[\w-][\w.-]{0,254}$/;
const DIGITS = 20;
const SEGMENT = new RegExp(`^(\\d{${DIGITS}})\\.log$`);
/** What a repair that died has left. */
const LEFT = /^repair\.\d+$/;
/** Writers that begin a segment while a log is removed have begun no other after so many looks. */
const MOST_LOOKS = 100;

/** Owns the descriptor of the directory. */
export class LogDirectory implements Disposable {
  readonly path: string;
  readonly settings: LogSettings;
  /** Permission bits of its records. */
  readonly mode: number;
  readonly #fd: OwnedFd;

  private constructor(path: string, fd: OwnedFd, settings: LogSettings, mode: number) {
    this.path = path;
    this.#fd = fd;
    this.settings = settings;
    this.mode = mode;
  }

  /** Makes a log that is seen only when it is whole. */
  static create(name: string, settings: LogSettings, mode: number): LogDirectory {
    const path = trimmed(name);
    const made = `${path}.${crypto.randomUUID()}`;
    const bytes = cString(made);
    must(() => libc.mkdir(bytes, 0o700), "mkdir", "create log", path);
    let fd: OwnedFd | undefined;
    try {
      fd = openFolder(made, path);
      const directory = fd.fd;
      writeFileIn(directory, SETTINGS, encodeSettings(settings), mode, path);
      writeFileIn(directory, ACTIVE, new Uint8Array(8), mode, path);
      writeFileIn(directory, LOCK, new Uint8Array(0), writersOnly(mode), path);
      must(() => libc.mkdirat(directory, cString(CONSUMERS), 0o700), "mkdirat", "create log", path);
      using consumers = openFolder(`${made}/${CONSUMERS}`, path);
      setMode(consumers.fd, searchable(mode), path);
      setMode(directory, searchable(mode), path);
      must(() => libc.fsync(directory), "fsync", "create log", path);
      renameFolder(made, path, "create log", path);
    } catch (error) {
      fd?.close();
      removeMade(made);
      throw error;
    }
    syncParent(path);
    return new LogDirectory(path, fd, settings, mode);
  }

  /** Opens a log that exists. */
  static open(name: string, trust: LogTrustOptions): LogDirectory {
    const path = trimmed(name);
    return LogDirectory.#openAt(path, path, trust);
  }

  /**
   * Removes a log with all that a log has in it, and nothing else.
   *
   * It loses its name first, so that nobody finds a part of it, and those who have it open find out by themselves.
   */
  static remove(name: string, trust: LogTrustOptions): void {
    const path = trimmed(name);
    {
      using directory = LogDirectory.open(path, trust);
      directory.#checkOwnFiles();
    }
    const away = `${path}.${crypto.randomUUID()}`;
    renameFolder(path, away, "remove log", path);
    try {
      // Perhaps it is another than a moment ago.
      using directory = LogDirectory.#openAt(away, path, trust);
      directory.#checkOwnFiles();
      directory.#empty(away);
    } catch (error) {
      // What could not be removed is what it was, unless there is something else by now.
      attempt(() => libc.rename(cString(away), cString(path)));
      throw error;
    }
  }

  static #openAt(place: string, path: string, trust: LogTrustOptions): LogDirectory {
    const fd = openFolder(place, path);
    try {
      const { uid, mode } = stat(fd.fd);
      checkOwner(uid, mode, path, trust);
      const text = readTextIn(fd.fd, SETTINGS, path);
      if (text !== undefined) return new LogDirectory(path, fd, decodeSettings(text, path), mode & 0o666);
      if (namesIn(fd.fd, path).length > 0) {
        throw new UntrustedError(`Cannot open log "${path}": it is a directory, and no log`, {
          target: path,
        });
      }
      throw new NotFoundError(`Cannot open log "${path}": it is an empty directory`, {
        code: "ENOENT",
        target: path,
      });
    } catch (error) {
      fd.close();
      throw error;
    }
  }

  /** The descriptor. */
  get fd(): number {
    if (this.#fd.closed) throw new ClosedError(`Cannot use log "${this.path}": it was closed here`);
    return this.#fd.fd;
  }

  /**
   * The first sequences of the segments, in their order.
   *
   * @throws {RemovedError} if the log was removed.
   */
  segments(): number[] {
    const names = namesIn(this.fd, this.path);
    if (!names.includes(SETTINGS)) throw this.#removed();
    const found = names.map((name) => SEGMENT.exec(name)?.[1]).filter((name) => name !== undefined);
    return found.map(Number).filter(Number.isSafeInteger).sort((a, b) => a - b);
  }

  /** The names of the consumers, in the order of the alphabet. */
  consumers(): string[] {
    return this.#consumerNames().filter((name) => CONSUMER.test(name)).sort();
  }

  /** Opens the file whose lock keeps writers apart, with an open file description of its own. */
  openLock(): OwnedFd {
    const file = openFileIn(this.fd, LOCK, "write", this.path);
    if (file === undefined) throw this.#removed();
    return file;
  }

  /** Opens the note of which segment is appended to. */
  openActive(access: Access): ActiveSegment {
    const file = openFileIn(this.fd, ACTIVE, access, this.path);
    if (file === undefined) throw this.#removed();
    return new ActiveSegment(file, this.path);
  }

  /** Opens a segment; `undefined`: there is none of this first sequence. */
  openSegment(first: number, access: Access): OwnedFd | undefined {
    return openFileIn(this.fd, segmentName(first), access, this.path);
  }

  /** Creates a segment, or opens the one that a writer has created before it died. */
  createSegment(first: number): OwnedFd {
    return this.openSegment(first, "write") ??
      createFileIn(this.fd, segmentName(first), this.mode, this.path);
  }

  /** Removes a segment, which who reads it still can. */
  removeSegment(first: number): void {
    attempt(() => libc.unlinkat(this.fd, cString(segmentName(first)), 0));
  }

  /** Writes a segment by `write`; it is seen only when it is whole, and stays as it is where there is one already. */
  addSegment(first: number, write: (fd: number) => void): void {
    using existing = this.openSegment(first, "read");
    if (existing !== undefined) return;
    const { fd } = this;
    const left = `repair.${first}`;
    const name = cString(left);
    unlinkIn(fd, left, this.path);
    try {
      using file = createFileIn(fd, left, this.mode, this.path);
      write(file.fd);
      must(() => libc.fsync(file.fd), "fsync", "repair log", this.path);
      const target = cString(segmentName(first));
      must(() => libc.renameat(fd, name, fd, target), "renameat", "repair log", this.path);
    } finally {
      attempt(() => libc.unlinkat(fd, name, 0));
    }
  }

  /** Opens the file of a consumer; `undefined`: there is none of this name. */
  openConsumer(name: string, access: Access): OwnedFd | undefined {
    checkName(name);
    using folder = openFolderIn(this.fd, CONSUMERS, this.path);
    return folder && openFileIn(folder.fd, name, access, this.path);
  }

  /** Creates the file of a consumer, or opens the one of who came at the same time. */
  createConsumer(name: string): OwnedFd {
    checkName(name);
    using folder = openFolderIn(this.fd, CONSUMERS, this.path);
    if (folder === undefined) throw this.#removed();
    try {
      using file = createFileIn(folder.fd, name, writersOnly(this.mode), this.path);
      must(() => libc.fsync(folder.fd), "fsync", "create consumer", name);
      return new OwnedFd(file.take());
    } catch (error) {
      const existing = error instanceof AlreadyExistsError
        ? openFileIn(folder.fd, name, "write", this.path)
        : undefined;
      if (existing === undefined) throw error;
      return existing;
    }
  }

  /** Removes the place of a consumer; false: there was none. */
  removeConsumer(name: string): boolean {
    checkName(name);
    using folder = openFolderIn(this.fd, CONSUMERS, this.path);
    return folder !== undefined && unlinkIn(folder.fd, name, this.path);
  }

  /** Forces names to the disk. */
  sync(): void {
    must(() => libc.fsync(this.fd), "fsync", "flush log", this.path);
  }

  /** Another handle of the same directory, for who outlives this one. */
  again(): LogDirectory {
    const fd = openFolderIn(this.fd, ".", this.path);
    if (fd === undefined) throw this.#removed();
    return new LogDirectory(this.path, fd, this.settings, this.mode);
  }

  close(): void {
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #consumerNames(): string[] {
    using folder = openFolderIn(this.fd, CONSUMERS, this.path);
    return folder === undefined ? [] : namesIn(folder.fd, this.path);
  }

  /** Nothing is removed where there is something that is not the log's. */
  #checkOwnFiles(): void {
    const own = [SETTINGS, ACTIVE, LOCK, CONSUMERS];
    const odd =
      namesIn(this.fd, this.path).find((name) =>
        !own.includes(name) && !SEGMENT.test(name) && !LEFT.test(name)
      ) ?? this.#consumerNames().find((name) => !CONSUMER.test(name));
    if (odd === undefined) return;
    throw new IpcError(`Cannot remove log "${this.path}": there is "${odd}" in it, which is not the log's`, {
      code: "ENOTEMPTY",
      errno: ERRNO.ENOTEMPTY,
      target: this.path,
    });
  }

  /** Removes all there is, and then the directory, which has the name `place` by now. */
  #empty(place: string): void {
    const { fd, path } = this;
    // Without it nobody begins a segment: one who has just looked does so once.
    unlinkIn(fd, LOCK, path);
    const name = cString(place);
    for (let looks = 1;; looks++) {
      for (const each of namesIn(fd, path)) {
        if (SEGMENT.test(each) || LEFT.test(each)) unlinkIn(fd, each, path);
      }
      for (const consumer of this.consumers()) this.removeConsumer(consumer);
      unlinkIn(fd, CONSUMERS, path, AT_REMOVEDIR);
      unlinkIn(fd, ACTIVE, path);
      unlinkIn(fd, SETTINGS, path);
      const result = attempt(() => libc.rmdir(name));
      if (result === 0) return;
      if (result !== -ERRNO.ENOTEMPTY || looks === MOST_LOOKS) {
        must(() => libc.rmdir(name), "rmdir", "remove log", path);
        return;
      }
    }
  }

  #removed(): RemovedError {
    return new RemovedError(`Cannot use log "${this.path}": it was removed`, { target: this.path });
  }
}

/** A path that ends with a slash would lead through a symbolic link. */
function trimmed(path: string): string {
  return path.replace(/(?<=.)\/+$/, "");
}

/** Forces the name of a log to the disk, as far as its folder may be read and its file system can. */
function syncParent(path: string): void {
  const folder = cString(path.replace(/[^/]*$/, "") || ".");
  const fd = attempt(() => libc.open(folder, abi.O_RDONLY | abi.O_DIRECTORY | abi.O_CLOEXEC, 0));
  if (fd < 0) return;
  attempt(() => libc.fsync(fd));
  libc.close(fd);
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

function checkName(name: string): void {
  if (CONSUMER.test(name)) return;
  throw new TypeError(`Cannot use consumer "${name}": a name is 1 to 255 letters, digits, ".", "_" and "-"`);
}

/** Whoever may read files in it may search it; where a group may write, what one of it creates is the group's. */
function searchable(mode: number): number {
  return mode | (mode & 0o444) >> 2 | (mode & 0o020) << 6;
}

/** Without reading for whom there is no writing: who may open a file to read it can lock it, and stop all others. */
function writersOnly(mode: number): number {
  const writing = mode & 0o222;
  return writing | writing << 1 & mode;
}

function segmentName(first: number): string {
  return `${String(first).padStart(DIGITS, "0")}.log`;
}

/** What a creation that failed has left. */
function removeMade(path: string): void {
  for (const name of [SETTINGS, ACTIVE, LOCK]) {
    libc.unlinkat(abi.AT_FDCWD, cString(`${path}/${name}`), 0);
  }
  libc.rmdir(cString(`${path}/${CONSUMERS}`));
  libc.rmdir(cString(path));
}
