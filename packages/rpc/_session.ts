import { ClosedError, type IpcError, MessageTooLongError } from "@ipc/core";
import { Answers } from "./_answers.ts";
import { bytesAt } from "./_base64.ts";
import type { Batch } from "./_batch.ts";
import { Callbacks } from "./_callbacks.ts";
import { CLOCK } from "./_clock.ts";
import { Calls } from "./_calls.ts";
import { Encoder } from "./_encoder.ts";
import { errorJson } from "./_errors.ts";
import { frame } from "./_frame.ts";
import { Inbox } from "./_inbox.ts";
import { type Limits, limitsOf } from "./_limits.ts";
import { Outbox } from "./_outbox.ts";
import { Streams } from "./_streams.ts";
import { encodeValue, type InPort, type OutPort, reviveValue } from "./_values.ts";
import type { RpcChannel } from "./channel.ts";
import { DisconnectedError } from "./disconnected_error.ts";
import type { PeerOptions, RpcClock, ServiceInfo } from "./options.ts";
import type { RpcPeer } from "./peer.ts";
import { RPC_CODE, RpcError } from "./rpc_error.ts";

/** What a peer says of itself. */
export interface Hello {
  readonly binary: boolean;
  readonly credit: number;
}

/** A request or a notification that leaves with others. */
interface Gathered {
  readonly id: number | undefined;
  readonly text: string;
}

/** The most parts of one message. */
const MAX_PARTS = 0xffff;

/** One connection: what is common to its calls, its answers, its streams and its callbacks. */
export class Session {
  readonly limits: Limits;
  /** The most bytes of a message, by the limits and the channel. */
  readonly maxMessageSize: number;
  readonly clock: RpcClock;
  readonly outbox: Outbox;
  readonly calls: Calls;
  readonly answers: Answers;
  readonly streams: Streams;
  readonly callbacks: Callbacks;
  /** What the other side said it can; undefined: it has said nothing. */
  theirs: Hello | undefined;
  caller: unknown;
  info: ServiceInfo | undefined;
  /** Whether nothing more is sent or received. */
  over = false;
  /** Whether the other side sends nothing more: what is asked now is never answered. */
  deaf = false;
  /** Whether it closes when what runs has been answered: nothing more begins. */
  ending = false;
  /** Resolves at the end, with the error if there was one. */
  readonly closed: Promise<unknown>;
  readonly #channel: RpcChannel;
  readonly #inbox: Inbox;
  readonly #encoder: Encoder;
  readonly #extensions: boolean;
  #resolveClosed!: (error: unknown) => void;
  #reason: unknown;
  #closedHere = false;
  #greeted = false;
  #gathered: Gathered[] | undefined;
  /** Bytes that go beside the JSON which is being made. */
  #parts: Uint8Array[] = [];
  /** Takes back what is registered for the JSON which is being made. */
  #undo: (() => void)[] = [];
  readonly #out: OutPort;
  readonly #heads = new Map<string, string>();

  constructor(readonly peer: RpcPeer, channel: RpcChannel, readonly options: PeerOptions) {
    this.#channel = channel;
    this.limits = limitsOf(options.limits);
    this.clock = options.clock ?? CLOCK;
    this.#extensions = options.extensions ?? true;
    this.maxMessageSize = Math.min(this.limits.maxMessageSize, channel.maxMessageSize ?? Infinity);
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
    this.outbox = new Outbox(channel, this.limits.maxQueuedBytes, (error) => this.end(error));
    this.#inbox = new Inbox(this);
    this.#encoder = new Encoder(channel.sendBatch !== undefined);
    this.calls = new Calls(this);
    this.answers = new Answers(this);
    this.streams = new Streams(this);
    this.callbacks = new Callbacks(this);
    this.#out = {
      bytes: (data) => this.#part(data),
      callback: (callable) => {
        const id = this.callbacks.lend(callable);
        this.#undo.push(() => this.callbacks.released(id, 1));
        return id;
      },
      stream: (source) => {
        const { id } = this.streams.open(source);
        this.#undo.push(() => this.streams.undo(id));
        return id;
      },
      undo: () => this.#takeBack(),
    };
    void this.#receive();
  }

  /** Whether the other side knows what JSON-RPC does not have. */
  get theyExtend(): boolean {
    return this.#extensions && this.theirs !== undefined;
  }

  /** Whether bytes wait to go beside the JSON that was made last. */
  get hasParts(): boolean {
    return this.#parts.length > 0;
  }

  /** Sends a request, or gathers it into a batch. */
  request(id: number | undefined, method: string, params: unknown, timeout: number | undefined): void {
    this.#greet();
    let text = id === undefined ? `{"jsonrpc":"2.0"` : `{"jsonrpc":"2.0","id":${id}`;
    text += this.#head(method);
    if (params !== undefined && !(Array.isArray(params) && params.length === 0)) {
      text += `,"params":${encodeValue(params, this.#extensions ? this.#out : undefined)}`;
    }
    if (timeout !== undefined && this.#extensions) text += `,"$/timeout":${timeout}`;
    text += "}";
    if (this.#gathered === undefined) return this.#post(text);
    this.#gathered.push({ id, text });
    this.#undo = [];
  }

  #takeBack(): void {
    this.#parts = [];
    for (const undo of this.#undo.splice(0)) undo();
  }

  /** Sends a notification of this package or of editors. */
  notify(method: string, params: string): void {
    if (!this.over) this.#post(`{"jsonrpc":"2.0","method":"${method}","params":${params}}`);
  }

  /** What is called in `make` leaves as one batch. */
  batch<T>(make: () => T): T {
    if (this.#gathered !== undefined) return make();
    const gathered: Gathered[] = this.#gathered = [];
    try {
      return make();
    } finally {
      this.#gathered = undefined;
      if (gathered.length > 0) this.#postBatch(gathered);
    }
  }

  /** Answers a request with a value. */
  respond(id: string | number | null, result: unknown, batch: Batch | undefined): void {
    let text: string;
    try {
      text = this.encodeResult(result, batch !== undefined);
    } catch (error) {
      return this.fail(id, error, batch);
    }
    this.respondText(id, text, batch);
  }

  /** Answers a request with the JSON of a value. */
  respondText(id: string | number | null, result: string, batch: Batch | undefined): void {
    const head = `{"jsonrpc":"2.0","id":${typeof id === "number" ? id : JSON.stringify(id)}`;
    this.#answer(`${head},"result":${result}}`, id, batch);
  }

  /** Answers a request with an error. */
  fail(id: unknown, error: unknown, batch?: Batch): void {
    const body = errorJson(error, this.options.exposeErrors === true);
    if (error instanceof Error && !(error instanceof RpcError)) this.options.onError?.(error);
    this.#answer(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":${body}}`, id, batch);
  }

  /** The JSON of a value that goes to a caller; bytes may wait beside it until the message is sent. */
  encodeResult(value: unknown, inBatch = false): string {
    const port = this.theyExtend ? this.#out : undefined;
    if (inBatch && port !== undefined) return encodeValue(value, { ...port, bytes: () => undefined });
    return encodeValue(value, port);
  }

  /** A value of a message that has markers in it, with the things that they stand for. */
  revive(value: unknown, parts: Uint8Array[] | undefined): unknown {
    if (!this.theyExtend) return value;
    return reviveValue(value, {
      bytes: (place) => bytesAt(place, parts),
      callback: (id) => this.callbacks.hold(id),
      stream: (id) => this.streams.take(id),
    });
  }

  /** Lets go of what a value brought that nobody waits for. */
  discard(value: unknown, parts: Uint8Array[] | undefined): void {
    if (!this.theyExtend) return;
    const port: InPort = {
      bytes: (place) => bytesAt(place, parts),
      callback: (id) => Number.isSafeInteger(id) && this.callbacks.giveBack(id as number, 1),
      stream: (id) => Number.isSafeInteger(id) && this.streams.cancel(id as number),
    };
    try {
      reviveValue(value, port);
    } catch (error) {
      this.options.onError?.(error);
    }
  }

  /** A notification with a name that begins with `$/` came; false: it is none of ours. */
  notified(name: string, params: unknown, parts: Uint8Array[] | undefined): boolean {
    const own = (typeof params === "object" && params !== null ? params : {}) as Record<string, unknown>;
    if (name === "$/cancelRequest") this.answers.cancel(own.id);
    else if (name === "$/hello") this.#hear(own);
    else if (name === "$/release") this.callbacks.released(own.id, own.count);
    else if (name.startsWith("$/stream/")) this.streams.notified(name.slice(9), own, parts);
    else return false;
    return true;
  }

  /** The error of something that cannot be done because the connection is over. */
  gone(action: string): IpcError {
    if (this.#closedHere) return new ClosedError(`Cannot ${action}: the peer was closed`);
    const options = this.#reason === undefined ? {} : { cause: this.#reason };
    return new DisconnectedError(`Cannot ${action}: the other side is gone`, options);
  }

  /** Ends after what runs here is answered and sent. */
  async finish(): Promise<void> {
    this.ending = true;
    await this.answers.idle();
    await this.outbox.flushed();
    if (!this.over) await this.#channel.end?.();
    this.close();
  }

  close(): void {
    this.#closedHere ||= !this.over;
    this.end(undefined);
  }

  /** Ends now: everything that waits fails at once. */
  end(error: unknown): void {
    if (this.over) return;
    this.over = true;
    this.#reason = error;
    // What waits is handed to the channel, whose disposal gives the kernel what that takes without waiting.
    this.outbox.flush();
    this.outbox.close();
    const gone = (action: string) => this.gone(action);
    this.calls.fail(gone);
    // What waits must not begin when what ran has ended.
    this.answers.abort(this.gone("answer"));
    this.streams.fail(gone);
    this.callbacks.clear();
    try {
      const dispose = this.#channel[Symbol.dispose];
      if (dispose === undefined || error !== undefined) this.#channel.close();
      else dispose.call(this.#channel);
    } finally {
      this.#resolveClosed(error);
    }
  }

  async #receive(): Promise<void> {
    const channel = this.#channel;
    try {
      for (;;) {
        // One that takes no answers is not listened to, unless answers of it are waited for.
        const room = this.outbox.full && this.calls.size === 0 ? this.outbox.room() : undefined;
        if (room !== undefined) await room;
        if (this.over) return;
        if (channel.receiveBatch === undefined) {
          const message = await channel.receive();
          if (message === undefined) break;
          this.#inbox.accept(message);
        } else {
          const messages = await channel.receiveBatch();
          if (messages.length === 0) break;
          for (let index = 0; index < messages.length; index++) this.#inbox.accept(messages[index]!);
        }
        this.outbox.flush();
      }
    } catch (error) {
      return this.end(error);
    }
    await this.#ended();
  }

  /** The other side sends nothing more: it is gone, or it still listens. */
  async #ended(): Promise<void> {
    if (this.over) return;
    this.deaf = true;
    this.calls.fail((action) => this.gone(action));
    if (this.options.halfOpen === true) await this.answers.idle();
    else this.answers.abort(this.gone("answer"));
    await this.outbox.flushed();
    this.end(undefined);
  }

  #answer(text: string, id: unknown, batch: Batch | undefined): void {
    if (this.over) return;
    if (batch !== undefined) {
      this.#undo = [];
      return batch.add(text);
    }
    try {
      this.#post(text);
    } catch (error) {
      const { message } = error as Error;
      const body = errorJson(new RpcError(RPC_CODE.TOO_LONG, message), false);
      // An id may be the longest part of an answer.
      const short = typeof id !== "string" || id.length < 1000 ? id : null;
      this.#post(`{"jsonrpc":"2.0","id":${JSON.stringify(short)},"error":${body}}`);
    }
  }

  /** Sends the answers to one batch. */
  sendBatch(answers: readonly string[]): void {
    if (this.over) return;
    try {
      this.#post(`[${answers.join()}]`);
    } catch {
      // Together they are too long; alone each is an answer as well.
      for (const answer of answers) this.#answer(answer, JSON.parse(answer).id, undefined);
    }
  }

  #postBatch(gathered: readonly Gathered[]): void {
    try {
      return this.#post(`[${gathered.map(({ text }) => text).join()}]`);
    } catch {
      // Together they are too long.
    }
    for (const { id, text } of gathered) {
      try {
        this.#post(text);
      } catch (error) {
        if (id !== undefined) this.calls.refuse(id, error);
      }
    }
  }

  /** Puts a message into the outbox; throws where it is longer than the channel carries. */
  #post(text: string): void {
    const parts = this.#parts;
    const bytes = parts.length > 0;
    if (bytes) this.#parts = [];
    const message = bytes
      ? frame(text, parts)
      : this.#channel.sendText === undefined
      ? this.#encoder.encode(text)
      : text;
    if (message.length > this.maxMessageSize) {
      this.#takeBack();
      throw new MessageTooLongError(
        `Cannot send the message: it has ${message.length} bytes, the limit is ${this.maxMessageSize}`,
      );
    }
    if (this.#undo.length > 0) this.#undo = [];
    this.outbox.add(message);
  }

  #part(data: Uint8Array): number | undefined {
    if (this.theirs?.binary !== true || this.#gathered !== undefined) return undefined;
    if (this.#parts.length === MAX_PARTS) return undefined;
    return this.#parts.push(data) - 1;
  }

  /** What stands between the id and the parameters; programs call few methods. */
  #head(method: string): string {
    let head = this.#heads.get(method);
    if (head === undefined) {
      head = `,"method":${JSON.stringify(method)}`;
      if (this.#heads.size < 1000) this.#heads.set(method, head);
    }
    return head;
  }

  /** Says once what this side can. */
  #greet(): void {
    if (this.#greeted || !this.#extensions) return;
    this.#greeted = true;
    this.notify("$/hello", `{"binary":${this.options.binary === true},"credit":${this.limits.streamCredit}}`);
  }

  #hear({ binary, credit }: Record<string, unknown>): void {
    if (!this.#extensions || this.theirs !== undefined) return;
    const count = Number.isSafeInteger(credit) && (credit as number) > 0 ? credit as number : 0;
    this.theirs = { binary: binary === true && this.options.binary === true, credit: count };
    this.streams.greeted(count);
    this.#greet();
  }
}
