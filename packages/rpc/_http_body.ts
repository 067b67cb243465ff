import { IpcError, MessageTooLongError } from "@ipc/core";

/** Bodies under this many bytes are not worth compressing. */
const WORTH = 1024;

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

/**
 * All bytes of a body, decompressed where it says so.
 *
 * @throws {MessageTooLongError} if there are more than `limit`, of which no more are kept.
 * @throws {IpcError} with code `EPROTO` if they cannot be decompressed.
 */
export async function readBody(
  body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
  limit: number,
  gzip = false,
): Promise<Uint8Array> {
  if (body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  const stream = gzip ? body.pipeThrough(new DecompressionStream("gzip")) : body;
  try {
    for await (const chunk of stream) {
      length += chunk.length;
      if (length > limit) {
        throw new MessageTooLongError(`Cannot read the message: it has more than ${limit} bytes`);
      }
      chunks.push(chunk);
    }
  } catch (error) {
    if (!gzip || error instanceof MessageTooLongError) throw error;
    throw new IpcError("Cannot read the message: it is no gzip", { code: "EPROTO", cause: error });
  }
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
