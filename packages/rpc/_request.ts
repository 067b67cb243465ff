import type { Batch } from "./_batch.ts";
import type { RpcContext } from "./context.ts";
import type { PreparedMethod } from "./_methods.ts";
import type { IncomingStream } from "./_incoming_stream.ts";
import type { OutgoingStream } from "./_outgoing_stream.ts";
import type { RpcPeer } from "./peer.ts";
import type { Session } from "./_session.ts";

/** The longest delay that a timer takes. */
const MAX_DELAY = 2 ** 31 - 1;

/** A request of the other side: what its method sees as its context, and how far its answer is. */
export class Request implements RpcContext {
  readonly #session: Session;
  readonly #deadline: number | undefined;
  #controller: AbortController | undefined;
  #reason: unknown;
  #aborted = false;
  params: unknown[] | Record<string, unknown> | undefined;
  /** Whether nothing more is to be answered. */
  answered = false;
  timer: unknown;
  stream: OutgoingStream | undefined;
  /** Hears once that nobody wants the answer. */
  onAbort: (() => void) | undefined;
  /** Streams among its parameters, which are taken until it is answered. */
  taken: IncomingStream[] | undefined;

  constructor(
    session: Session,
    /** Undefined: nothing is to be answered. */
    readonly id: string | number | null | undefined,
    readonly method: string,
    readonly handler: PreparedMethod,
    timeout: number | undefined,
    readonly batch: Batch | undefined,
  ) {
    this.#session = session;
    this.#deadline = timeout === undefined ? undefined : session.clock.now() + timeout;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  get timeout(): number | undefined {
    return this.#deadline === undefined ? undefined : Math.max(0, this.#deadline - this.#session.clock.now());
  }

  get peer(): RpcPeer {
    return this.#session.peer;
  }

  get caller(): unknown {
    return this.#session.caller;
  }

  /** Tells the method that nobody wants its answer. */
  abort(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    this.#controller?.abort(reason);
    this.onAbort?.();
  }

  startTimer(expire: () => void): void {
    const { timeout } = this;
    if (timeout !== undefined && timeout <= MAX_DELAY) {
      this.timer = this.#session.clock.setTimeout(expire, timeout);
    }
  }

  release(): void {
    if (this.timer !== undefined) this.#session.clock.clearTimeout(this.timer);
    this.timer = undefined;
    if (this.taken !== undefined) { for (const stream of this.taken.splice(0)) void stream.return(); }
  }
}
