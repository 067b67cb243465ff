/**
 * Stands in for `@std/assert` on machines that cannot reach JSR: the assertions that our tests use, over
 * `node:assert`. Where the two differ, this one is the stricter (`0` is not `-0`), so that what passes here passes there.
 *
 * @module
 */

import { AssertionError, deepStrictEqual, notDeepStrictEqual, ok, strictEqual } from "node:assert";
import { inspect } from "node:util";

// deno-lint-ignore no-explicit-any -- the constructor of any class, whatever it takes
type Class<T = any> = abstract new (...args: any[]) => T;

/** Fails unless the value is truthy. */
export function assert(value: unknown, message = ""): asserts value {
  ok(value, message || `Expected a truthy value, got ${inspect(value)}`);
}

/** Fails unless both are deeply equal and of the same class. */
export function assertEquals<T>(actual: T, expected: T, message?: string): void {
  deepStrictEqual(actual, expected, message);
}

/** Fails when both are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, message?: string): void {
  notDeepStrictEqual(actual, expected, message);
}

/** Fails unless both are the same value or object. */
export function assertStrictEquals<T>(actual: unknown, expected: T, message?: string): asserts actual is T {
  strictEqual(actual, expected, message);
}

/** Fails when the value is `null` or `undefined`. */
export function assertExists<T>(actual: T, message?: string): asserts actual is NonNullable<T> {
  check(actual !== null && actual !== undefined, message ?? `Expected a value, got ${actual}`);
}

/** Fails unless the value is an instance of the class. */
export function assertInstanceOf<T extends Class>(
  actual: unknown,
  expectedType: T,
  message = "",
): asserts actual is InstanceType<T> {
  check(
    actual instanceof expectedType,
    message || `Expected an instance of ${expectedType.name}, got ${inspect(actual)}`,
  );
}

/** Fails unless the string matches the pattern. */
export function assertMatch(actual: string, expected: RegExp, message?: string): void {
  check(expected.test(actual), message ?? `Expected ${inspect(actual)} to match ${expected}`);
}

/** Fails unless the string contains the other. */
export function assertStringIncludes(actual: string, expected: string, message?: string): void {
  check(actual.includes(expected), message ?? `Expected ${inspect(actual)} to contain ${inspect(expected)}`);
}

/** Fails unless `actual` is the greater. */
export function assertGreater<T>(actual: T, expected: T, message?: string): void {
  check(actual > expected, message ?? `Expected ${inspect(actual)} > ${inspect(expected)}`);
}

/** Fails unless `actual` is the lesser. */
export function assertLess<T>(actual: T, expected: T, message?: string): void {
  check(actual < expected, message ?? `Expected ${inspect(actual)} < ${inspect(expected)}`);
}

/** Fails. */
export function fail(message?: string): never {
  throw failure(message ? `Failed assertion: ${message}` : "Failed assertion.");
}

/** Fails unless the function throws; returns what it threw. */
export function assertThrows(fn: () => unknown, message?: string): unknown;
/** Fails unless the function throws an error of this class, whose message contains `includes`; returns it. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClass: Class<E>,
  includes?: string,
  message?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  classOrMessage?: Class<Error> | string,
  includes?: string,
  message?: string,
): unknown {
  const expected = expectation(classOrMessage, includes, message);
  try {
    fn();
  } catch (error) {
    checkError(error, expected);
    return error;
  }
  throw failure(`Expected function to throw${expected.suffix}`);
}

/** Fails unless the function returns a promise that rejects; resolves to the reason. */
export function assertRejects(fn: () => PromiseLike<unknown>, message?: string): Promise<unknown>;
/** Fails unless the promise rejects with an error of this class, whose message contains `includes`; resolves to it. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClass: Class<E>,
  includes?: string,
  message?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  classOrMessage?: Class<Error> | string,
  includes?: string,
  message?: string,
): Promise<unknown> {
  const expected = expectation(classOrMessage, includes, message);
  let promise: unknown;
  try {
    promise = fn();
  } catch (error) {
    throw failure(`Function throws when expected to reject${expected.suffix}`, error);
  }
  if (typeof (promise as PromiseLike<unknown> | undefined)?.then !== "function") {
    throw failure(`Expected function to return a promise${expected.suffix}`);
  }
  try {
    await promise;
  } catch (error) {
    checkError(error, expected);
    return error;
  }
  throw failure(`Expected function to reject${expected.suffix}`);
}

interface Expectation {
  readonly errorClass: Class<Error> | undefined;
  readonly includes: string;
  readonly suffix: string;
}

function expectation(classOrMessage?: Class<Error> | string, includes = "", message?: string): Expectation {
  const named = typeof classOrMessage === "string";
  const text = named ? classOrMessage : message;
  return { errorClass: named ? undefined : classOrMessage, includes, suffix: text ? `: ${text}` : "." };
}

function checkError(error: unknown, { errorClass, includes, suffix }: Expectation): void {
  if (errorClass === undefined) return;
  if (!(error instanceof errorClass)) {
    throw failure(`Expected an error of class ${errorClass.name}, got ${inspect(error)}${suffix}`, error);
  }
  if (!error.message.includes(includes)) {
    throw failure(
      `Expected the message ${inspect(error.message)} to contain ${inspect(includes)}${suffix}`,
      error,
    );
  }
}

function check(holds: boolean, message: string): void {
  if (!holds) throw failure(message);
}

function failure(message: string, cause?: unknown): Error {
  const error = new AssertionError({ message });
  if (cause !== undefined) error.cause = cause;
  return error;
}
