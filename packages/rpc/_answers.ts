import { discover } from "./_discover.ts";
import { CALLBACK, isStream, isThenable, PreparedMethod, RefusedParams } from "./_methods.ts";
import { Queue } from "./_queue.ts";
import type { Message } from "./_reader.ts";
import { Request } from "./_request.ts";
import type { Session } from "./_session.ts";
import { RPC_CODE, RpcError } from "./rpc_error.ts";
import type { Batch } from "./_batch.ts";

/** The methods of this side that run for the other, and the requests that wait for their turn. */
export class Answers {
  readonly #session: Session;
  readonly #methods = new Map<string, PreparedMethod>();
  /** Requests that can be cancelled: those that wait and those that are not answered yet. */
  readonly #open = new Map<unknown, Request>();
  readonly #running = new Set<Request>();
  readonly #waiting = new Queue<Request>();
  /** Bytes of the messages that those came in which run and wait. */
  #held = 0;
  #idle: (() => void)[] = [];
  #awaitsRoom = false;

  constructor(session: Session) {
    this.#session = session;
    const call = (id: unknown, params: unknown) =>
      this.#session.callbacks.lentUnder(id)(...(Array.isArray(params) ? params : []));
    this.#methods.set(CALLBACK, new PreparedMethod(call, {}));
  }

  /** Serves more methods. */
  serve(methods: ReadonlyMap<string, PreparedMethod>): void {
    for (const [name, method] of methods) {
      if (this.#methods.has(name)) throw new TypeError(`Cannot serve ${name}: it is served already`);
      this.#methods.set(name, method);
    }
  }

  /** How many run. */
  get size(): number {
    return this.#running.size;
  }

  /** A request or a notification came, perhaps as one of a batch. */
  accept(message: Record<string, unknown>, batch: Batch | undefined, from: Message): void {
    const session = this.#session;
    const { parts, marked } = from;
    const { id, method: name, params } = message;
    const known = id === undefined || id === null || typeof id === "string" || isExact(id);
    if (
      message.jsonrpc !== "2.0" || typeof name !== "string" || !known ||
      (params !== undefined && (typeof params !== "object" || params === null))
    ) {
      return session.fail(
        known ? id ?? null : null,
        new RpcError(RPC_CODE.INVALID_REQUEST, "Invalid Request"),
        batch,
      );
    }
    const method = this.#find(name);
    if (id === undefined) {
      batch?.close();
      if (name.startsWith("$/") && session.notified(name, params, from)) return;
    }
    const refusal = this.#refusal(id, method, batch?.held ? 0 : from.length);
    if (refusal !== undefined) {
      if (marked) session.discard(params, parts);
      if (id !== undefined) session.fail(id, refusal, batch);
      else if (method !== undefined) session.report(refusal);
      return;
    }
    const timeout = typeof message["$/timeout"] === "number" ? message["$/timeout"] : undefined;
    const request = new Request(session, id as string, name, method!, timeout, batch, from.length);
    try {
      request.params = params as unknown[];
      if (marked) {
        request.came = session.revival(parts);
        request.params = request.came?.revive(params) as unknown[] ?? params;
      }
    } catch (error) {
      return this.#failed(request, error);
    }
    if (this.#waiting.length === 0 && this.#mayStart()) return this.#start(request);
    this.#keep(request);
    this.#waiting.push(request);
    this.#awaitRoom();
  }

  /** Why a request is not even looked at, which has so many bytes more to be kept. */
  #refusal(id: unknown, method: PreparedMethod | undefined, length: number): RpcError | undefined {
    const { limits, ending } = this.#session;
    if (method === undefined) return new RpcError(RPC_CODE.METHOD_NOT_FOUND, "Method not found");
    if (id !== undefined && this.#open.has(id)) {
      return new RpcError(RPC_CODE.INVALID_REQUEST, "Invalid Request: the id is in use");
    }
    if (id !== undefined && ending) return new RpcError(RPC_CODE.BUSY, "Closing");
    if (
      this.#waiting.length >= limits.maxWaiting ||
      (this.#held > 0 && length > 0 && this.#held + length > limits.maxRequestBytes)
    ) {
      return new RpcError(RPC_CODE.BUSY, "Too many calls");
    }
    return undefined;
  }

  #mayStart(): boolean {
    const { limits, outbox } = this.#session;
    return this.#running.size < limits.maxRunning && !outbox.blocked;
  }

  /** The caller wants no answer any more. */
  cancel(id: unknown): void {
    const request = this.#open.get(id);
    if (request !== undefined) this.#give(request, new RpcError(RPC_CODE.CANCELLED, "Cancelled"));
  }

  /** The caller is gone: what runs is told, what waits does not begin. */
  abort(reason: unknown): void {
    for (const request of this.#waiting.clear()) {
      request.answered = true;
      request.release();
      this.#letGo(request);
    }
    this.#open.clear();
    for (const request of [...this.#running]) {
      request.answered = true;
      request.release();
      request.abort(reason);
    }
  }

  /** Resolves when nothing runs or waits. */
  idle(): Promise<void> {
    if (this.#running.size === 0 && this.#waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #find(name: string): PreparedMethod | undefined {
    const method = this.#methods.get(name);
    const { info } = this.#session;
    if (method !== undefined || name !== "rpc.discover" || info === undefined) return method;
    return new PreparedMethod(() => discover(info, this.#methods), {});
  }

  #start(request: Request): void {
    let result: unknown;
    try {
      result = request.handler.call(request.context, request.params);
    } catch (error) {
      return this.#failed(request, error);
    }
    if (!isThenable(result)) return this.#finished(request, result);
    this.#run(request);
    Promise.resolve(result).then(
      (value) => this.#finished(request, value),
      (error) => this.#failed(request, error),
    );
  }

  /** It takes longer than one turn: it can be cancelled and has a limit of time. */
  #run(request: Request): void {
    this.#running.add(request);
    this.#keep(request);
  }

  #keep(request: Request): void {
    if (!request.held) {
      request.held = true;
      this.#held += request.batch === undefined ? request.length : request.batch.hold();
    }
    if (request.id !== undefined && request.id !== null) this.#open.set(request.id, request);
    if (request.timer !== undefined || request.timeout === undefined) return;
    request.startTimer(() => this.#give(request, new RpcError(RPC_CODE.TIMEOUT, "The time is over")));
  }

  #finished(request: Request, result: unknown): void {
    if (request.answered) {
      if (isStream(result)) leave(() => result[Symbol.asyncIterator]());
      return this.#done(request);
    }
    if (isStream(result) && request.id !== undefined) return this.#stream(request, result);
    this.#forget(request);
    request.release();
    request.answered = true;
    if (request.id !== undefined) this.#session.respond(request.id, result, request.batch);
    this.#done(request);
  }

  #failed(request: Request, error: unknown): void {
    if (!request.answered) {
      this.#forget(request);
      request.release();
      request.answered = true;
      if (error instanceof RefusedParams) request.came?.letGo();
      if (request.id === undefined) this.#session.report(error);
      else this.#session.fail(request.id, error, request.batch);
    }
    this.#done(request);
  }

  /** Answers with an error before the method has; what it gives later is dropped. */
  #give(request: Request, error: RpcError): void {
    request.release();
    if (request.stream !== undefined) {
      request.abort(error);
      return request.stream.stop({ error });
    }
    this.#forget(request);
    request.answered = true;
    if (request.id !== undefined) this.#session.fail(request.id, error, request.batch);
    request.abort(error);
  }

  /** The answer is a stream: the request goes on until that is over. */
  #stream(request: Request, source: AsyncIterable<unknown>): void {
    const session = this.#session;
    if (!session.theyExtend) {
      if (!this.#running.has(request)) this.#run(request);
      gather(request, source, session.limits.maxGathered)
        .then((values) => this.#finished(request, values), (error) => this.#failed(request, error));
      return;
    }
    try {
      request.stream = session.streams.open(source);
    } catch (error) {
      leave(() => source[Symbol.asyncIterator]());
      return this.#failed(request, error);
    }
    if (!this.#running.has(request)) this.#run(request);
    this.#forget(request);
    // Its values do not wait for the other answers of a batch, so it is answered alone.
    session.respondText(request.id!, `{"$/stream":${request.stream.id}}`, undefined);
    request.batch?.close();
    request.stream.onSettled = () => {
      request.release();
      request.abort(new DOMException("The stream is over", "AbortError"));
      this.#done(request);
    };
  }

  #forget(request: Request): void {
    if (this.#open.get(request.id) === request) this.#open.delete(request.id);
  }

  #done(request: Request): void {
    this.#letGo(request);
    if (this.#running.delete(request)) this.#startWaiting();
  }

  #letGo(request: Request): void {
    if (!request.held) return;
    request.held = false;
    this.#held -= request.batch === undefined ? request.length : request.batch.release();
  }

  #startWaiting(): void {
    while (this.#waiting.length > 0 && this.#mayStart()) {
      const request = this.#waiting.shift()!;
      if (request.answered) this.#letGo(request);
      else this.#start(request);
    }
    if (this.#waiting.length === 0) {
      if (this.#running.size === 0) { for (const resolve of this.#idle.splice(0)) resolve(); }
    } else this.#awaitRoom();
  }

  /** Where it is the outbox that those wait for, they begin when it has room. */
  #awaitRoom(): void {
    const { outbox } = this.#session;
    if (this.#awaitsRoom || !outbox.blocked) return;
    this.#awaitsRoom = true;
    outbox.room()?.then(() => {
      this.#awaitsRoom = false;
      this.#startWaiting();
    });
  }
}

/** Whether it is a number as it was sent: an integer beyond these may be another one. */
function isExact(id: unknown): boolean {
  return Number.isSafeInteger(id) || (Number.isFinite(id) && !Number.isInteger(id));
}

/** The values of a stream for a caller who cannot take one, for as long as he wants them. */
async function gather(request: Request, source: AsyncIterable<unknown>, max: number): Promise<unknown[]> {
  const values: unknown[] = [];
  const iterator = source[Symbol.asyncIterator]();
  request.onAbort = () => leave(() => iterator);
  for (;;) {
    const { done, value } = await iterator.next();
    if (done || request.answered) return values;
    if (values.length === max) {
      leave(() => iterator);
      throw new RpcError(RPC_CODE.TOO_LONG, `The stream has more than ${max} values`);
    }
    values.push(value);
  }
}

/** Lets a stream go that nobody takes; what it waits for may never come, so nobody waits for its end. */
function leave(iterator: () => AsyncIterator<unknown>): void {
  try {
    iterator().return?.()?.then(undefined, () => {});
  } catch {
    // Nobody wants to know.
  }
}
