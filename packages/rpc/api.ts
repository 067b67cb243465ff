/** The types of both ends, made from one interface. */

import type { RpcCallback } from "./callback.ts";
import type { RpcContext } from "./context.ts";
import type { Method } from "./method.ts";
import type { CallOptions } from "./options.ts";

/** The names of the methods of an interface; those that a service may lack are among them. */
export type MethodName<Api> =
  & {
    [Name in keyof Api]-?: NonNullable<Api[Name]> extends (...params: never[]) => unknown ? Name : never;
  }[keyof Api]
  & string;

/** What a call gives: a promise, and for a stream one that can be iterated at once. */
export type CallResult<Result> = Result extends AsyncIterable<infer Value>
  ? Promise<AsyncIterableIterator<Value>> & AsyncIterable<Value>
  : Result extends Promise<AsyncIterable<infer Value>>
    ? Promise<AsyncIterableIterator<Value>> & AsyncIterable<Value>
  : Promise<Received<Awaited<Result>>>;

/** A value without functions or streams in it, which the other side gets as it is. */
export type PlainValue =
  | string
  | number
  | boolean
  | bigint
  | symbol
  | null
  | undefined
  | Date
  | ArrayBuffer
  | ArrayBufferView;

/** A value as the other side gets it: each function in it has become a callback, each stream one that is received. */
export type Received<Value> = unknown extends Value ? Value
  : Value extends PlainValue ? Value
  : Value extends (...params: infer Params) => infer Result ? RpcCallback<Params, Awaited<Result>>
  : Value extends AsyncIterable<infer Item> ? AsyncIterableIterator<Item>
  : { [Key in keyof Value]: Received<Value[Key]> };

/** The methods of an interface as the caller has them. */
export type Methods<Api> = {
  readonly [Name in MethodName<Api>]: NonNullable<Api[Name]> extends (...params: infer Params) => infer Result
    ? (...params: Params) => CallResult<Result>
    : never;
};

/** The methods of an interface when nothing is to be answered. */
export type Notifications<Api> = {
  readonly [Name in MethodName<Api>]: NonNullable<Api[Name]> extends (...params: infer Params) => unknown
    ? (...params: Params) => Promise<void>
    : never;
};

/** How calls through a client are made. */
export interface ClientCallOptions extends CallOptions {
  /** Sends notifications: nothing is answered, and the promise resolves once it was handed over. */
  notify?: boolean | undefined;
  /** The one parameter of each method is an object that has the parameters by name, as editors speak. */
  byName?: boolean | undefined;
}

/** The other side as if it were here: its methods, and what a client has of its own. */
export type Client<Api> = Methods<Api> & ClientControls<Api>;

/** What a client has besides the methods of its interface. */
export interface ClientControls<Api> extends Disposable, AsyncDisposable {
  /** The same client for notifications. */
  with(options: ClientCallOptions & { notify: true }): Notifications<Api>;
  /** The same client with one more time limit or signal for its calls; a method's context will do. */
  with(options: ClientCallOptions): Client<Api>;
}

/** A method as it is served: callbacks have taken the place of functions, and it may take its time. */
export type Handler<Caller, Params extends readonly unknown[], Result> = (
  this: RpcContext<Caller>,
  ...params: { [Index in keyof Params]: Received<Params[Index]> }
) => Answer<Result>;

/** What a method may give for what its interface promises. */
export type Answer<Result> = Awaited<Result> extends AsyncIterable<infer Value>
  ? AsyncIterable<Value> | Promise<AsyncIterable<Value>>
  : Awaited<Result> | Promise<Awaited<Result>>;

/** The methods of an interface as they are served: functions, or what {@linkcode method} makes of them. */
export type Handlers<Api, Caller = unknown> = {
  readonly [Name in keyof Api as Name extends MethodName<Api> ? Name : never]: NonNullable<Api[Name]> extends
    (...params: infer Params) => infer Result
    ? Handler<Caller, Params, Result> | Method<Handler<Caller, Params, Result>>
    : never;
};
