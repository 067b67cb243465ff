/**
 * Copies the first `length` bytes and returns where they end.
 *
 * A short loop beats the calls to `subarray` and `set`, above all when a process has just been switched to.
 */
export function copyBytes(from: Uint8Array, length: number, to: Uint8Array, at: number): number {
  if (length <= 128) { for (let index = 0; index < length; index++) to[at + index] = from[index]!; }
  else to.set(length < from.length ? from.subarray(0, length) : from, at);
  return at + length;
}
