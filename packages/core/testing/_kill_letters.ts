/** The messages of the kill suite: empty, short, long, and longer than a pipe holds. */

/** All of them, in order. */
export function lettersOf(): Uint8Array[] {
  return [0, 1, 64, 4092, 4093, 100, 70_000, 3, 30_000, 5].map((length, index) =>
    new Uint8Array(length).map((_, at) => at * 31 + index)
  );
}

/** Whether two messages have the same bytes. */
export function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, index) => byte === b[index]);
}
