import type { MethodOptions } from "./method.ts";
import { RPC_CODE, RpcError } from "./rpc_error.ts";
import type { Schema, SchemaIssue, SchemaResult } from "./schema.ts";

type Handler = (this: unknown, ...params: unknown[]) => unknown;

/** The method that calls a function of the other side. */
export const CALLBACK = "$/callback";

/** A schema refuses the parameters: the method does not see them. */
export class RefusedParams extends RpcError {
  constructor(issues: readonly SchemaIssue[]) {
    super(RPC_CODE.INVALID_PARAMS, "Invalid params", { data: issues });
  }
}

/** A method as it is called. */
export class PreparedMethod {
  readonly names: readonly string[] | undefined;
  readonly #schemas: readonly Schema[] | undefined;

  constructor(readonly handler: Handler, readonly options: MethodOptions) {
    if (options.params !== undefined) {
      this.names = Object.keys(options.params);
      this.#schemas = Object.values(options.params);
    }
  }

  /** Calls it with parameters by position or by name; throws or gives what it gives, perhaps a promise. */
  call(context: unknown, params: unknown[] | Record<string, unknown> | undefined): unknown {
    if (this.#schemas !== undefined) return this.#checked(context, this.#placed(params), this.#schemas);
    const { handler } = this;
    if (params === undefined) return this.#result(handler.call(context));
    return this.#result(
      Array.isArray(params) ? handler.apply(context, params) : handler.call(context, params),
    );
  }

  /** Parameters in their order; those that are missing stay undefined. */
  #placed(params: unknown[] | Record<string, unknown> | undefined): unknown[] {
    const names = this.names!;
    if (params === undefined) return names.map(() => undefined);
    if (Array.isArray(params)) {
      if (params.length > names.length) {
        throw new RefusedParams([
          { message: `There are ${params.length} parameters, it takes ${names.length}` },
        ]);
      }
      return names.map((_, index) => params[index]);
    }
    const unknown = Object.keys(params).filter((name) => !names.includes(name));
    if (unknown.length > 0) {
      throw new RefusedParams(
        unknown.map((name) => ({ message: "There is no such parameter", path: [name] })),
      );
    }
    return names.map((name) => Object.hasOwn(params, name) ? params[name] : undefined);
  }

  #checked(context: unknown, params: unknown[], schemas: readonly Schema[]): unknown {
    const results = schemas.map((schema, index) => schema["~standard"].validate(params[index]));
    if (results.some((result) => result instanceof Promise)) {
      return Promise.all(results).then((results) => this.#accepted(context, results));
    }
    return this.#accepted(context, results as SchemaResult[]);
  }

  #accepted(context: unknown, results: SchemaResult[]): unknown {
    const issues: SchemaIssue[] = [];
    const params: unknown[] = [];
    results.forEach((result, index) => {
      if (result.issues === undefined) params.push(result.value);
      else issues.push(...result.issues.map((issue) => named(issue, this.names![index]!)));
    });
    if (issues.length > 0) throw new RefusedParams(issues);
    while (params.length > 0 && params[params.length - 1] === undefined) params.pop();
    return this.#result(this.handler.apply(context, params));
  }

  #result(value: unknown): unknown {
    const schema = this.options.result;
    if (schema === undefined) return value;
    if (isThenable(value)) return Promise.resolve(value).then((value) => checkResult(schema, value));
    return checkResult(schema, value);
  }
}

/** The methods of a table of handlers: its own keys and nothing that it inherits. */
export function prepare(handlers: object): ReadonlyMap<string, PreparedMethod> {
  const methods = new Map<string, PreparedMethod>();
  for (const [name, entry] of Object.entries(handlers)) {
    if (name.startsWith("rpc.")) throw new TypeError(`Cannot serve ${name}: names with "rpc." are reserved`);
    if (name === CALLBACK) throw new TypeError(`Cannot serve ${name}: the name is reserved`);
    if (typeof entry === "function") methods.set(name, new PreparedMethod(entry, {}));
    else if (typeof entry === "object" && entry !== null && typeof entry.handler === "function") {
      methods.set(name, new PreparedMethod(entry.handler, entry));
    } else if (entry !== undefined) throw new TypeError(`Cannot serve ${name}: it is no function`);
  }
  return methods;
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}

export function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

/** The value as its schema gives it back; of a stream each. */
function checkResult(schema: Schema, value: unknown): unknown {
  if (isStream(value)) return checkEach(schema, value);
  const result = schema["~standard"].validate(value);
  return result instanceof Promise ? result.then(accept) : accept(result);
}

async function* checkEach(schema: Schema, values: AsyncIterable<unknown>): AsyncGenerator<unknown> {
  for await (const value of values) yield accept(await schema["~standard"].validate(value));
}

function accept(result: SchemaResult): unknown {
  if (result.issues === undefined) return result.value;
  throw new TypeError(`Cannot answer: ${result.issues.map((issue) => issue.message).join("; ")}`);
}

/** An issue as it crosses: a path of plain keys that begins with the parameter's name. */
function named({ message, path = [] }: SchemaIssue, name: string): SchemaIssue {
  const keys = path.map((step) => typeof step === "object" ? step.key : step);
  return { message, path: [name, ...keys.map((key) => typeof key === "symbol" ? String(key) : key)] };
}
