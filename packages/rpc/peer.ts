/** One side of a connection, which can call and answer. */

import { LimitError } from "@ipc/core";
import { prepare } from "./_methods.ts";
import { Session } from "./_session.ts";
import type { RpcChannel } from "./channel.ts";
import type { CallOptions, PeerOptions, ServeOptions } from "./options.ts";

/**
 * One side of a connection: it calls the methods of the other and answers for its own, at once.
 *
 * It owns the channel, and receives from it from now on. {@linkcode client} and {@linkcode serve} make one for a
 * channel; make it yourself to do both over one channel, for names that are known only at run time, and for
 * batches. It makes no system calls of its own.
 *
 * @example Both ends call
 * ```ts
 * import { client, RpcPeer, serve } from "@ipc/rpc";
 * import { duplex } from "@ipc/core";
 * import { createPipe } from "@ipc/pipe";
 * import { assertEquals } from "@std/assert";
 *
 * interface Here { name(): string }
 * interface There { greet(): string }
 * const [up, down] = [createPipe(), createPipe()];
 * await using here = new RpcPeer(duplex(down.reader, up.writer));
 * serve<Here>(here, { name: () => "Ada" });
 * await using there = new RpcPeer(duplex(up.reader, down.writer));
 * serve<There>(there, { greet: async () => `Hello ${await client<Here>(there).name()}` });
 *
 * assertEquals(await client<There>(here).greet(), "Hello Ada");
 * ```
 */
export class RpcPeer implements Disposable, AsyncDisposable {
  readonly #session: Session;

  /**
   * Takes the channel over.
   *
   * @throws {RangeError} if a limit is not a whole number above 0, or `firstId` none at all.
   */
  constructor(channel: RpcChannel, options: PeerOptions = {}) {
    this.#session = new Session(this, channel, options);
  }

  /** Resolves when the connection is over, with the channel's error if that was the end of it. Never rejects. */
  get closed(): Promise<unknown> {
    return this.#session.closed;
  }

  /** Whether the connection is over: calls reject at once, and nothing of them is sent. */
  get over(): boolean {
    return this.#session.over || this.#session.deaf;
  }

  /** How many calls of this side wait for an answer. */
  get calls(): number {
    return this.#session.calls.size;
  }

  /** How many methods of this side run for the other. */
  get running(): number {
    return this.#session.answers.size;
  }

  /** How many streams are open and functions held, here and there. */
  get references(): number {
    return this.#session.streams.size + this.#session.callbacks.size;
  }

  /**
   * Calls a method of the other side by name, with an array of parameters by position or an object by name.
   *
   * The promise can also be iterated, where the answer is a stream or an array: leaving the iteration ends the stream.
   *
   * @throws {RpcError} as the other side answered.
   * @throws {TimeoutError} if there was no answer within `timeout`.
   * @throws {DisconnectedError} if the other side is gone; whether it did the work is not known.
   * @throws {ClosedError} if this peer was closed.
   * @throws {LimitError} if too many calls wait already.
   * @throws {MessageTooLongError} if the request is longer than the channel carries, or the answer longer than allowed.
   * @throws {DecodeError} if the answer is nested deeper than allowed, or no JSON.
   * @throws {TypeError} if a parameter cannot be sent, as what is nested in itself.
   */
  call(
    method: string,
    params?: readonly unknown[] | object,
    options?: CallOptions,
  ): Promise<unknown> & AsyncIterable<unknown> {
    return this.#session.calls.call(method, params, options) as Promise<unknown> & AsyncIterable<unknown>;
  }

  /**
   * Sends a notification: nothing is answered, not even an error. Resolves when the channel has room again.
   *
   * @throws {DisconnectedError} if the other side is gone.
   * @throws {ClosedError} if this peer was closed.
   * @throws {LimitError} if too much waits to be sent already.
   * @throws {MessageTooLongError} if it is longer than the channel carries.
   */
  async notify(method: string, params?: readonly unknown[] | object): Promise<void> {
    const session = this.#session;
    const { outbox } = session;
    if (session.over) throw session.gone(`notify ${method}`);
    if (outbox.full) {
      throw new LimitError(`Cannot notify ${method}: ${outbox.bytes} bytes wait to be sent already`);
    }
    const sent = session.request(undefined, method, params, undefined);
    const end = typeof sent === "number" ? sent : await sent!;
    const room = outbox.room();
    await room;
    // The end of the connection makes room as well.
    if (room !== undefined && session.over && end > outbox.taken) throw session.gone(`notify ${method}`);
  }

  /**
   * Sends the calls and notifications that `make` makes before it returns as one batch.
   *
   * @example
   * ```ts ignore
   * const [sum, product] = await Promise.all(peer.batch(() => [api.add(1, 2), api.multiply(3, 4)]));
   * ```
   */
  batch<T>(make: () => T): T {
    return this.#session.batch(make);
  }

  /**
   * Serves methods; those with {@linkcode serve} have types.
   *
   * @throws {TypeError} if one is no function, is served already, or has a name that is reserved.
   */
  serve(handlers: object, options: Pick<ServeOptions, "caller" | "info"> = {}): void {
    if (options.caller !== undefined) this.#session.caller = options.caller;
    if (options.info !== undefined) this.#session.info = options.info;
    this.#session.answers.serve(prepare(handlers));
  }

  /**
   * Closes after what runs on this side is answered and everything is sent.
   *
   * @throws {DisconnectedError} if the connection broke before a notification was sent.
   */
  end(): Promise<void> {
    return this.#session.finish();
  }

  /** Closes at once: calls that wait fail with a `ClosedError`, methods that run see their signal abort. */
  close(): void {
    this.#session.close();
  }

  /** The same as {@linkcode RpcPeer.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** The same as {@linkcode RpcPeer.end}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }
}
