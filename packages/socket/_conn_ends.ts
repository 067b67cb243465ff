/** Messages over a connection of the runtime's own: TLS. */

import { BrokenPipeError, type Bytes, type Decoder, encodeFrame, type Framing } from "@ipc/core";
import type { Sink, Source } from "@ipc/core/base";

/** What is needed of a connection; `Deno.TlsConn` is one. */
export interface ByteConn {
  /** Reads what is there, or waits for it; `null`: the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes; tells how many. */
  write(bytes: Uint8Array): Promise<number>;
  /** Tells the peer that nothing will follow. */
  closeWrite(): Promise<void>;
  /** Ends both directions at once. */
  close(): void;
  /** Lets a pending read keep the process alive. */
  ref(): void;
  /** Lets the process exit in spite of a pending read. */
  unref(): void;
}

/** What one read brings at most. */
const CHUNK = 64 * 1024;
/** What is kept until the connection has taken it. */
const HIGH_WATER = 64 * 1024;
/** Milliseconds that what was sent last has to leave before a closed connection is gone. */
const GRACE = 5000;

/** A {@linkcode Source} with one read at most under way, whose bytes go to the decoder whoever waits for them. */
export class ConnSource implements Source<Bytes> {
  readonly #conn: ByteConn;
  readonly #decoder: Decoder;
  readonly #onClose: () => void;
  readonly #chunk = new Uint8Array(CHUNK);
  #reading = false;
  #atEnd = false;
  #error: { error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(conn: ByteConn, decoder: Decoder, onClose: () => void) {
    this.#conn = conn;
    this.#decoder = decoder;
    this.#onClose = onClose;
    conn.unref();
  }

  get ended(): boolean {
    return this.#atEnd && this.#error === undefined;
  }

  /** Bytes that have arrived and belong to no message yet. */
  get buffered(): number {
    return this.#decoder.buffered;
  }

  take(): Bytes | undefined {
    if (!this.#atEnd || this.#error !== undefined) {
      try {
        const message = this.#decoder.next();
        if (message !== undefined) return message;
        // Who only looks finds what has come the next time.
        if (!this.#atEnd && !this.#reading) this.#read();
      } catch (error) {
        this.#atEnd = true;
        this.#error = undefined;
        throw error;
      }
    }
    if (this.#error === undefined) return undefined;
    const { error } = this.#error;
    this.#error = undefined;
    throw error;
  }

  takeMany(max: number = Infinity): Bytes[] | undefined {
    const first = this.take();
    if (first === undefined) return undefined;
    const batch = [first];
    try {
      this.#decoder.nextMany(batch, max);
    } catch {
      // It throws the same to the next who asks.
    }
    return batch;
  }

  park(wake: () => void): () => void {
    this.#wake = wake;
    this.#conn.ref();
    if (!this.#reading) this.#read();
    return () => {
      this.#wake = undefined;
      this.#conn.unref();
    };
  }

  close(): void {
    this.#atEnd = true;
    this.#onClose();
  }

  async #read(): Promise<void> {
    this.#reading = true;
    try {
      const length = await this.#conn.read(this.#chunk);
      if (length !== null) this.#decoder.push(this.#chunk, length);
      else this.#end(undefined);
    } catch (cause) {
      this.#end(cause);
    }
    this.#reading = false;
    this.#conn.unref();
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** A peer that ends without saying so in TLS may have been cut off by anybody on the way. */
  #end(cause: unknown): void {
    if (this.#atEnd) return;
    try {
      // What the decoder still has is taken first: it says nothing of whole messages.
      this.#decoder.end();
      if (cause !== undefined) this.#error = { error: broken("receive", cause) };
    } catch (error) {
      this.#error = { error };
    }
    this.#atEnd = true;
  }
}

/** A {@linkcode Sink} that keeps up to 64 KiB which the connection has not taken yet. */
export class ConnSink implements Sink {
  readonly begun = false;
  readonly #conn: ByteConn;
  readonly #framing: Framing;
  readonly #waiting = new Set<() => void>();
  #unsent: Bytes[] = [];
  #bytes = 0;
  #writing: Promise<void> | undefined;
  #error: { error: unknown } | undefined;

  constructor(conn: ByteConn, framing: Framing) {
    this.#conn = conn;
    this.#framing = framing;
  }

  get maxMessageSize(): number {
    return this.#framing.maxMessageSize;
  }

  put(message: Uint8Array): boolean {
    if (this.#error !== undefined) throw this.#error.error;
    if (this.#bytes >= HIGH_WATER) return false;
    const frame = encodeFrame(this.#framing, message);
    this.#unsent.push(frame);
    this.#bytes += frame.byteLength;
    this.#writing ??= this.#write();
    return true;
  }

  finish(): boolean {
    return true;
  }

  detach(): void {}

  readonly park = (wake: () => void): () => void => {
    this.#waiting.add(wake);
    return () => void this.#waiting.delete(wake);
  };

  async end(): Promise<void> {
    await this.#writing;
    if (this.#error !== undefined) throw this.#error.error;
    await this.#conn.closeWrite().catch(() => {});
  }

  close(): void {}

  /** Closes the connection once what was taken has left, but not much later. */
  async finishAndClose(): Promise<void> {
    if (this.#writing !== undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, GRACE);
      await Promise.race([this.#writing, promise]);
      clearTimeout(timer);
    }
    this.#conn.close();
  }

  async #write(): Promise<void> {
    // What is sent in one turn leaves together.
    await Promise.resolve();
    try {
      while (this.#unsent.length > 0) {
        const all = this.#unsent.length === 1 ? this.#unsent[0]! : joined(this.#unsent);
        this.#unsent = [];
        for (let at = 0; at < all.length;) at += await this.#conn.write(all.subarray(at));
        this.#bytes -= all.byteLength;
        this.#wakeAll();
      }
    } catch (cause) {
      this.#error = { error: broken("send", cause) };
      this.#unsent = [];
    }
    this.#writing = undefined;
    this.#wakeAll();
  }

  #wakeAll(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}

function joined(pieces: Bytes[]): Bytes {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.byteLength;
  }
  return all;
}

function broken(action: string, cause: unknown): BrokenPipeError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new BrokenPipeError(`Cannot ${action}: the connection broke (${why})`, {
    code: "ECONNRESET",
    cause,
  });
}
