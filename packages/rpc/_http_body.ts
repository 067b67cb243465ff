import { IpcError, LimitError, MessageTooLongError, TimeoutError } from "@ipc/core";

/** Bodies under this many bytes are not worth compressing. */
const WORTH = 1024;

/** How a request, a notification or a batch of them begins, as a peer writes it: its own ids are integers. */
const REQUEST = /^\[?\{"jsonrpc":"2\.0",(?:"id":-?\d+,)?"method":/;

/** Whether what a peer sends asks for something; else it is an answer. */
export function isRequest(text: string): boolean {
  return REQUEST.test(text);
}

/** Whether a body has an answer of JSON-RPC, or some. */
export function isAnswer(body: Uint8Array): boolean {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(body));
  } catch {
    return false;
  }
  const answers: unknown[] = Array.isArray(value) ? value : [value];
  return answers.length > 0 &&
    answers.every((answer) =>
      typeof answer === "object" && answer !== null && "jsonrpc" in answer && answer.jsonrpc === "2.0" &&
      ("result" in answer || "error" in answer)
    );
}

/** Whether a header says JSON, in UTF-8 if it says anything of that. */
export function isJson(type: string | null): boolean {
  const [name = "", ...params] = (type ?? "").toLowerCase().split(";").map((part) => part.trim());
  if (!/^application\/([\w.-]+\+)?json(-?rpc|request)?$/.test(name)) return false;
  return params.every((param) => !param.startsWith("charset=") || /^charset="?utf-?8"?$/.test(param));
}

/** Whether a header that weighs alternatives, such as `gzip;q=0.5, *`, allows one. */
export function allows(header: string | null, ...names: readonly string[]): boolean {
  const given = (header ?? "").toLowerCase().split(",").map((entry) => {
    const [name, ...params] = entry.split(";").map((part) => part.trim());
    return { name: name!, refused: params.some((param) => /^q=0(\.0*)?$/.test(param)) };
  });
  // Of what is named twice, more exactly and less, the exact one counts.
  for (const name of names) {
    const found = given.find((entry) => entry.name === name);
    if (found !== undefined) return !found.refused;
  }
  return false;
}

/** How a body is read. */
export interface BodyOptions {
  /** Whether it is compressed. */
  readonly gzip?: boolean;
  /** Milliseconds within which all of it has to come. */
  readonly timeout?: number;
  /** Is asked before so many bytes more are kept; false: there is no room for them. */
  readonly keep?: (bytes: number) => boolean;
}

/**
 * All bytes of a body, decompressed where it says so.
 *
 * @throws {MessageTooLongError} if there are more than `limit`, of which no more are kept.
 * @throws {TimeoutError} if they take longer than `timeout`.
 * @throws {LimitError} if `keep` says so.
 * @throws {IpcError} with code `EPROTO` if they cannot be decompressed.
 */
export async function readBody(
  body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
  limit: number,
  { gzip = false, timeout, keep }: BodyOptions = {},
): Promise<Uint8Array> {
  if (body === null) return new Uint8Array();
  const stream = gzip ? body.pipeThrough(new DecompressionStream("gzip")) : body;
  const reader = stream.getReader();
  let failure: Error | undefined;
  const give = (error: Error) => {
    failure = error;
    reader.cancel(error).catch(() => {});
  };
  const expire = () =>
    give(new TimeoutError(`Cannot read the message: it did not come within ${timeout} ms`));
  const timer = timeout === undefined ? undefined : setTimeout(expire, timeout);
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done || failure !== undefined) break;
      length += value.length;
      if (length > limit) {
        give(new MessageTooLongError(`Cannot read the message: it has more than ${limit} bytes`));
      } else if (keep?.(value.length) === false) {
        give(new LimitError("Cannot read the message: too much is kept already"));
      } else chunks.push(value);
    }
  } catch (error) {
    if (!gzip) throw failure ?? error;
    failure ??= new IpcError("Cannot read the message: it is no gzip", { code: "EPROTO", cause: error });
  } finally {
    clearTimeout(timer);
  }
  if (failure !== undefined) throw failure;
  if (chunks.length === 1) return chunks[0]!;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** A text as a body, compressed where that is wanted and worth it. */
export async function makeBody(
  text: string,
  gzip: boolean,
): Promise<{ body: Uint8Array<ArrayBuffer>; gzip: boolean }> {
  const bytes = new TextEncoder().encode(text);
  if (!gzip || bytes.length < WORTH) return { body: bytes, gzip: false };
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return { body: new Uint8Array(await new Response(stream).arrayBuffer()), gzip: true };
}
