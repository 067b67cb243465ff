import { IncomingStream } from "./_incoming_stream.ts";

/** The values of an answer, if it is a stream or an array. */
export function iteratorOf(value: unknown, method: string): AsyncIterator<unknown> | Iterator<unknown> {
  if (value instanceof IncomingStream) return value[Symbol.asyncIterator]();
  if (Array.isArray(value)) return value[Symbol.iterator]();
  throw new TypeError(`Cannot iterate over the answer of ${method}: it is no stream`);
}

/** Iterates over an answer that is to come. Who leaves before it is there does not wait: it is left when it comes. */
export function iterateOver(answer: Promise<unknown>, method: string): AsyncIterator<unknown> {
  const iterator = answer.then((value) => iteratorOf(value, method));
  // Whoever iterates hears of it from next().
  iterator.catch(() => {});
  return {
    next: () => iterator.then((iterator) => iterator.next() as IteratorResult<unknown>),
    return: (value?: unknown) => {
      iterator.then((iterator) => iterator.return?.(), () => {});
      return Promise.resolve({ done: true as const, value });
    },
  };
}
