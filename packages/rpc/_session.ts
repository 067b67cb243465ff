import { ClosedError, type IpcError } from "@ipc/core";
import { Answers } from "./_answers.ts";
import type { Answer, Batch } from "./_batch.ts";
import { Callbacks } from "./_callbacks.ts";
import { CLOCK } from "./_clock.ts";
import { Calls } from "./_calls.ts";
import { errorJson } from "./_errors.ts";
import { type Gathered, sendGathered } from "./_gathered.ts";
import { type Hello, helloJson, readHello } from "./_hello.ts";
import { Inbox } from "./_inbox.ts";
import { type Limits, limitsOf } from "./_limits.ts";
import { Outbox } from "./_outbox.ts";
import type { Message } from "./_reader.ts";
import { Revival } from "./_revival.ts";
import { Streams } from "./_streams.ts";
import { encodeValue } from "./_values.ts";
import { Writer } from "./_writer.ts";
import type { RpcChannel } from "./channel.ts";
import { DisconnectedError } from "./disconnected_error.ts";
import type { PeerOptions, RpcClock, ServiceInfo } from "./options.ts";
import type { RpcPeer } from "./peer.ts";
import { RPC_CODE, RpcError } from "./rpc_error.ts";

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
  readonly writer: Writer;
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
  /** Bytes of answers that wait for the others of their batch. */
  gathered = 0;
  /** Resolves at the end, with the error if there was one. */
  readonly closed: Promise<unknown>;
  readonly #channel: RpcChannel;
  readonly #inbox: Inbox;
  readonly #extensions: boolean;
  #resolveClosed!: (error: unknown) => void;
  #reason: unknown;
  #closedHere = false;
  #greeted: "first" | "second" | undefined;
  #gathered: Gathered[] | undefined;
  /** How much was added to the outbox with the last notification. */
  #told = 0;
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
    this.calls = new Calls(this);
    this.answers = new Answers(this);
    this.streams = new Streams(this);
    this.callbacks = new Callbacks(this);
    this.writer = new Writer(this, channel.sendText !== undefined);
    void this.#receive();
  }

  /** Whether the other side knows what JSON-RPC does not have. */
  get theyExtend(): boolean {
    return this.#extensions && this.theirs !== undefined;
  }

  /**
   * Sends a request, or gathers it into a batch. Gives up to where it is in what the outbox was ever given; of a
   * notification in a batch once that leaves, or why it cannot.
   */
  request(
    id: number | undefined,
    method: string,
    params: unknown,
    timeout: number | undefined,
  ): number | Promise<number> | undefined {
    this.#greet();
    let text = id === undefined ? `{"jsonrpc":"2.0"` : `{"jsonrpc":"2.0","id":${id}`;
    text += this.#head(method);
    if (params !== undefined && !(Array.isArray(params) && params.length === 0)) {
      const alone = this.#gathered === undefined;
      const port = alone ? this.writer.port : this.writer.portOfBatch;
      const levels = this.limits.maxDepth - (alone ? 1 : 2);
      text += `,"params":${encodeValue(params, this.#extensions ? port : undefined, levels)}`;
    }
    if (timeout !== undefined && this.#extensions) text += `,"$/timeout":${timeout}`;
    text += "}";
    if (this.#gathered === undefined) return this.#ask(text, id === undefined);
    const left = id === undefined ? Promise.withResolvers<number>() : undefined;
    this.#gathered.push({ id, text, undo: this.writer.claim(), left });
    return left?.promise;
  }

  #ask(text: string, notifies: boolean): number {
    this.writer.ask(text);
    const { added } = this.outbox;
    if (notifies) this.#told = added;
    return added;
  }

  /** Sends a notification because of what came. A channel that does not even carry that is of no use. */
  notify(method: string, params: string): void {
    if (this.over) return;
    try {
      this.writer.post(`{"jsonrpc":"2.0","method":"${method}","params":${params}}`);
    } catch (error) {
      this.end(error);
    }
  }

  /** Sends one of a stream; throws where it is too long, and gives its length as streams count. */
  tell(method: string, params: string): number {
    if (this.over) return 0;
    const text = `{"jsonrpc":"2.0","method":"${method}","params":${params}}`;
    const length = this.writer.lengthOf(text);
    this.writer.ask(text);
    return length;
  }

  /** What is called in `make` leaves as one batch. */
  batch<T>(make: () => T): T {
    if (this.#gathered !== undefined) return make();
    const gathered: Gathered[] = this.#gathered = [];
    try {
      return make();
    } finally {
      this.#gathered = undefined;
      sendGathered(gathered, this.limits.maxBatch, {
        send: (text, notifies) => this.#ask(text, notifies),
        refuse: (id, error) => this.calls.refuse(id, error),
      });
    }
  }

  /** Answers a request with a value. */
  respond(id: string | number | null, result: unknown, batch: Batch | undefined): void {
    const { begun } = this.streams;
    let text: string;
    try {
      text = this.encodeResult(result, batch === undefined ? 1 : 2, batch !== undefined);
    } catch (error) {
      return this.fail(id, error, batch);
    }
    if (batch === undefined || begun === this.streams.begun) return this.respondText(id, text, batch);
    // The values of a stream do not wait for the other answers.
    this.respondText(id, text, undefined);
    batch.close();
  }

  /** Answers a request with the JSON of a value. */
  respondText(id: string | number | null, result: string, batch: Batch | undefined): void {
    const head = `{"jsonrpc":"2.0","id":${typeof id === "number" ? id : JSON.stringify(id)}`;
    this.#answer(`${head},"result":${result}}`, id, batch);
  }

  /** Answers a request with an error. */
  fail(id: unknown, error: unknown, batch?: Batch): void {
    this.#answer(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":${this.errorJson(error)}}`, id, batch);
  }

  /** What the other side is told of an error; what it is not told of is heard here. */
  errorJson(error: unknown): string {
    if (!(error instanceof RpcError)) this.report(error);
    return errorJson(error, this.options.exposeErrors === true);
  }

  /** Lets `onError` hear of an error; what it makes of it is no matter of the connection. */
  report(error: unknown): void {
    try {
      this.options.onError?.(error);
    } catch {
      // Whoever cannot hear of one error cannot hear of another.
    }
  }

  /** The JSON of a value that goes to a caller, `around` levels deep; bytes may wait beside it until it is sent. */
  encodeResult(value: unknown, around: number, inBatch = false): string {
    const port = inBatch ? this.writer.portOfBatch : this.writer.port;
    return encodeValue(value, this.theyExtend ? port : undefined, this.limits.maxDepth - around);
  }

  /** What puts things in the place of markers; `undefined`: from this side markers are data. */
  revival(parts: Uint8Array[] | undefined): Revival | undefined {
    return this.theyExtend ? new Revival(this, parts) : undefined;
  }

  /** A value of a message that has markers in it, with the things that they stand for. */
  revive(value: unknown, parts: Uint8Array[] | undefined): unknown {
    const revival = this.revival(parts);
    return revival === undefined ? value : revival.revive(value);
  }

  /** Gives back what a value brought that nobody waits for. */
  discard(value: unknown, parts: Uint8Array[] | undefined): void {
    this.revival(parts)?.discard(value);
  }

  /** A notification with a name that begins with `$/` came; false: it is none of ours. */
  notified(name: string, params: unknown, from: Message): boolean {
    const own = (typeof params === "object" && params !== null ? params : {}) as Record<string, unknown>;
    if (name === "$/cancelRequest") this.answers.cancel(own.id);
    else if (name === "$/hello") this.#hear(own);
    else if (name === "$/release") this.callbacks.released(own.id, own.count);
    else if (name.startsWith("$/stream/")) this.streams.notified(name.slice(9), own, from);
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
    let lost: boolean;
    try {
      // What runs on although nobody can be answered any more is not waited for.
      await Promise.race([this.answers.idle().then(() => this.#leave()), this.closed]);
    } finally {
      lost = !this.#closedHere && this.#told > this.outbox.taken;
      this.close();
    }
    if (lost) throw this.gone("send what was notified");
  }

  /** Ends this direction once everything is sent. */
  async #leave(): Promise<void> {
    await this.outbox.flushed();
    if (!this.over) await this.#channel.end?.();
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
        const room = this.outbox.blocked && this.calls.size === 0 ? this.outbox.room() : undefined;
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
    const gone = (action: string) => this.gone(action);
    this.calls.fail(gone);
    // A method that reads one would never end.
    this.streams.failIncoming(gone);
    try {
      if (this.options.halfOpen === true) await this.answers.idle();
      else this.answers.abort(this.gone("answer"));
      await this.#leave();
      this.end(undefined);
    } catch (error) {
      this.end(error);
    }
  }

  #answer(text: string, id: unknown, batch: Batch | undefined): void {
    if (this.over) return;
    if (batch !== undefined) {
      this.writer.keep();
      return batch.add({ id, text });
    }
    try {
      this.writer.post(text);
    } catch (error) {
      this.#answerTooLong(id, error as Error);
    }
  }

  /** Says that an answer is too long. The id may be the longest part of it, and even that not all. */
  #answerTooLong(id: unknown, { message }: Error): void {
    let failure: unknown;
    for (const [known, why] of [[id, message], [null, "Too long"]] as const) {
      const body = errorJson(new RpcError(RPC_CODE.TOO_LONG, why), false);
      try {
        return this.writer.post(`{"jsonrpc":"2.0","id":${JSON.stringify(known)},"error":${body}}`);
      } catch (error) {
        failure = error;
      }
    }
    this.end(failure);
  }

  /** Sends the answers to one batch. */
  sendBatch(answers: readonly Answer[]): void {
    if (this.over) return;
    try {
      this.writer.post(`[${answers.map(({ text }) => text).join()}]`);
    } catch {
      // Together they are too long.
      for (const answer of answers) this.answerAlone(answer);
    }
  }

  /** Sends the answer to a member of a batch by itself. */
  answerAlone({ id, text }: Answer): void {
    this.#answer(text, id, undefined);
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
    if (this.#greeted !== undefined || !this.#extensions) return;
    this.#greeted = this.theirs === undefined ? "first" : "second";
    this.notify("$/hello", helloJson(this.limits, this.options.binary === true));
  }

  #hear(params: Record<string, unknown>): void {
    if (!this.#extensions) return;
    const first = this.theirs === undefined;
    this.theirs = readHello(params, this.options.binary === true);
    if (first) this.streams.greeted(this.theirs);
    // Who greets again is another: at a queue, callers come and go. If both sides answered, they would for ever.
    if (this.#greeted === "second") this.#greeted = undefined;
    this.#greet();
  }
}
