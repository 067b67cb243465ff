/**
 * Makes `close`, and with it both kinds of disposal, do one thing more.
 *
 * A wrapper of its own would hide the calls that a mechanism has besides the contract.
 */
export function closeAlso<E extends { close(): void }>(end: E, then: () => void): E {
  const close = end.close;
  let done = false;
  end.close = () => {
    try {
      close.call(end);
    } finally {
      if (!done) {
        done = true;
        then();
      }
    }
  };
  return end;
}
