/** Whether the process at the other end lives: POSIX objects do not tell. */

/** How often the far end looks whether the near one is alive, in milliseconds. */
const PERIOD = 1000;

/** The process at the other end. */
export class Peer {
  readonly #onGone: () => void;
  /** The process that has started this one, where that is the peer. */
  readonly #parent: number | undefined;
  readonly #timer: ReturnType<typeof setInterval> | undefined;
  #gone = false;

  private constructor(onGone: () => void, parent: number | undefined) {
    this.#onGone = onGone;
    this.#parent = parent;
    if (parent === undefined) return;
    this.#timer = setInterval(() => this.#look(), PERIOD);
    Deno.unrefTimer(this.#timer);
  }

  /** The near end's: a process that it has started. `onGone` is called when that has ended before `close`. */
  static child(ended: Promise<unknown>, onGone: () => void): Peer {
    const peer = new Peer(onGone, undefined);
    ended.then(() => peer.#left());
    return peer;
  }

  /** The far end's: the process that has started it, which may have ended since. */
  static parent(pid: number, onGone: () => void): Peer {
    return new Peer(onGone, pid);
  }

  /** Whether it has ended, as far as was noticed. */
  get gone(): boolean {
    return this.#gone;
  }

  /** Blocks this thread until `wait` says that there is something, the time is over, or the peer has gone. */
  block(timeout: number = Infinity, wait: (timeout: number) => boolean): void {
    for (let left = timeout; left > 0 && !this.#gone; left -= PERIOD) {
      if (wait(Math.min(left, PERIOD))) return;
      this.#look();
    }
  }

  /** Looks no more. */
  close(): void {
    this.#gone = true;
    clearInterval(this.#timer);
  }

  #look(): void {
    if (this.#parent !== undefined && Deno.ppid !== this.#parent) this.#left();
  }

  #left(): void {
    if (this.#gone) return;
    this.close();
    this.#onGone();
  }
}
