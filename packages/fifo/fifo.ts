/** Opening a FIFO. */

import {
  AlreadyExistsError,
  duplex,
  type Framing,
  framing as framingByName,
  type FramingName,
  type SyncChannel,
  type WaitOptions,
} from "@ipc/core";
import { abi, OwnedFd } from "@ipc/core/sys";
import { FifoReader } from "./fifo_reader.ts";
import { FifoWriter } from "./fifo_writer.ts";
import { mkfifo } from "./mkfifo.ts";
import { checkWait, openAgain, openForWriting, openNow } from "./_open.ts";

/** How an end of a FIFO is opened. The time limit and the signal are for the opening. */
export interface FifoOptions extends WaitOptions {
  /**
   * How messages are marked in the stream of bytes. Unless told, in a format of this package's own, which keeps the
   * messages of several writers apart; `"lines"`, `"raw"` and the others are for programs that do not know it.
   */
  framing?: Framing | FramingName | undefined;
  /** The longest message in bytes, 16 MiB unless told; not beside a framing object, which has its own limit. */
  maxMessageSize?: number | undefined;
  /** Users by number, besides the effective user of this process, who may own the FIFO. */
  allowOwner?: number | readonly number[] | undefined;
  /** Who besides the owner may be able to write into it by its mode: nobody unless told. */
  allowWriters?: "group" | "all" | undefined;
  /** Makes the FIFO if there is nothing of that name. */
  create?: boolean | undefined;
  /** The exact mode of a FIFO that `create` makes; 0o600 unless told. */
  mode?: number | undefined;
}

/** How a reading end is opened. */
export interface FifoReadOptions extends FifoOptions {
  /** Whether the reader survives its last writer: it then holds a writing end itself, and there is no end. */
  keepOpen?: boolean | undefined;
}

/** How a writing end is opened. */
export interface FifoWriteOptions extends FifoOptions {
  /** The most bytes that wait to be sent before `send` throws a `LimitError`; 16 MiB unless told. */
  maxQueuedBytes?: number | undefined;
}

/** How a channel over two FIFOs is opened. */
export interface FifoPairOptions extends FifoReadOptions, FifoWriteOptions {}

/** A named pipe: a name in the file system at which any number of writers meet one reader. */
export abstract class Fifo {
  /**
   * Opens the reading end; a writer need not be there yet.
   *
   * There should be one reader: the kernel gives each byte to whoever asks first. System calls: `open`, `fstat`.
   *
   * @throws {NotFoundError} if there is nothing of this name.
   * @throws {NotSupportedError} if it is not a FIFO.
   * @throws {UntrustedError} if it is a symbolic link, somebody else's, or others may write into it.
   * @throws {PermissionError} if it may not be opened.
   *
   * @example
   * ```ts
   * import { Fifo } from "@ipc/fifo";
   * import { assertEquals } from "@std/assert";
   *
   * const path = `${await Deno.makeTempDir()}/lines`;
   * await using reader = await Fifo.open(path, "read", { create: true, framing: "lines" });
   * const shell = new Deno.Command("sh", { args: ["-c", 'echo hello > "$1"', "sh", path] }).spawn();
   * assertEquals(new TextDecoder().decode(await reader.receive()), "hello");
   * await shell.status;
   * ```
   */
  static open(path: string, direction: "read", options?: FifoReadOptions): Promise<FifoReader>;
  /**
   * Opens the writing end; waits until somebody has opened the FIFO for reading.
   *
   * The wait blocks neither the event loop nor a thread: it looks again every 1 to 10 ms.
   *
   * @throws {TimeoutError} if nobody did within `timeout`; its `cause` is the kernel's ENXIO.
   * @throws {NotFoundError} if there is nothing of this name.
   * @throws {NotSupportedError} if it is not a FIFO.
   * @throws {UntrustedError} if it is a symbolic link, somebody else's, or others may write into it.
   * @throws {PermissionError} if it may not be opened.
   *
   * @example
   * ```ts
   * import { Fifo } from "@ipc/fifo";
   * import { TimeoutError } from "@ipc/core";
   * import { assertRejects } from "@std/assert";
   *
   * const path = `${await Deno.makeTempDir()}/jobs`;
   * await assertRejects(() => Fifo.open(path, "write", { create: true, timeout: 0 }), TimeoutError);
   * ```
   */
  static open(path: string, direction: "write", options?: FifoWriteOptions): Promise<FifoWriter>;
  /** Opens an end of a FIFO. */
  static async open(
    path: string,
    direction: "read" | "write",
    options: FifoPairOptions = {},
  ): Promise<FifoReader | FifoWriter> {
    checkWait(options);
    const framing = chooseFraming(options);
    if (direction !== "read" && direction !== "write") {
      throw new TypeError(`Cannot open FIFO "${path}" for "${direction}": it is "read" or "write"`);
    }
    if (options.create) createMissing(path, options.mode);
    return direction === "read" ? openReader(path, framing, options) : new FifoWriter({
      fd: await openForWriting(path, options, options),
      path,
      framing,
      maxQueuedBytes: options.maxQueuedBytes,
    });
  }

  /**
   * Opens two FIFOs as one channel: receives from the first, sends into the second.
   *
   * The other process opens them the other way round. Both may do so at the same time, for each opens its reading
   * end first.
   *
   * @throws {TimeoutError} if nobody opened the second for reading within `timeout`.
   *
   * @example
   * ```ts
   * import { Fifo } from "@ipc/fifo";
   * import { assertEquals } from "@std/assert";
   *
   * const folder = await Deno.makeTempDir();
   * const [here, there] = await Promise.all([
   *   Fifo.openPair(`${folder}/in`, `${folder}/out`, { create: true }),
   *   Fifo.openPair(`${folder}/out`, `${folder}/in`, { create: true }),
   * ]);
   * await using _ = here, __ = there;
   * await here.send(new Uint8Array([1]));
   * await there.send((await there.receive())!);
   * assertEquals(await here.receive(), new Uint8Array([1]));
   * ```
   */
  static async openPair(
    readPath: string,
    writePath: string,
    options: FifoPairOptions = {},
  ): Promise<SyncChannel> {
    const reader = await Fifo.open(readPath, "read", options);
    try {
      return duplex(reader, await Fifo.open(writePath, "write", options));
    } catch (error) {
      reader.close();
      throw error;
    }
  }
}

function openReader(
  path: string,
  framing: Framing | number,
  options: FifoReadOptions,
): FifoReader {
  using fd = new OwnedFd(openNow(path, abi.O_RDONLY, options));
  // There is a reader now, so that this does not wait.
  const writer = options.keepOpen ? new OwnedFd(openAgain(path, fd.fd, abi.O_WRONLY)) : undefined;
  return new FifoReader({ fd: fd.take(), path, framing, writer });
}

function chooseFraming({ framing, maxMessageSize }: FifoOptions): Framing | number {
  if (typeof framing === "object") {
    if (maxMessageSize === undefined) return framing;
    throw new TypeError("Cannot open FIFO: a framing has a limit of its own, give one or the other");
  }
  if (framing !== undefined) return framingByName(framing, { maxMessageSize });
  const { maxMessageSize: checked } = framingByName("length", { maxMessageSize });
  return checked;
}

function createMissing(path: string, mode: number | undefined): void {
  try {
    mkfifo(path, { mode });
  } catch (error) {
    if (!(error instanceof AlreadyExistsError)) throw error;
  }
}
