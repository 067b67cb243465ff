/** The writing end of a FIFO. */

import type { Framing } from "@ipc/core";
import { BaseSender } from "@ipc/core/base";
import { ByteSink, Descriptor } from "@ipc/core/sys";
import { FragmentSink } from "./_fragment_sink.ts";
import { LONGEST_WRITE } from "./_fragments.ts";

/** What {@linkcode FifoWriter} is made of. */
export interface FifoWriterInit {
  /** The descriptor of a writing end, non-blocking; the writer owns it from now on. */
  fd: number;
  /** The path that it was opened by. */
  path: string;
  /** How messages are marked in the stream of bytes; a number is the longest message of this package's own format. */
  framing: Framing | number;
  /** The most bytes that wait to be sent before `send` throws a `LimitError`; 16 MiB unless told. */
  maxQueuedBytes?: number | undefined;
}

/**
 * The writing end of a FIFO, one of any number.
 *
 * It owns a descriptor until it is ended or closed. Each `write` has at most 4096 bytes, which the kernel keeps in
 * one piece: small messages of one turn share one, a long message is several. Only a foreign framing's messages
 * beyond that length are written as they are, and may mix with those of other writers.
 *
 * System calls: `write`, `poll`, `fcntl`, and `epoll_wait` while there is no room.
 *
 * @example
 * ```ts
 * import { Fifo, mkfifo } from "@ipc/fifo";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `${await Deno.makeTempDir()}/jobs`;
 * mkfifo(path);
 * await using reader = await Fifo.open(path, "read");
 * await using one = await Fifo.open(path, "write");
 * await using two = await Fifo.open(path, "write");
 * await one.send(new Uint8Array([1]));
 * await two.send(new Uint8Array([2]));
 * assertEquals(await reader.receiveBatch(), [new Uint8Array([1]), new Uint8Array([2])]);
 * ```
 */
export class FifoWriter extends BaseSender {
  /** The path that it was opened by. */
  readonly path: string;
  readonly #descriptor: Descriptor;

  /** Takes over a descriptor. Programs use `Fifo.open`. */
  constructor(init: FifoWriterInit) {
    const { fd, path, framing, maxQueuedBytes } = init;
    const descriptor = new Descriptor(fd, { nonblocking: true, target: path });
    super(
      typeof framing === "number"
        ? new FragmentSink(descriptor, framing)
        : new ByteSink(descriptor, framing, { maxWrite: LONGEST_WRITE }),
      { maxQueuedBytes },
    );
    this.path = path;
    this.#descriptor = descriptor;
  }

  /** The descriptor's number, for passing on; it stays owned here. */
  get fd(): number {
    return this.#descriptor.fd;
  }
}
