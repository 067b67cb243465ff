/** TCP and WebSocket for the torture: a listener here, and a process that connects. */

import { BrokenPipeError, type Bytes, type Receiver, type WaitOptions } from "@ipc/core";
import type { TortureEnds, TortureMechanism } from "@ipc/core/testing";
import { listenTcp } from "../tcp_listener.ts";
import { connectTcp, type TcpStream } from "../tcp.ts";
import { connectWebSocket, type WebSocketOptions } from "../web_socket.ts";
import { listenWebSocket } from "../web_socket_listener.ts";
import { openTcp, openWebSocket } from "./net_pairs.ts";

/** A process that collects garbage all the time takes long to start. */
const CEILING = { timeout: 60_000 };

/**
 * A connection whose reset between two messages is its end: a process that is killed with something unread resets
 * its connections, which is told as a `BrokenPipeError`, for what it sent last may be lost.
 */
class Resettable implements Receiver {
  readonly #stream: Receiver;

  constructor(stream: Receiver) {
    this.#stream = stream;
  }

  get ended(): boolean {
    return this.#stream.ended;
  }

  get readable(): ReadableStream<Bytes> {
    return this.#stream.readable;
  }

  receive(options?: WaitOptions): Promise<Bytes | undefined> {
    return this.#stream.receive(options).catch((error) => atReset(error, undefined));
  }

  receiveBatch(options?: WaitOptions & { max?: number }): Promise<Bytes[]> {
    return this.#stream.receiveBatch(options).catch((error) => atReset(error, []));
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Bytes> {
    const iterator = this.#stream[Symbol.asyncIterator]();
    return {
      next: () => iterator.next().catch((error) => atReset(error, { done: true as const, value: undefined })),
      return: () => iterator.return!(),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  close(): void {
    this.#stream.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stream[Symbol.asyncDispose]();
  }
}

/** The same with the calls that block. */
class ResettableTcp extends Resettable {
  readonly #stream: TcpStream;

  constructor(stream: TcpStream) {
    super(stream);
    this.#stream = stream;
  }

  tryReceive(): Bytes | undefined {
    try {
      return this.#stream.tryReceive();
    } catch (error) {
      return atReset(error, undefined);
    }
  }

  receiveSync(options?: { timeout?: number }): Bytes | undefined {
    try {
      return this.#stream.receiveSync(options);
    } catch (error) {
      return atReset(error, undefined);
    }
  }
}

function atReset<T>(error: unknown, end: T): T {
  if (error instanceof BrokenPipeError && error.code === "ECONNRESET") return end;
  throw error;
}

function endsOf(channel: TcpStream): Required<TortureEnds> {
  return { sender: channel, receiver: new ResettableTcp(channel) };
}

/** Messages framed in a TCP connection over the loopback interface. */
export const tcp: TortureMechanism = {
  name: "tcp",
  module: import.meta.url,
  export: "tcp",
  roles: ["send", "receive", "both"],
  open: () => openTcp({ sendBufferSize: 128 * 1024, receiveBufferSize: 128 * 1024 }),
  start: async (programs) => {
    using listener = await listenTcp("127.0.0.1:0");
    const { command, args } = programs[0]!;
    const process = new Deno.Command(command, { args: [...args, listener.address], stdin: "null" }).spawn();
    return { ...endsOf((await listener.accept(CEILING))!), processes: [process] };
  },
  join: async (_, [address]) => endsOf(await connectTcp(address!)),
};

/** Nothing holds a peer back: what comes faster than it is received is kept. */
const KEPT: WebSocketOptions = { maxBufferedBytes: 2 ** 30 };

/** Whole messages. Ending one direction ends both, so that only one of them is used. */
export const ws: TortureMechanism = {
  name: "ws",
  module: import.meta.url,
  export: "ws",
  roles: ["send", "receive"],
  backPressure: false,
  open: () => openWebSocket({ maxQueuedBytes: 1024 * 1024 }),
  start: async (programs) => {
    const listener = await listenWebSocket("ws://127.0.0.1:0/", KEPT);
    const { command, args } = programs[0]!;
    const process = new Deno.Command(command, { args: [...args, listener.address], stdin: "null" }).spawn();
    const channel = (await listener.accept(CEILING))!;
    const cleanup = () => listener[Symbol.asyncDispose]();
    return { sender: channel, receiver: new Resettable(channel), processes: [process], cleanup };
  },
  join: async (_, [address]) => {
    const channel = await connectWebSocket(address!, KEPT);
    return { sender: channel, receiver: new Resettable(channel) };
  },
};
