/** A function of the other side. */

/**
 * A function that the other side passed: calling it runs it there, until it is released here.
 *
 * @example
 * ```ts ignore
 * serve<Api>(channel, {
 *   async each(words: string[], tell: RpcCallback<[word: string]>) {
 *     using _ = tell;
 *     for (const word of words) await tell(word);
 *   },
 * });
 * ```
 */
export interface RpcCallback<Params extends readonly unknown[] = unknown[], Result = unknown>
  extends Disposable {
  /** Calls it; rejects as any call does, which who does not wait for it need not handle. */
  (...params: Params): Promise<Result>;
  /** Lets go of it: it cannot be called any more, and the other side forgets it. */
  release(): void;
}
