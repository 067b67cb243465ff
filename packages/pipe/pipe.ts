/** The two ends of a pipe, and how a pipe is made. */

import { type Bytes, type Framing, lengthPrefix, type SyncOptions, type WaitOptions } from "@ipc/core";
import { BaseReceiver, BaseSender, type Sink } from "@ipc/core/base";
import { abi, ByteSink, ByteSource, check, Descriptor, UNFRAMED } from "@ipc/core/sys";
import { packets, PacketSink } from "./_packet.ts";
import { libc } from "./_libc.ts";

/** The most bytes of a write that the kernel keeps in one piece: 4096 on Linux. */
export const PIPE_BUF: number = abi.PIPE_BUF;

/** How a pipe is made. */
export interface PipeOptions {
  /** How messages are marked in the stream of bytes; a length of four bytes before each unless told. */
  framing?: Framing | undefined;
  /** Bytes that the kernel holds between the ends; it rounds up. 65,536 unless told. */
  capacity?: number | undefined;
  /** Lets the kernel keep the boundaries: each message is a packet of 1 to {@linkcode PIPE_BUF} bytes. */
  packet?: boolean | undefined;
  /** The most bytes that wait to be sent before `send` throws a `LimitError`; 16 MiB unless told. */
  maxQueuedBytes?: number | undefined;
}

/**
 * The reading end of a pipe.
 *
 * It owns a descriptor until it is closed. System calls: `read`, `poll`, `fcntl`, and the runtime's reactor.
 *
 * @example
 * ```ts
 * import { createPipe } from "@ipc/pipe";
 * import { assertEquals } from "@std/assert";
 *
 * using pipe = createPipe();
 * pipe.writer.sendSync(new Uint8Array([1, 2]));
 * assertEquals(pipe.reader.receiveSync(), new Uint8Array([1, 2]));
 * ```
 */
export class PipeReader extends BaseReceiver<Bytes> {
  readonly #descriptor: Descriptor;
  readonly #source: ByteSource;

  /** Takes over the descriptor of a reading end. Most programs use {@linkcode createPipe}. */
  constructor(descriptor: Descriptor, framing: Framing = lengthPrefix()) {
    const source = new ByteSource(descriptor, framing.decoder());
    super(source);
    this.#descriptor = descriptor;
    this.#source = source;
  }

  /** The descriptor's number, for passing on; it stays owned here. */
  get fd(): number {
    return this.#descriptor.fd;
  }

  /** Bytes that the kernel can hold between the ends (F_GETPIPE_SZ). */
  get capacity(): number {
    return getCapacity(this.#descriptor);
  }

  /** Asks for room for so many bytes between the ends (F_SETPIPE_SZ); the kernel rounds up. */
  set capacity(bytes: number) {
    setCapacity(this.#descriptor, bytes);
  }

  /** Bytes in the kernel that were not read yet (FIONREAD). */
  get available(): number {
    const count = new Int32Array(1);
    check(libc.ioctl(this.fd, BigInt(abi.FIONREAD), count), "ioctl", "count the bytes in pipe", this.fd);
    return count[0]!;
  }

  /** Bytes that were read from the kernel and belong to no message yet. */
  get buffered(): number {
    return this.#source.buffered;
  }

  /**
   * Reads bytes as they are, without regard to messages; `null` is the end.
   *
   * Do not mix it with `receive` unless the sender does so at the same places.
   *
   * @throws {IpcError} with code `EBUSY` if `select` or `merge` has looked at a message that nobody has received.
   */
  async read(into: Uint8Array, options?: WaitOptions): Promise<number | null> {
    this.checkNoneKept();
    return await this.receiveWith(() => this.#source.takeBytes(into), options) ?? null;
  }

  /** {@linkcode PipeReader.read}, blocking this thread. */
  readSync(into: Uint8Array, options?: SyncOptions): number | null {
    this.checkNoneKept();
    return this.receiveSyncWith(() => this.#source.takeBytes(into), options) ?? null;
  }
}

/**
 * The writing end of a pipe.
 *
 * It owns a descriptor until it is ended or closed. Messages sent in one turn leave in one `write`.
 * System calls: `write`, `poll`, `fcntl`, and `epoll_wait` while there is no room.
 *
 * @example
 * ```ts
 * import { createPipe } from "@ipc/pipe";
 * import { assertEquals } from "@std/assert";
 *
 * await using pipe = createPipe({ capacity: 1024 * 1024 });
 * await pipe.writer.sendBatch([new Uint8Array(10), new Uint8Array(0)]);
 * assertEquals((await pipe.reader.receiveBatch()).map((message) => message.length), [10, 0]);
 * ```
 */
export class PipeWriter extends BaseSender {
  readonly #descriptor: Descriptor;

  /** Takes over the descriptor of a writing end. Most programs use {@linkcode createPipe}. */
  constructor(
    descriptor: Descriptor,
    options: { framing?: Framing | undefined; sink?: Sink | undefined; maxQueuedBytes?: number | undefined } =
      {},
  ) {
    const { framing = lengthPrefix(), sink = new ByteSink(descriptor, framing), maxQueuedBytes } = options;
    super(sink, { maxQueuedBytes });
    this.#descriptor = descriptor;
  }

  /** The descriptor's number, for passing on; it stays owned here. */
  get fd(): number {
    return this.#descriptor.fd;
  }

  /** Bytes that the kernel can hold between the ends (F_GETPIPE_SZ). */
  get capacity(): number {
    return getCapacity(this.#descriptor);
  }

  /** Asks for room for so many bytes between the ends (F_SETPIPE_SZ); the kernel rounds up. */
  set capacity(bytes: number) {
    setCapacity(this.#descriptor, bytes);
  }

  /** Writes all the bytes as they are, without a frame; resolves with their number. */
  async write(bytes: Uint8Array, options?: WaitOptions): Promise<number> {
    await this.sendWith(bytes, options, UNFRAMED);
    return bytes.byteLength;
  }

  /** {@linkcode PipeWriter.write}, blocking this thread. */
  writeSync(bytes: Uint8Array, options: SyncOptions = {}): number {
    this.sendSyncWith(bytes, options, UNFRAMED);
    return bytes.byteLength;
  }
}

/** A pipe: what is sent into `writer` comes out of `reader`. Disposing of it closes both. */
export interface Pipe extends Disposable, AsyncDisposable {
  /** The end that messages come out of. */
  readonly reader: PipeReader;
  /** The end that messages go into. */
  readonly writer: PipeWriter;
}

/**
 * Makes a pipe inside this process; both ends are close-on-exec from birth.
 *
 * System calls: `pipe2`, and `fcntl` for a capacity.
 *
 * @throws {LimitError} if descriptors are used up.
 * @throws {PermissionError} if the capacity is over `/proc/sys/fs/pipe-max-size`.
 *
 * @example
 * ```ts
 * import { createPipe } from "@ipc/pipe";
 * import { assertEquals } from "@std/assert";
 *
 * using pipe = createPipe({ packet: true });
 * await pipe.writer.send(new Uint8Array([7]));
 * assertEquals(await pipe.reader.receive(), new Uint8Array([7]));
 * ```
 */
export function createPipe(options: PipeOptions = {}): Pipe {
  const { capacity, packet = false, framing, maxQueuedBytes } = options;
  if (packet && framing !== undefined) {
    throw new TypeError("Cannot create pipe: packets need no framing, give one or the other");
  }
  if (capacity !== undefined) checkCapacity(capacity);
  const [readFd, writeFd] = pipeDescriptors(packet ? abi.O_DIRECT : 0);
  const input = new Descriptor(readFd);
  const output = new Descriptor(writeFd);
  try {
    if (capacity !== undefined) setCapacity(output, capacity);
  } catch (error) {
    input.close();
    output.close();
    throw error;
  }
  const reader = new PipeReader(input, packet ? packets : framing);
  const sink = packet ? new PacketSink(output) : undefined;
  const writer = new PipeWriter(output, { framing, sink, maxQueuedBytes });
  return {
    reader,
    writer,
    [Symbol.dispose]() {
      writer.close();
      reader.close();
    },
    async [Symbol.asyncDispose]() {
      // A pipe within one process may be full: whoever disposes of it reads no more.
      writer.close();
      await reader[Symbol.asyncDispose]();
    },
  };
}

/** The two descriptors of a new pipe, close-on-exec: reading end, writing end. */
export function pipeDescriptors(flags: number = 0): [number, number] {
  const fds = new Int32Array(2);
  check(libc.pipe2(fds, abi.O_CLOEXEC | flags), "pipe2", "create pipe");
  return [fds[0]!, fds[1]!];
}

function checkCapacity(bytes: number): void {
  if (Number.isInteger(bytes) && bytes > 0 && bytes <= 0x7fff_ffff) return;
  throw new RangeError(
    `Cannot set the capacity of pipe to ${bytes}: it is a whole number of bytes, 1 or more`,
  );
}

function setCapacity(descriptor: Descriptor, bytes: number): void {
  checkCapacity(bytes);
  check(
    libc.fcntl(descriptor.fd, abi.F_SETPIPE_SZ, bytes),
    "fcntl",
    "set the capacity of pipe",
    descriptor.target,
  );
}

function getCapacity(descriptor: Descriptor): number {
  return check(
    libc.fcntl(descriptor.fd, abi.F_GETPIPE_SZ, 0),
    "fcntl",
    "read the capacity of pipe",
    descriptor.target,
  );
}
