/** A channel inside one process, two ends of it, and a raw end that speaks text. */

import type { RpcChannel } from "../mod.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** When a message arrives: `deliver` is called then, at once or later, in order. */
export type Delay = (deliver: () => void) => void;

/** One end: messages go to the other end after a delay. */
export class LinkEnd implements RpcChannel {
  other!: LinkEnd;
  readonly #arrived: Uint8Array[] = [];
  readonly #waiters: ((message: Uint8Array[]) => void)[] = [];
  #ended = false;
  closed = false;

  constructor(private readonly delay: Delay, readonly maxMessageSize: number) {}

  send(message: Uint8Array): Promise<void> {
    return this.sendBatch([message]);
  }

  sendBatch(messages: Iterable<Uint8Array>): Promise<void> {
    if (this.closed) return Promise.reject(new Error("Cannot send: closed"));
    if (this.other.closed) return Promise.reject(new Error("Cannot send: nobody receives"));
    const all = [...messages];
    return new Promise((resolve) =>
      this.delay(() => {
        this.other.arrive(all);
        resolve();
      })
    );
  }

  async receive(): Promise<Uint8Array | undefined> {
    if (this.#arrived.length > 0) return this.#arrived.shift();
    const [first, ...rest] = await this.receiveBatch();
    this.#arrived.unshift(...rest);
    return first;
  }

  receiveBatch(): Promise<Uint8Array[]> {
    if (this.#arrived.length > 0 || this.#ended) return Promise.resolve(this.#arrived.splice(0));
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.finish();
    this.delay(() => this.other.finish());
  }

  /** Closes at once what the other end hears, as a process does that dies. */
  die(): void {
    this.close();
  }

  arrive(messages: Uint8Array[]): void {
    if (this.#ended) return;
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#arrived.push(...messages);
    else waiter(messages);
  }

  finish(): void {
    this.#ended = true;
    for (const waiter of this.#waiters.splice(0)) waiter([]);
  }
}

export interface LinkOptions {
  delay?: Delay;
  maxMessageSize?: number;
}

/** Two ends of a channel. */
export function link({ delay = (deliver) => deliver(), maxMessageSize = Infinity }: LinkOptions = {}): [
  LinkEnd,
  LinkEnd,
] {
  const [left, right] = [new LinkEnd(delay, maxMessageSize), new LinkEnd(delay, maxMessageSize)];
  left.other = right;
  right.other = left;
  return [left, right];
}

/** Speaks text over an end, as a foreign program would. */
export class Raw {
  constructor(readonly end: LinkEnd) {}

  send(message: string | Uint8Array | object): Promise<void> {
    if (message instanceof Uint8Array) return this.end.send(message);
    return this.end.send(encoder.encode(typeof message === "string" ? message : JSON.stringify(message)));
  }

  /** The next message as it came. */
  async bytes(): Promise<Uint8Array | undefined> {
    return await this.end.receive();
  }

  /** The next message, parsed. */
  async next(): Promise<unknown> {
    const message = await this.end.receive();
    return message === undefined ? undefined : JSON.parse(decoder.decode(message));
  }

  /** The answer to a message; nothing of what came before may be left. */
  async ask(message: string | Uint8Array | object): Promise<unknown> {
    await this.send(message);
    return await this.next();
  }

  /** What came until now, once the other end had its turn: for messages that nothing is answered to. */
  async silent(): Promise<boolean> {
    const answer = await this.ask({ jsonrpc: "2.0", id: "still there", method: "is it still there?" });
    return (answer as { id: unknown }).id === "still there";
  }
}
