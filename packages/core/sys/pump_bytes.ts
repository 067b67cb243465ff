/**
 * Bytes from one descriptor to another inside the kernel.
 *
 * @module
 */

import type { WaitOptions } from "../channel.ts";
import { nextTurn } from "../base/_ladder.ts";
import { ERRNO } from "../errno.ts";
import { ClosedError } from "../errors.ts";
import { abi } from "./abi.ts";
import { errno, failure } from "./errno.ts";
import { libc } from "./_libc.ts";
import { waitFor } from "./poller.ts";

/** An end that bytes come out of: the reading end of a pipe or a FIFO. */
export interface ByteInput {
  /** Its descriptor. */
  readonly fd: number;
  /** Whether it was closed. */
  readonly closed: boolean;
  /** Bytes that were read ahead and belong to no message yet. */
  readonly buffered: number;
  /** Reads bytes as they are; `null` is the end. */
  read(into: Uint8Array, options?: WaitOptions): Promise<number | null>;
}

/** An end that bytes go into: the writing end of a pipe or a FIFO. */
export interface ByteOutput {
  /** Its descriptor. */
  readonly fd: number;
  /** Whether it was closed. */
  readonly closed: boolean;
  /** Writes all the bytes as they are. */
  write(bytes: Uint8Array, options?: WaitOptions): Promise<number>;
}

/** The most that one call moves. */
const MOST = 1024 * 1024;

/**
 * Moves bytes until the end of `from` and resolves with their number; nothing is closed.
 *
 * System calls: `splice`, which copies nothing through this process; `read` and `write` where the kernel
 * cannot splice the two.
 *
 * @throws {BrokenPipeError} if nobody reads from `to`.
 * @throws {ClosedError} if one of the two is closed, also meanwhile.
 * @throws {IpcError} with code `EBUSY` if `select` has looked at a message of `from` that nobody has received.
 *
 * @example
 * ```ts
 * import { pumpBytes } from "@ipc/core/sys";
 * import { createPipe } from "@ipc/pipe";
 * import { assertEquals } from "@std/assert";
 *
 * using a = createPipe();
 * using b = createPipe();
 * await a.writer.send(new Uint8Array([1, 2, 3]));
 * await a.writer.end();
 * assertEquals(await pumpBytes(a.reader, b.writer), 7);
 * assertEquals(await b.reader.receive(), new Uint8Array([1, 2, 3]));
 * ```
 */
export async function pumpBytes(from: ByteInput, to: ByteOutput, options: WaitOptions = {}): Promise<number> {
  const { signal } = options;
  let total = 0;
  // What was read ahead comes first, and what was sent before and still waits.
  const buffer = new Uint8Array(64 * 1024);
  await from.read(buffer.subarray(0, 0), options);
  while (from.buffered > 0) {
    const count = await from.read(buffer.subarray(0, Math.min(from.buffered, buffer.byteLength)), options);
    total += await to.write(buffer.subarray(0, count ?? 0), options);
  }
  await to.write(new Uint8Array(0), options);
  while (true) {
    signal?.throwIfAborted();
    if (from.closed || to.closed) throw new ClosedError("Cannot move bytes: an end was closed");
    const count = libc.splice(
      from.fd,
      null,
      to.fd,
      null,
      BigInt(MOST),
      abi.SPLICE_F_MOVE | abi.SPLICE_F_NONBLOCK,
    );
    if (count === 0) return total;
    if (count > 0) {
      total += count;
      await new Promise<void>((resolve) => nextTurn(resolve));
      continue;
    }
    const code = errno();
    if (code === ERRNO.EINVAL) return total + await copy(from, to, options);
    if (code === ERRNO.EAGAIN) {
      // Either side may be the one that is not ready.
      await ready(from.fd, "readable", signal);
      await ready(to.fd, "writable", signal);
    } else if (code !== ERRNO.EINTR) throw failure(code, "splice", "move bytes to", to.fd);
  }
}

async function copy(from: ByteInput, to: ByteOutput, options: WaitOptions): Promise<number> {
  const buffer = new Uint8Array(256 * 1024);
  let total = 0;
  while (true) {
    const count = await from.read(buffer, options);
    if (count === null) return total;
    total += await to.write(buffer.subarray(0, count), options);
  }
}

function ready(
  fd: number,
  interest: "readable" | "writable",
  signal: AbortSignal | undefined,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const giveUp = waitFor(fd, interest, resolve);
  const abort = () => {
    giveUp();
    reject(signal!.reason);
  };
  signal?.addEventListener("abort", abort, { once: true });
  return promise.finally(() => signal?.removeEventListener("abort", abort));
}
