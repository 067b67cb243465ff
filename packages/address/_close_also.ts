/** What can be closed, in all three ways. */
interface Closeable extends Disposable, AsyncDisposable {
  close(): void;
}

/**
 * Makes `close` and both kinds of disposal do one thing more.
 *
 * A wrapper of its own would hide the calls that a mechanism has besides the contract.
 */
export function closeAlso<E extends Closeable>(end: E, then: () => void): E {
  let done = false;
  const finish = () => {
    if (done) return;
    done = true;
    then();
  };
  const close = end.close.bind(end);
  const dispose = end[Symbol.dispose].bind(end);
  const asyncDispose = end[Symbol.asyncDispose].bind(end);
  end.close = () => {
    try {
      close();
    } finally {
      finish();
    }
  };
  end[Symbol.dispose] = () => {
    try {
      dispose();
    } finally {
      finish();
    }
  };
  end[Symbol.asyncDispose] = async () => {
    try {
      await asyncDispose();
    } finally {
      finish();
    }
  };
  return end;
}
