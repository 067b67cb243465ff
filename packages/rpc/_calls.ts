import { DecodeError, LimitError, MessageTooLongError, TimeoutError } from "@ipc/core";
import { toError } from "./_errors.ts";
import type { Session } from "./_session.ts";
import { IncomingStream } from "./_incoming_stream.ts";
import { iteratorOf } from "./_iterate.ts";
import { CALLBACK } from "./_methods.ts";
import type { CallOptions } from "./options.ts";
import { RPC_CODE, type RpcError } from "./rpc_error.ts";

/** The longest delay that a timer takes. */
const MAX_DELAY = 2 ** 31 - 1;

/** The property of a call's promise that has the call. */
const CALL = Symbol("call");

interface CallPromise extends Promise<unknown> {
  [CALL]: Call;
  [Symbol.asyncIterator]: typeof iterate;
}

/** A call of this side that has no answer yet, or whose answer is a stream that goes on. */
class Call {
  resolve!: (value: unknown) => void;
  reject!: (reason: unknown) => void;
  timer: unknown;
  signal: AbortSignal | undefined;
  stream: IncomingStream | undefined;
  onAbort: (() => void) | undefined;
  settled = false;
  timeout: number | undefined;

  constructor(readonly session: Session, readonly id: number, readonly method: string) {}

  /** What is called, for errors to tell. */
  get name(): string {
    return this.method === CALLBACK ? "the callback" : this.method;
  }

  /** Gives it up: the caller hears why and the peer that it may stop. */
  abort(reason: unknown): void {
    if (this.stream !== undefined) return this.stream.abort(reason);
    if (this.settled) return;
    this.session.calls.forget(this);
    this.session.notify("$/cancelRequest", `{"id":${this.id}}`);
    this.reject(reason);
  }

  /** Whichever side finds first that the time is over, the caller gets the same error. */
  translate(error: RpcError): Error {
    return error.code === RPC_CODE.TIMEOUT && this.timeout !== undefined ? this.timedOut(error) : error;
  }

  timedOut(cause?: unknown): TimeoutError {
    const message = `Cannot call ${this.name}: no answer within ${this.timeout} ms`;
    return new TimeoutError(message, cause === undefined ? {} : { cause });
  }

  release(): void {
    if (this.timer !== undefined) this.session.clock.clearTimeout(this.timer);
    if (this.onAbort !== undefined) this.signal!.removeEventListener("abort", this.onAbort);
    this.timer = this.onAbort = undefined;
  }
}

/** The calls of this side that wait for an answer. */
export class Calls {
  readonly #session: Session;
  readonly #pending = new Map<number, Call>();
  #last: number;

  constructor(session: Session) {
    const { firstId = 1 } = session.options;
    if (!Number.isSafeInteger(firstId)) throw new RangeError(`Cannot set firstId to ${firstId}`);
    this.#session = session;
    this.#last = firstId - 1;
  }

  /** How many wait. */
  get size(): number {
    return this.#pending.size;
  }

  /** Calls a method; the promise can also be iterated, where the answer is a stream or an array. */
  call(
    method: string,
    params: readonly unknown[] | object | undefined,
    options?: CallOptions,
  ): Promise<unknown> {
    const session = this.#session;
    const call = new Call(session, ++this.#last, method);
    const promise = new Promise<unknown>((resolve, reject) => {
      call.resolve = resolve;
      call.reject = reject;
    }) as CallPromise;
    promise[CALL] = call;
    promise[Symbol.asyncIterator] = iterate;
    try {
      this.#check(call.name);
      const timeout = options === undefined ? undefined : this.#watch(call, options);
      this.#pending.set(call.id, call);
      session.request(call.id, method, params, timeout);
    } catch (error) {
      this.forget(call);
      call.reject(error);
    }
    return promise;
  }

  /** An answer came: an error, or a result with the parts that came beside it. */
  answer(
    id: unknown,
    message: Record<string, unknown>,
    parts: Uint8Array[] | undefined,
    marked: boolean,
  ): void {
    const session = this.#session;
    const call = this.#pending.get(id as number);
    // Some servers have both, one of them null.
    const failed = Object.hasOwn(message, "error") &&
      (message.error !== null || !Object.hasOwn(message, "result"));
    if (call === undefined) {
      if (failed && id === null) session.report(toError(message.error));
      else if (marked) session.discard(message.result, parts);
      return;
    }
    this.#pending.delete(call.id);
    call.settled = true;
    if (failed) {
      call.release();
      return call.reject(call.translate(toError(message.error)));
    }
    let result: unknown = message.result;
    try {
      if (marked) result = session.revive(result, parts);
    } catch (error) {
      call.release();
      return call.reject(error);
    }
    if (result instanceof IncomingStream && (call.timer !== undefined || call.onAbort !== undefined)) {
      call.stream = result;
      result.onSettled = () => call.release();
      result.translate = (error) => call.translate(error);
    } else call.release();
    call.resolve(result);
  }

  /** Fails all: the peer is gone. */
  fail(errorFor: (action: string) => unknown): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const call of pending) {
      call.settled = true;
      call.release();
      call.reject(errorFor(`call ${call.name}`));
    }
  }

  /** The answer to a call came and cannot be read; false: nobody waits for it. */
  unread(id: unknown, { code, message }: RpcError): boolean {
    const call = this.#pending.get(id as number);
    if (call === undefined) return false;
    const told = `Cannot read the answer of ${call.name}: ${message}`;
    this.refuse(
      call.id,
      code === RPC_CODE.INVALID_REQUEST ? new MessageTooLongError(told) : new DecodeError(told, undefined),
    );
    return true;
  }

  /** A call could not be sent after all. */
  refuse(id: number, error: unknown): void {
    const call = this.#pending.get(id);
    if (call === undefined) return;
    this.forget(call);
    call.reject(error);
  }

  forget(call: Call): void {
    this.#pending.delete(call.id);
    call.settled = true;
    call.release();
  }

  #check(name: string): void {
    const { over, deaf, limits, outbox } = this.#session;
    if (over || deaf) throw this.#session.gone(`call ${name}`);
    if (this.#pending.size >= limits.maxCalls) {
      throw new LimitError(`Cannot call ${name}: ${this.#pending.size} calls wait for an answer already`);
    }
    if (outbox.full) {
      throw new LimitError(`Cannot call ${name}: ${outbox.bytes} bytes wait to be sent already`);
    }
  }

  /** Sees to the caller's signal and time; returns the milliseconds that there are. */
  #watch(call: Call, { signal, timeout }: CallOptions): number | undefined {
    signal?.throwIfAborted();
    if (timeout !== undefined) {
      if (typeof timeout !== "number" || !(timeout >= 0)) {
        throw new RangeError(`Cannot wait for ${timeout} ms`);
      }
      call.timeout = timeout;
      const expire = () => call.abort(call.timedOut());
      if (timeout <= MAX_DELAY) call.timer = this.#session.clock.setTimeout(expire, timeout);
    }
    if (signal !== undefined) {
      call.signal = signal;
      call.onAbort = () => call.abort(signal.reason);
      signal.addEventListener("abort", call.onAbort, { once: true });
    }
    return timeout === Infinity ? undefined : timeout;
  }
}

/** Iterates over the answer of a call, and gives the call up when it is left before there is one. */
function iterate(this: CallPromise): AsyncIterator<unknown> {
  const call = this[CALL];
  const iterator = this.then((value) => iteratorOf(value, call.method));
  // Whoever iterates hears of it from next().
  iterator.catch(() => {});
  return {
    next: () => iterator.then((iterator) => iterator.next() as IteratorResult<unknown>),
    return: (value?: unknown) => {
      const done = { done: true as const, value };
      if (!call.settled) {
        call.abort(new DOMException("The iteration was left", "AbortError"));
        return Promise.resolve(done);
      }
      return iterator.then((iterator) => iterator.return?.(), () => {}).then(() => done);
    },
  };
}
