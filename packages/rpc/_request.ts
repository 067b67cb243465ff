import type { Batch } from "./_batch.ts";
import type { RpcContext } from "./context.ts";
import type { PreparedMethod } from "./_methods.ts";
import type { OutgoingStream } from "./_outgoing_stream.ts";
import type { Revival } from "./_revival.ts";
import type { RpcPeer } from "./peer.ts";
import type { Session } from "./_session.ts";

/** The longest delay that a timer takes. */
const MAX_DELAY = 2 ** 31 - 1;

/** A request of the other side, and how far its answer is. */
export class Request {
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
  /** What came among its parameters: streams are taken until it is answered. */
  came: Revival | undefined;
  /** Whether the bytes that came with it are counted as kept. */
  held = false;

  constructor(
    session: Session,
    /** Undefined: nothing is to be answered. */
    readonly id: string | number | null | undefined,
    readonly method: string,
    readonly handler: PreparedMethod,
    timeout: number | undefined,
    readonly batch: Batch | undefined,
    /** How long the message was that it came in. */
    readonly length: number,
  ) {
    this.#session = session;
    this.#deadline = timeout === undefined ? undefined : session.clock.now() + timeout;
  }

  /** What the method sees as `this`. */
  get context(): RpcContext {
    return new Context(this, this.#session);
  }

  /** Made when it is asked for. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Milliseconds that remain of the caller's time. */
  get timeout(): number | undefined {
    return this.#deadline === undefined ? undefined : Math.max(0, this.#deadline - this.#session.clock.now());
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
    this.came?.leaveStreams();
  }
}

/** What a method sees of its request, and no more. */
class Context implements RpcContext {
  readonly #request: Request;
  readonly #session: Session;

  constructor(request: Request, session: Session) {
    this.#request = request;
    this.#session = session;
  }

  get signal(): AbortSignal {
    return this.#request.signal;
  }

  get timeout(): number | undefined {
    return this.#request.timeout;
  }

  get peer(): RpcPeer {
    return this.#session.peer;
  }

  get caller(): unknown {
    return this.#session.caller;
  }

  get method(): string {
    return this.#request.method;
  }
}
