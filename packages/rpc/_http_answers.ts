import type { RpcChannel } from "./channel.ts";
import { errorJson } from "./_errors.ts";
import { headOf } from "./_head.ts";
import { isRequest } from "./_http_body.ts";
import { RPC_CODE, RpcError } from "./rpc_error.ts";

/** The channel of one request: what was posted is its only message, and answers are all that can be sent. */
export class HttpAnswers implements RpcChannel {
  readonly #accepted = Promise.withResolvers<void>();
  readonly #answers: string[] = [];
  #posted: Uint8Array | undefined;
  #length = 0;

  /** Keeps so many UTF-16 units of answers, or one. */
  constructor(posted: Uint8Array, private readonly maxLength: number) {
    this.#posted = posted;
  }

  /** Resolves when the message was looked at: what runs for it has begun. */
  get accepted(): Promise<void> {
    return this.#accepted.promise;
  }

  receive(): Promise<Uint8Array | undefined> {
    const message = this.#posted;
    if (message === undefined) this.#accepted.resolve();
    this.#posted = undefined;
    return Promise.resolve(message);
  }

  /** Keeps answers; there is no way for calls that a method makes back to its caller. */
  sendText(message: string): Promise<void> {
    if (!isRequest(message)) {
      const tooMuch = this.#length > 0 && this.#length + message.length > this.maxLength;
      this.#length += tooMuch ? 0 : message.length;
      this.#answers.push(tooMuch ? tooLong(message) : message);
    }
    return Promise.resolve();
  }

  send(): Promise<void> {
    return Promise.reject(new TypeError("Cannot send bytes: HTTP carries text here"));
  }

  close(): void {
    this.#accepted.resolve();
  }

  /** The body of the response; `undefined`: nothing is answered. */
  text(): string | undefined {
    const [first, ...more] = this.#answers;
    // The answers to one batch, which together were too long for one message.
    return more.length === 0 ? first : `[${this.#answers.join()}]`;
  }
}

/** What stands for an answer that is too much besides the others. */
function tooLong(answer: string): string {
  const error = errorJson(new RpcError(RPC_CODE.TOO_LONG, "Together the answers are too long"), false);
  return `{"jsonrpc":"2.0","id":${JSON.stringify(headOf(answer).id ?? null)},"error":${error}}`;
}
