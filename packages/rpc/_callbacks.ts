import { ClosedError, LimitError } from "@ipc/core";
import type { RpcCallback } from "./callback.ts";
import { CALLBACK } from "./_methods.ts";
import type { Session } from "./_session.ts";
import type { Callable } from "./_values.ts";
import { RPC_CODE, RpcError } from "./rpc_error.ts";

/** A function of this side that the other side holds: how often it was passed, less how often it was released. */
interface Lent {
  readonly id: number;
  readonly callable: Callable;
  count: number;
}

/** A function of the other side that this side holds: how often it came. */
interface Held {
  readonly stub: RpcCallback;
  count: number;
}

/** The functions that crossed, in both directions. */
export class Callbacks {
  readonly #session: Session;
  readonly #lent = new Map<number, Lent>();
  readonly #numbers = new Map<Callable, Lent>();
  readonly #held = new Map<number, Held>();
  #last = 0;

  constructor(session: Session) {
    this.#session = session;
  }

  /** How many are lent and held. */
  get size(): number {
    return this.#lent.size + this.#held.size;
  }

  /** The number under which the other side may call it. */
  lend(callable: Callable): number {
    let lent = this.#numbers.get(callable);
    if (lent === undefined) {
      if (this.#lent.size >= this.#session.limits.maxReferences) {
        throw new LimitError(`Cannot pass a function: the peer holds ${this.#lent.size} already`);
      }
      lent = { id: ++this.#last, callable, count: 0 };
      this.#lent.set(lent.id, lent);
      this.#numbers.set(callable, lent);
    }
    lent.count++;
    return lent.id;
  }

  /** The function of this side that has the number. */
  lentUnder(id: unknown): Callable {
    const lent = this.#lent.get(id as number);
    if (lent === undefined) throw new RpcError(RPC_CODE.METHOD_NOT_FOUND, "No such callback");
    return lent.callable;
  }

  /** The other side lets go of what it was given `count` times. */
  released(id: unknown, count: unknown): void {
    const lent = this.#lent.get(id as number);
    if (lent === undefined || !Number.isSafeInteger(count) || (count as number) < 1) return;
    lent.count -= count as number;
    if (lent.count > 0) return;
    this.#lent.delete(lent.id);
    this.#numbers.delete(lent.callable);
  }

  /** What stands here for a function of the other side; the same while it is held. */
  hold(id: unknown): RpcCallback {
    if (!Number.isSafeInteger(id)) throw new RpcError(RPC_CODE.INVALID_REQUEST, "Invalid callback");
    let held = this.#held.get(id as number);
    if (held === undefined) {
      if (this.#held.size >= this.#session.limits.maxReferences) {
        this.giveBack(id as number, 1);
        throw new RpcError(RPC_CODE.BUSY, "Too many callbacks");
      }
      held = { stub: this.#stub(id as number), count: 0 };
      this.#held.set(id as number, held);
    }
    held.count++;
    return held.stub;
  }

  /** Nobody has what came once, and may have come more often. */
  unhold(id: number, stub: RpcCallback): void {
    const held = this.#held.get(id);
    if (held?.stub !== stub) return;
    if (--held.count === 0) this.#held.delete(id);
    this.giveBack(id, 1);
  }

  /** Tells the other side that this side has let go. */
  giveBack(id: number, count: number): void {
    this.#session.notify("$/release", `{"id":${id},"count":${count}}`);
  }

  /** The peer is gone. */
  clear(): void {
    this.#lent.clear();
    this.#numbers.clear();
    this.#held.clear();
  }

  #stub(id: number): RpcCallback {
    const session = this.#session;
    const release = () => {
      const held = this.#held.get(id);
      if (held?.stub !== stub) return;
      this.#held.delete(id);
      this.giveBack(id, held.count);
    };
    const call = (...params: unknown[]): Promise<unknown> => {
      if (!session.over && this.#held.get(id)?.stub !== stub) {
        return Promise.reject(new ClosedError("Cannot call the callback: it was released"));
      }
      const promise = session.calls.call(CALLBACK, [id, params]);
      // Whoever only tells does not wait, and must not end by a caller who has left.
      promise.catch(() => {});
      return promise;
    };
    const stub: RpcCallback = Object.assign(call, { release, [Symbol.dispose]: release });
    return stub;
  }
}
