/** Messages of a stream, and the descriptors that came with each. */

import type { Bytes } from "@ipc/core";
import type { Source } from "@ipc/core/base";
import type { OwnedFd } from "@ipc/core/sys";
import type { HandleDescriptor } from "./_handle_descriptor.ts";

/** A message, and what came with it. */
export interface MessageWithHandles {
  /** Its bytes. */
  readonly data: Bytes;
  /** The descriptors that came with it, close-on-exec: the receiver owns them and has to close them. */
  readonly handles: OwnedFd[];
}

/** A {@linkcode Source} that closes the descriptors which nobody asks for. */
export class HandleSource implements Source<Bytes> {
  readonly #source: Source<Bytes>;
  readonly #descriptor: HandleDescriptor;
  readonly #buffered: () => number;
  /** Taken to learn that it is there; it is the next. */
  #kept: { message?: MessageWithHandles; error?: unknown } | undefined;
  readonly block?: (timeout: number | undefined) => void;
  readonly takeSync?: () => Bytes | undefined;

  /** Takes messages from `source`, which reads from `descriptor` and has `buffered` bytes of that left. */
  constructor(source: Source<Bytes>, descriptor: HandleDescriptor, buffered: () => number) {
    this.#source = source;
    this.#descriptor = descriptor;
    this.#buffered = buffered;
    if (source.block !== undefined) this.block = (timeout) => source.block!(timeout);
    if (source.takeSync !== undefined) this.takeSync = () => this.#plain(() => source.takeSync!());
  }

  get ended(): boolean {
    return this.#kept === undefined && this.#source.ended;
  }

  take(): Bytes | undefined {
    return this.#plain(() => this.#source.take());
  }

  takeMany(max: number | undefined): Bytes[] | undefined {
    if (this.#kept !== undefined || this.#source.takeMany === undefined) {
      const message = this.take();
      return message && [message];
    }
    const messages = this.#source.takeMany(max);
    if (messages !== undefined) this.#descriptor.dropHandles(this.#buffered());
    return messages;
  }

  /** Takes one message with what came with it. */
  takeWithHandles(): MessageWithHandles | undefined {
    if (this.#kept === undefined) return this.#take();
    const { message, error } = this.#kept;
    this.#kept = undefined;
    if (message === undefined) throw error;
    return message;
  }

  ready(): boolean {
    if (this.#kept !== undefined) return true;
    try {
      const message = this.#take();
      if (message !== undefined) this.#kept = { message };
    } catch (error) {
      this.#kept = { error };
    }
    return this.#kept !== undefined || this.ended;
  }

  /** The message that is next, which it stays with what came with it; `undefined`: there is none now. */
  peek(): Bytes | undefined {
    return this.ready() ? this.#kept?.message?.data : undefined;
  }

  park(wake: () => void): () => void {
    return this.#source.park(wake);
  }

  close(): void {
    for (const handle of this.#kept?.message?.handles ?? []) handle.close();
    this.#kept = undefined;
    this.#source.close();
  }

  #take(): MessageWithHandles | undefined {
    const data = this.#source.take();
    return data && { data, handles: this.#descriptor.takeHandles(this.#buffered()) };
  }

  /** A message alone. */
  #plain(take: () => Bytes | undefined): Bytes | undefined {
    if (this.#kept !== undefined) {
      const { data, handles } = this.takeWithHandles()!;
      for (const handle of handles) handle.close();
      return data;
    }
    const message = take();
    if (message !== undefined) this.#descriptor.dropHandles(this.#buffered());
    return message;
  }
}
