/** What is appended to a file that other programs rotate, truncate and remove. */

import { type Bytes, type Decoder, ERRNO, type Framing } from "@ipc/core";
import type { Source } from "@ipc/core/base";
import { abi, cString, failure, OwnedFd, stat } from "@ipc/core/sys";
import { IN_ATTRIB, IN_CREATE, IN_MODIFY, IN_MOVED_FROM, IN_MOVED_TO } from "./_abi.ts";
import { attempt, must } from "./_call.ts";
import { libc } from "./_libc.ts";
import { Watch } from "./_watch.ts";

const CHANGES = IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM;

/** A {@linkcode Source} of what is appended to a file. */
export class FollowSource implements Source<Bytes> {
  readonly ended = false;
  readonly #path: string;
  readonly #framing: Framing;
  #watch: Watch;
  #decoder: Decoder;
  #file: OwnedFd | undefined;
  /** What its folder does not tell of the file. */
  #watches: readonly Watch[] = [];
  #at = 0;
  /** Whether what is in the decoder is the beginning of a line that is passed over, for it is too long. */
  #passing = false;

  constructor(path: string, framing: Framing, fromEnd: boolean) {
    this.#path = path;
    this.#framing = framing;
    this.#decoder = framing.decoder();
    // Before the first look, so that no change between the two is missed.
    this.#watch = watchFolder(path);
    try {
      this.#open();
      if (fromEnd && this.#file !== undefined) this.#at = stat(this.#file.fd).size;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  take(): Bytes | undefined {
    if (this.#watch.gone) {
      // Its folder went, and there is another by now; or an error says so.
      const watch = watchFolder(this.#path);
      this.#watch.close();
      this.#watch = watch;
      for (const each of this.#watches) each.waiter = watch;
    }
    for (;;) {
      let message: Bytes | undefined;
      try {
        message = this.#decoder.next();
      } catch (error) {
        this.#passOver();
        throw error;
      }
      if (message !== undefined) return message;
      const rest = this.#read();
      if (typeof rest === "object") return rest;
      if (!rest) return undefined;
    }
  }

  park(wake: () => void): () => void {
    return this.#watch.park(wake);
  }

  block(timeout: number | undefined): void {
    this.#watch.block(timeout);
  }

  close(): void {
    this.#watch.close();
    for (const watch of this.#watches) watch.close();
    this.#watches = [];
    this.#file?.close();
    this.#file = undefined;
  }

  /** Reads on; false: nothing has come. What was left at the end of a file that has lost its name is a message. */
  #read(): boolean | Bytes {
    if (this.#file === undefined) return this.#open();
    const file = this.#file.fd;
    const { size, ino, dev } = stat(file);
    if (size < this.#at) {
      this.#at = 0;
      this.#decoder = this.#framing.decoder();
      this.#passing = false;
    }
    if (size > this.#at) return this.#readFrom(file);
    using successor = openFile(this.#path);
    if (successor === undefined) return false;
    const now = stat(successor.fd);
    if (now.ino === ino && now.dev === dev) return false;
    // What was written into the old one before the new one had its name.
    if (stat(file).size > this.#at) return this.#readFrom(file);
    const passing = this.#passing;
    const old = this.#decoder;
    this.#begin(successor);
    // A frame that was cut is told of, and the new file begins all the same.
    if (this.delimiter === undefined) old.end();
    const rest = old.drain();
    return rest.length > 0 && !passing ? rest : true;
  }

  #readFrom(fd: number): boolean {
    const room = this.#decoder.room();
    const count = must(
      () => libc.pread(fd, room, BigInt(room.length), BigInt(this.#at)),
      "pread",
      "follow",
      this.#path,
    );
    this.#at += count;
    if (!this.#passing) this.#decoder.commit(count);
    else {
      const end = room.subarray(0, count).indexOf(this.delimiter!);
      if (end !== -1) {
        this.#passing = false;
        this.#decoder = this.#framing.decoder();
        this.#decoder.push(room.slice(end + 1, count));
      }
    }
    return count > 0;
  }

  /** What the decoder cannot read is passed over: to the end of the line, or of the file where there are no lines. */
  #passOver(): void {
    const rest = this.#decoder.drain();
    this.#decoder = this.#framing.decoder();
    const { delimiter } = this;
    if (delimiter === undefined) {
      this.#at = this.#file === undefined ? 0 : stat(this.#file.fd).size;
      return;
    }
    const end = rest.indexOf(delimiter);
    if (end === -1) this.#passing = true;
    else this.#decoder.push(rest.subarray(end + 1));
  }

  #open(): boolean {
    using file = openFile(this.#path);
    if (file === undefined) return false;
    this.#begin(file);
    return true;
  }

  /** Takes a file over, and goes on with its first byte. */
  #begin(file: OwnedFd): void {
    const watches = watchFile(file.fd, this.#path, this.#watch);
    for (const watch of this.#watches) watch.close();
    this.#watches = watches;
    this.#file?.close();
    this.#file = new OwnedFd(file.take());
    this.#at = 0;
    this.#decoder = this.#framing.decoder();
    this.#passing = false;
  }

  /** The byte that ends a message, where one does. */
  get delimiter(): number | undefined {
    const { suffix } = this.#framing;
    return this.#framing.maxPrefix === 0 && suffix.length === 1 ? suffix[0] : undefined;
  }
}

/** Watches the folder of a file for what happens to the file. */
function watchFolder(path: string, waiter?: Watch): Watch {
  const end = path.lastIndexOf("/") + 1;
  return new Watch(path.slice(0, end) || ".", CHANGES, path, { name: path.slice(end), waiter });
}

/**
 * Watches an open file, for where it has another name beside this nothing is told of what is written through that; and
 * where this is a symbolic link also the folder that the file lies in, where it is rotated.
 */
function watchFile(fd: number, path: string, waiter: Watch): Watch[] {
  const place = `/proc/self/fd/${fd}`;
  const watches = [new Watch(place, IN_MODIFY | IN_ATTRIB, path, { waiter })];
  if (readLink(path) === undefined) return watches;
  try {
    const target = readLink(place) ?? path;
    watches.push(watchFolder(target, waiter));
    return watches;
  } catch (error) {
    for (const watch of watches) watch.close();
    throw error;
  }
}

/** Where a symbolic link leads; `undefined`: it is none. */
function readLink(path: string): string | undefined {
  const name = cString(path);
  const buffer = new Uint8Array(4096);
  const length = attempt(() => libc.readlink(name, buffer, 4096n));
  return length < 0 ? undefined : new TextDecoder().decode(buffer.subarray(0, length));
}

/** Opens a file for reading; `undefined`: there is none at this moment. */
function openFile(path: string): OwnedFd | undefined {
  const name = cString(path);
  // Not waiting, should it be a FIFO.
  const fd = attempt(() => libc.open(name, abi.O_RDONLY | abi.O_NONBLOCK | abi.O_CLOEXEC, 0));
  if (fd >= 0) return new OwnedFd(fd);
  if (fd === -ERRNO.ENOENT) return undefined;
  throw failure(-fd, "open", "follow", path);
}
