/** Where connections arrive. */

import type { SyncChannel, SyncOptions, WaitOptions } from "@ipc/core";
import { BaseReceiver, type Source } from "@ipc/core/base";

/** What a mechanism brings for a {@linkcode Listener}: connections are what it receives. */
export interface ListenerSource<C> extends Source<C> {
  /** The address as text, as `connect` takes it; what was chosen by the system is filled in. */
  readonly address: string;
  /** The listening descriptor, where there is one. */
  readonly fd: number | undefined;
  /** How many accepted connections are open. */
  readonly connections: number;
  /** How many connections were closed at once because they were not authorised, or `authorize` threw. */
  readonly refused: number;
  /**
   * How many milliseconds after an error others can be accepted: 0 where it was one connection's. `undefined`: it
   * lasts.
   */
  retryAfter?(error: unknown): number | undefined;
  /** Settles when nothing of it is left, some time after it was closed. */
  readonly finished?: Promise<void>;
}

/**
 * Accepts connections at an address, each as a channel.
 *
 * It owns the listening socket until it is closed; the channels that it gave belong to whoever took them and outlive
 * it. While nobody waits for a connection it does not keep the process alive, and those who connect wait in the
 * kernel, as many as `backlog` says.
 *
 * @example
 * ```ts
 * import { connect, listen } from "@ipc/socket";
 * import { assertEquals } from "@std/assert";
 *
 * const address = `unix:${await Deno.makeTempDir()}/echo.sock` as const;
 * await using listener = await listen(address);
 * (async () => {
 *   for await (const channel of listener) {
 *     for await (const message of channel) await channel.send(message);
 *     channel.close();
 *   }
 * })();
 * await using channel = await connect(address);
 * await channel.send(new Uint8Array([1, 2]));
 * assertEquals(await channel.receive(), new Uint8Array([1, 2]));
 * ```
 */
export class Listener<C = SyncChannel> implements AsyncIterable<C>, Disposable, AsyncDisposable {
  readonly #source: ListenerSource<C>;
  readonly #receiver: BaseReceiver<C>;

  /** Makes a listener that owns `source`. Programs use `listen`. */
  constructor(source: ListenerSource<C>) {
    this.#source = source;
    this.#receiver = new BaseReceiver<C>(source);
  }

  /** The address as text, as `connect` takes it; what was chosen by the system is filled in. */
  get address(): string {
    return this.#source.address;
  }

  /** The listening descriptor, for passing on; it stays owned here. `undefined` where the runtime itself listens. */
  get fd(): number | undefined {
    return this.#source.fd;
  }

  /** How many accepted connections are open. */
  get connections(): number {
    return this.#source.connections;
  }

  /** How many connections were closed at once because they were not authorised, or `authorize` threw. */
  get refused(): number {
    return this.#source.refused;
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#receiver.closed;
  }

  /**
   * Waits for a connection; `undefined`: the listener was closed meanwhile. System call: `accept4`.
   *
   * @throws {TimeoutError} if nobody came within `timeout`.
   * @throws {LimitError} if the process has no descriptor left; the connection waits on.
   * @throws {ClosedError} if the listener is closed already.
   */
  accept(options?: WaitOptions): Promise<C | undefined> {
    return this.#receiver.receive(options);
  }

  /** Accepts without waiting; `undefined`: nobody is there. Throws as `accept` does. */
  tryAccept(): C | undefined {
    return this.#receiver.tryReceive();
  }

  /**
   * Accepts, blocking this thread until somebody is there. Throws as `accept` does.
   *
   * @throws {LimitError} if as many connections are open as may be, for none of them can close meanwhile.
   * @throws {NotSupportedError} where the runtime itself listens.
   */
  acceptSync(options?: SyncOptions): C | undefined {
    return this.#receiver.receiveSync(options);
  }

  /**
   * Iterates over the connections until the listener is closed; leaving early leaves it open.
   *
   * What goes wrong with one connection, as where `authorize` throws, costs that one: `accept` throws it, and this
   * goes on. While the process has no descriptor left it waits.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<C> {
    const connections = this.#receiver[Symbol.asyncIterator]();
    const iterator: AsyncIterableIterator<C> = {
      next: async () => {
        while (true) {
          try {
            return await connections.next();
          } catch (error) {
            const pause = this.#source.retryAfter?.(error);
            if (pause === undefined) throw error;
            await new Promise((resolve) => setTimeout(resolve, pause));
          }
        }
      },
      return: () => connections.return!(),
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /**
   * Stops listening: who waits is given `undefined`, and a path goes away if it is still this socket's. Channels that
   * were accepted stay open. Calling it again does nothing.
   */
  close(): void {
    this.#receiver.close();
  }

  /** The same as {@linkcode Listener.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** The same as {@linkcode Listener.close}, and waits until nothing is left of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#source.finished;
  }
}
