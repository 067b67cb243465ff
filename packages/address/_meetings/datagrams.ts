/**
 * A channel through datagrams of this machine.
 *
 * They know no end. So the connection through which the far end gets its socket stays: nothing is sent there any more,
 * and when it ends, or who holds it has ended, nothing more comes.
 */

import type { Bytes, SyncChannel } from "@ipc/core";
import { BaseSender, BaseSyncChannel, type Sink, type Source } from "@ipc/core/base";
import { abi, Descriptor, waitFor } from "@ipc/core/sys";
import { connectUnix, socketPair, UnixDatagram, type UnixSeqpacket } from "@ipc/socket";
import type { FarEnd } from "../meeting.ts";
import { gone } from "./slots.ts";
import { acceptUnix } from "./sockets.ts";

/** How long a thread blocks before it looks at the connection, in milliseconds. */
const PERIOD = 1000;

/** Starts the far end, and sends it one of two sockets that are connected to each other. */
export async function near(far: FarEnd): Promise<SyncChannel> {
  const line = await acceptUnix("unix-seqpacket", far) as UnixSeqpacket;
  using made = new DisposableStack();
  made.use(line);
  const [here, there] = socketPair("datagram");
  made.use(here);
  using _ = there;
  await line.sendHandles(new Uint8Array(1), [there]);
  made.move();
  return channelOf(new Link(here, line));
}

/** Opens the far end. */
export async function far([path]: readonly string[]): Promise<SyncChannel> {
  const line = await connectUnix({ type: "unix-seqpacket", path: path! }) as UnixSeqpacket;
  try {
    const [handle] = (await line.receiveWithHandles())?.handles ?? [];
    if (handle === undefined) throw gone();
    return channelOf(new Link(new UnixDatagram(handle.take()), line));
  } catch (error) {
    line.close();
    throw error;
  }
}

function channelOf(link: Link): SyncChannel {
  return new BaseSyncChannel(new LinkSource(link), new BaseSender(new LinkSink(link)));
}

/** A socket, and the connection that tells whether the other end sends any more. */
class Link {
  readonly #socket: Descriptor;
  readonly #line: Descriptor;
  #stale = true;
  #ended = false;

  constructor(readonly socket: UnixDatagram, readonly line: UnixSeqpacket) {
    this.#socket = new Descriptor(socket.fd, { shared: true });
    this.#line = new Descriptor(line.fd, { shared: true });
  }

  /** Whether the other end sends no more, as is looked up after something has changed or nothing has come for long. */
  get ended(): boolean {
    if (this.#stale) {
      this.#stale = false;
      this.#ended = this.#line.poll(abi.POLLIN, 0) !== 0;
    }
    return this.#ended;
  }

  park(wake: () => void): () => void {
    const woken = () => {
      for (const giveUp of waits) giveUp();
      this.#stale = true;
      wake();
    };
    const waits = [waitFor(this.socket.fd, "readable", woken), waitFor(this.line.fd, "readable", woken)];
    return () => waits.forEach((giveUp) => giveUp());
  }

  block(timeout = Infinity): void {
    this.#stale = this.#socket.poll(abi.POLLIN, Math.min(timeout, PERIOD)) === 0;
  }
}

class LinkSource implements Source<Bytes> {
  readonly #link: Link;
  ended = false;

  constructor(link: Link) {
    this.#link = link;
  }

  take(): Bytes | undefined {
    const { socket } = this.#link;
    const message = socket.tryReceive();
    if (message !== undefined || !this.#link.ended) return message;
    // What came before the end is there by now.
    const last = socket.tryReceive();
    this.ended = last === undefined;
    return last;
  }

  park(wake: () => void): () => void {
    return this.#link.park(wake);
  }

  block(timeout: number | undefined): void {
    this.#link.block(timeout);
  }

  close(): void {
    this.#link.socket.close();
    this.#link.line.close();
  }
}

/** That the other end has gone, the kernel tells who sends. */
class LinkSink implements Sink {
  readonly begun = false;
  readonly #link: Link;
  readonly #socket: Descriptor;

  constructor(link: Link) {
    this.#link = link;
    this.#socket = new Descriptor(link.socket.fd, { shared: true });
  }

  get maxMessageSize(): number {
    return this.#link.socket.maxMessageSize;
  }

  put(message: Uint8Array): boolean {
    return this.#link.socket.trySend(message);
  }

  finish(): boolean {
    return true;
  }

  detach(): void {}

  park = (wake: () => void): () => void => waitFor(this.#link.socket.fd, "writable", wake);

  block(timeout: number | undefined): void {
    this.#socket.poll(abi.POLLOUT, timeout);
  }

  async end(): Promise<void> {
    await this.#link.line.end();
  }

  close(): void {}
}
