/** The reading end of a FIFO. */

import type { Bytes, Framing } from "@ipc/core";
import { BaseReceiver } from "@ipc/core/base";
import { abi, ByteSource, check, type OwnedFd } from "@ipc/core/sys";
import { FifoDescriptor, fifoWaiting } from "./_fifo_descriptor.ts";
import { FragmentSource } from "./_fragment_source.ts";
import { FragmentDecoder } from "./_fragments.ts";
import { libc } from "./_libc.ts";

/** What {@linkcode FifoReader} is made of. */
export interface FifoReaderInit {
  /** The descriptor of a reading end, non-blocking; the reader owns it from now on. */
  fd: number;
  /** The path that it was opened by. */
  path: string;
  /** How messages are marked in the stream of bytes; a number is the longest message of this package's own format. */
  framing: Framing | number;
  /** A writing end that the reader holds, so that there is always one. */
  writer?: OwnedFd | undefined;
}

/**
 * The reading end of a FIFO.
 *
 * It owns a descriptor until it is closed; with `keepOpen` two. Before the first writer comes, a receive waits;
 * when writers have come and all have gone, that is the end. A writer that dies in the middle of a message costs
 * that message only: one receive throws a `TruncatedError`, and the messages of the others go on.
 *
 * System calls: `read`, `poll`, `fcntl`, and while it waits the runtime's reactor; `epoll_wait` before there is
 * a writer.
 *
 * @example
 * ```ts
 * import { Fifo, mkfifo } from "@ipc/fifo";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `${await Deno.makeTempDir()}/jobs`;
 * mkfifo(path);
 * await using reader = await Fifo.open(path, "read");
 * await using writer = await Fifo.open(path, "write");
 * writer.sendSync(new Uint8Array([1, 2]));
 * assertEquals(reader.available, 6);
 * assertEquals(reader.receiveSync(), new Uint8Array([1, 2]));
 * ```
 */
export class FifoReader extends BaseReceiver<Bytes> {
  /** The path that it was opened by. */
  readonly path: string;
  readonly #descriptor: FifoDescriptor;
  readonly #writer: OwnedFd | undefined;

  /** Takes over a descriptor. Programs use `Fifo.open`. */
  constructor(init: FifoReaderInit) {
    const { fd, path, framing, writer } = init;
    const descriptor = new FifoDescriptor(fd, { nonblocking: true, target: path });
    super(
      typeof framing === "number"
        ? new FragmentSource(descriptor, new FragmentDecoder(framing))
        : new ByteSource(descriptor, framing.decoder(), fifoWaiting(descriptor)),
    );
    this.path = path;
    this.#descriptor = descriptor;
    this.#writer = writer;
  }

  /** The descriptor's number, for passing on; it stays owned here. */
  get fd(): number {
    return this.#descriptor.fd;
  }

  /** Bytes in the kernel that were not read yet, with what marks the messages (FIONREAD). */
  get available(): number {
    const count = new Int32Array(1);
    check(libc.ioctl(this.fd, BigInt(abi.FIONREAD), count), "ioctl", "count the bytes in FIFO", this.path);
    return count[0]!;
  }

  /** Closes at once: pending receives give `undefined`, later ones throw. The FIFO's name stays. */
  override close(): void {
    super.close();
    this.#writer?.close();
  }
}
