import { IpcError, LimitError, MessageTooLongError, PermissionError } from "@ipc/core";
import type { RpcChannel } from "./channel.ts";
import { DisconnectedError } from "./disconnected_error.ts";
import { isAnswer, isJson, isRequest, makeBody, readBody } from "./_http_body.ts";

/** Where to post, and how. */
export interface Target {
  readonly url: string;
  readonly headers: Headers;
  readonly gzip: boolean;
  readonly maxMessageSize: number;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
}

/** How a notification begins that a call was given up, as a peer writes it. */
const CANCEL = '{"jsonrpc":"2.0","method":"$/cancelRequest"';

/**
 * The channel of the calls that are made at once: what is sent is the body of a POST, and what is received its
 * response. There is one, or more where a batch is too long for one.
 */
export class HttpExchange implements RpcChannel {
  readonly #target: Target;
  readonly #abort = new AbortController();
  readonly #answers: Uint8Array[] = [];
  readonly #settled = Promise.withResolvers<void>();
  #sent = 0;
  #open = 0;
  #wake: (() => void) | undefined;
  /** Milliseconds that the server is told of. */
  timeout: number | undefined;
  /** Whether there are notifications alone, which any response will do for that does not refuse it. */
  notifies = false;
  /** Why there is no answer, where the server does not say to what. */
  unread: unknown;
  /** Why the first post failed that did. */
  #failure: unknown;
  /** Why there is no answer, by the ids of the calls: what befell one post is no word of the others. */
  readonly #failures = new Map<unknown, unknown>();

  constructor(target: Target) {
    this.#target = target;
    this.#settled.promise.catch(() => {});
  }

  /** Whether anything was posted. */
  get sent(): boolean {
    return this.#sent > 0;
  }

  /** Resolves when the responses are there; rejects where there is none. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  /** Why there is no answer to a call; undefined: nobody knows. */
  failureOf(id: number): unknown {
    return this.#failures.get(id) ?? this.unread;
  }

  async receive(): Promise<Uint8Array | undefined> {
    for (;;) {
      const answer = this.#answers.shift();
      if (answer !== undefined) return answer;
      if (this.#abort.signal.aborted) return undefined;
      if (this.#sent > 0 && this.#open === 0) {
        const failure = this.#failure ?? this.unread;
        if (failure !== undefined) throw failure;
        return undefined;
      }
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  sendText(message: string): Promise<void> {
    // A server that does not answer is not answered either.
    if (!isRequest(message)) return Promise.resolve();
    // That calls were given up the server sees by the end of the connection.
    if (this.#sent > 0 && message.startsWith(CANCEL)) return Promise.resolve();
    this.#sent++;
    this.#open++;
    const text = this.timeout === undefined
      ? message
      : `${message.slice(0, -1)},"$/timeout":${this.timeout}}`;
    this.#post(text).then(
      (answer) => {
        if (answer !== undefined) this.#answers.push(answer);
      },
      (error) => {
        this.#failure ??= error;
        for (const id of idsOf(message)) this.#failures.set(id, error);
      },
    ).then(() => this.#closed());
    return Promise.resolve();
  }

  send(): Promise<void> {
    return Promise.reject(new TypeError("Cannot send bytes: HTTP carries text here"));
  }

  close(): void {
    this.#abort.abort();
    this.#wake?.();
  }

  #closed(): void {
    this.#open--;
    this.#wake?.();
    if (this.#open > 0) return;
    const failure = this.#failure ?? this.unread;
    if (failure === undefined) this.#settled.resolve();
    else this.#settled.reject(failure);
  }

  async #post(text: string): Promise<Uint8Array | undefined> {
    const { url, gzip, maxMessageSize } = this.#target;
    const made = await makeBody(text, gzip);
    const headers = new Headers(this.#target.headers);
    headers.set("content-type", "application/json");
    headers.set("accept", "application/json");
    if (made.gzip) headers.set("content-encoding", "gzip");
    const { signal } = this.#abort;
    let response: Response;
    try {
      // A redirection would carry the headers, and what they prove, to somebody else.
      response = await this.#target.fetch(url, {
        method: "POST",
        headers,
        body: made.body,
        signal,
        redirect: "error",
      });
    } catch (error) {
      throw new DisconnectedError(`Cannot post to ${url}: ${(error as Error).message}`, {
        target: url,
        cause: error,
      });
    }
    if (response.status === 204) return undefined;
    if (isJson(response.headers.get("content-type"))) {
      const body = await readBody(response.body, maxMessageSize);
      // Some servers give errors of JSON-RPC a status of their own; what stands before them answers in JSON as well.
      if (response.ok || isAnswer(body)) return body;
    } else await response.body?.cancel();
    if (response.ok && this.notifies) return undefined;
    throw failureOf(response, url);
  }
}

/** The ids of what is asked in a message of this side. */
function idsOf(message: string): unknown[] {
  const asked: { readonly id?: unknown }[] = [JSON.parse(message)].flat();
  return asked.map(({ id }) => id);
}

function failureOf({ status, statusText }: Response, url: string): IpcError {
  const message = `Cannot post to ${url}: the server answered ${`${status} ${statusText}`.trim()}`;
  if (status === 401 || status === 403) return new PermissionError(message, { code: "EACCES", target: url });
  if (status === 413) return new MessageTooLongError(message, { code: "EMSGSIZE", target: url });
  if (status === 429 || status === 503) return new LimitError(message, { code: "EBUSY", target: url });
  return new IpcError(message, { code: "EPROTO", target: url });
}
