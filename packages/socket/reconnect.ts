import { BrokenPipeError, type Bytes, type WaitOptions } from "@ipc/core";
import { BaseChannel, BaseSender, Waits } from "@ipc/core/base";
import type { BackoffOptions } from "./_backoff.ts";
import { Link, type OpenLink } from "./_link.ts";
import { LinkSink, LinkSource } from "./_reconnect_ends.ts";

export type { BackoffOptions, OpenLink };

/** The most bytes that are remembered for `onUncertain` unless told. */
const MOST_REMEMBERED = 16 * 1024 * 1024;
/** What a remembered message takes besides its bytes. */
const OVERHEAD = 256;

/** What a channel does that outlives its connections. */
export interface ReconnectOptions extends BackoffOptions {
  /**
   * What becomes of messages of which nothing was sent when the connection is lost, and of those that are sent while
   * there is none: they wait for the next (`"keep"`), or their sends reject with a `BrokenPipeError` (`"reject"`).
   * `"keep"` unless told.
   */
  unsent?: "keep" | "reject" | undefined;
  /** Called after each connection but the first, with the reason why the one before was lost. What it throws is uncaught. */
  onReconnect?: ((lost: unknown) => void) | undefined;
  /**
   * Called when a connection is lost, with copies of what it had taken: nobody knows whether that has arrived, and it
   * is not sent again. The last `maxUncertainBytes` of them, oldest first; `older` is how many the connection had taken
   * before those, which may be lost as well. What it throws is uncaught.
   */
  onUncertain?: ((messages: Bytes[], older: number) => void) | undefined;
  /**
   * The most bytes that are remembered for `onUncertain`, each message counted 256 bytes longer than it is: 16 MiB unless
   * told. Both ends of a TCP connection together may hold several MiB that nobody has read.
   */
  maxUncertainBytes?: number | undefined;
  /** The most bytes that wait to be sent before `send` throws a `LimitError`; 16 MiB unless told. */
  maxQueuedBytes?: number | undefined;
}

/**
 * A channel over one connection after another.
 *
 * It owns the connection of the moment until it is closed. Whatever ends that, a crash or a good end, another is made:
 * at once where somebody waits to receive; otherwise the end is seen within a second, and before a message is sent
 * after a pause, but not behind a message that nobody has received. The next attempt is made at once, unless several
 * connections in a row were lost within a second of being made. An idle channel does not keep the process alive
 * meanwhile; an attempt that is under way delays its exit by 5 seconds at most.
 *
 * No message is ever sent twice by it. One that a connection was given whole may be lost with it, and is then told to
 * `onUncertain`; one of which some bytes had left rejects with a `BrokenPipeError` of code `EUNCERTAIN`. What the peer
 * had sent and was not received is lost as well. Once `end` was called, the peer's end is the end, and a connection that
 * breaks before that rejects a receive, as any channel does. A send that times out
 * or is aborted when it was its turn already says `partial: true`, and is sent all the same: do not send it again. The
 * longest message is that of the first connection.
 */
export class ReconnectingChannel extends BaseChannel {
  readonly #link: Link;

  /** Makes a channel over `link`. Programs use {@linkcode reconnecting}, or `connect` with the option `reconnect`. */
  constructor(link: Link, source: LinkSource, sink: LinkSink, options: ReconnectOptions) {
    super(source, new BaseSender(sink, { maxQueuedBytes: options.maxQueuedBytes }));
    this.#link = link;
  }

  /** Whether there is a connection at this moment, as far as is known. */
  get connected(): boolean {
    return this.#link.channel !== undefined;
  }

  /** Closes the connection, and makes no other. Calling it again does nothing. */
  override close(): void {
    super.close();
    this.#link.close();
  }
}

/**
 * A channel over connections that `open` makes, the first of which this waits for.
 *
 * `open` is called again with growing times between whenever the connection is lost.
 *
 * @throws {TimeoutError} if there is no connection within `timeout`.
 * @throws {RangeError} if a time or number of the options is out of range.
 * @throws What `open` threw last, if the first `attempts` have failed.
 *
 * @example
 * ```ts
 * import { connectTcp, listenTcp, reconnecting } from "@ipc/socket";
 * import { assertEquals } from "@std/assert";
 *
 * await using listener = await listenTcp("127.0.0.1:0");
 * using channel = await reconnecting((options) => connectTcp(listener.address, options), { delay: 10 });
 * const first = await listener.accept();
 * const received = channel.receive();
 * first?.close(); // As when the server is started anew.
 * await using second = await listener.accept();
 * await second?.send(new Uint8Array([1]));
 * assertEquals(await received, new Uint8Array([1]));
 * ```
 */
export async function reconnecting(
  open: OpenLink,
  options: ReconnectOptions & WaitOptions = {},
): Promise<ReconnectingChannel> {
  const { unsent = "keep", onReconnect, onUncertain, maxUncertainBytes, timeout, signal } = options;
  if (unsent !== "keep" && unsent !== "reject") {
    throw new TypeError(`Cannot use "${unsent}" as unsent: it is "keep" or "reject"`);
  }
  const memory = new Remembered(maxUncertainBytes);
  const link = new Link(open, options, {
    onUp: (lost) => {
      if (lost !== undefined) aside(() => onReconnect?.(lost));
    },
    onDown: () => {
      const { messages, older } = memory.take();
      if (messages.length + older > 0) aside(() => onUncertain?.(messages, older));
    },
  });
  await firstConnection(link, { timeout, signal });
  const source = new LinkSource(link);
  const sink = new LinkSink(link, {
    look: () => source.look(),
    maxMessageSize: link.channel!.maxMessageSize,
    keep: unsent === "keep",
    onSent: (message) => onUncertain !== undefined && memory.add(message),
    onTorn: (message, cause) => {
      aside(() => onUncertain?.([message.slice()], 0));
      return new BrokenPipeError("Cannot send: the connection was lost inside the message", {
        code: "EUNCERTAIN",
        cause,
      });
    },
  });
  try {
    return new ReconnectingChannel(link, source, sink, options);
  } catch (error) {
    source.close();
    link.close();
    throw error;
  }
}

/** Waits for the first connection; there is nothing to hold on to without it. */
async function firstConnection(link: Link, options: WaitOptions): Promise<void> {
  const wait = new Waits({ action: "connect", park: (wake) => link.park(wake) });
  const attempt = () => {
    if (link.failure !== undefined) throw link.failure;
    return link.channel === undefined ? undefined : true;
  };
  try {
    await wait.take(attempt, options);
  } catch (error) {
    link.close();
    throw error;
  }
}

/** Calls what the caller gave; what that throws is its own affair, and stops nothing here. */
function aside(call: () => void): void {
  try {
    call();
  } catch (error) {
    reportError(error);
  }
}

/** Copies of the last messages that a connection has taken. */
class Remembered {
  readonly #limit: number;
  #messages: Bytes[] = [];
  /** Those before it are forgotten. */
  #first = 0;
  #bytes = 0;
  #older = 0;

  constructor(limit: number = MOST_REMEMBERED) {
    if (!(limit >= 0)) {
      throw new RangeError(`Cannot remember up to ${limit} bytes: maxUncertainBytes is a number from 0`);
    }
    this.#limit = limit;
  }

  add(message: Uint8Array): void {
    this.#messages.push(message.slice());
    this.#bytes += message.byteLength + OVERHEAD;
    while (this.#bytes > this.#limit) {
      this.#bytes -= this.#messages[this.#first]!.byteLength + OVERHEAD;
      this.#messages[this.#first++] = NOTHING;
      this.#older++;
    }
    // Now and then: taking the first of many away from an array moves all the others.
    if (this.#first > 1024 && 2 * this.#first > this.#messages.length) {
      this.#messages = this.#messages.slice(this.#first);
      this.#first = 0;
    }
  }

  take(): { messages: Bytes[]; older: number } {
    const taken = { messages: this.#messages.slice(this.#first), older: this.#older };
    this.#messages = [];
    this.#first = this.#bytes = this.#older = 0;
    return taken;
  }
}

const NOTHING: Bytes = new Uint8Array(0);
