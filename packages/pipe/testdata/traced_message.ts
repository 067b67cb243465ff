/** The messages that a traced process and its parent send each other: one longer than a pipe holds. */
export function tracedMessage(number: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array([10, 150_000, 0, 1000][number]!).fill(number + 1);
}
