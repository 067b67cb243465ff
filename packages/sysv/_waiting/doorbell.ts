import { abi, check, Reactor } from "@ipc/core/sys";
import { libc } from "./_libc.ts";

/** A pipe into which workers write a byte to wake the main thread: of all ways the one with the least delay. */
export class Doorbell {
  /** The writing end. */
  readonly button: number;
  readonly #reactor: Reactor;

  /** System calls: `pipe2`, `fcntl`, `close`. */
  constructor() {
    const ends = new Int32Array(2);
    check(
      libc.pipe2(ends, abi.O_CLOEXEC | abi.O_NONBLOCK),
      "pipe2",
      "create the doorbell of waiting threads",
    );
    this.button = ends[1]!;
    try {
      this.#reactor = new Reactor(ends[0]!, () => {});
    } catch (error) {
      libc.close(this.button);
      throw error;
    } finally {
      libc.close(ends[0]!);
    }
  }

  /** Calls `answer` once, when it rings or has rung; keeps the process alive until then, or until that is given up. */
  listen(answer: () => void): () => void {
    return this.#reactor.park(answer);
  }
}
