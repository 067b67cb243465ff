import { isDeeper, isTextDeeper } from "./_depth.ts";
import { isFramed, unframe } from "./_frame.ts";
import type { Limits } from "./_limits.ts";
import { RPC_CODE, RpcError } from "./rpc_error.ts";

/** A message as it was read. */
export interface Message {
  readonly value: unknown;
  /** Bytes that came beside the JSON. */
  readonly parts: Uint8Array[] | undefined;
  /** Whether there may be markers in it. */
  readonly marked: boolean;
}

const decoder = new TextDecoder();
const strict = new TextDecoder("utf-8", { fatal: true });

/** Reads messages, and refuses what is too long or too deep before it is parsed. */
export class Reader {
  readonly #maxSize: number;
  readonly #maxDepth: number;

  constructor({ maxMessageSize, maxDepth }: Limits) {
    this.#maxSize = maxMessageSize;
    this.#maxDepth = maxDepth;
  }

  /** Throws an `RpcError` for what is no JSON or over the limits. */
  read(data: Uint8Array | string): Message {
    if (data.length > this.#maxSize) {
      throw new RpcError(
        RPC_CODE.INVALID_REQUEST,
        `The message has ${data.length} bytes, the limit is ${this.#maxSize}`,
      );
    }
    if (typeof data === "string") {
      if (isTextDeeper(data, this.#maxDepth)) throw this.#tooDeep();
      return parse(data, undefined);
    }
    let json = data;
    let parts: Uint8Array[] | undefined;
    if (isFramed(data)) {
      const framed = unframe(data);
      if (framed === undefined) throw new RpcError(RPC_CODE.PARSE_ERROR, "Parse error");
      ({ json, parts } = framed);
    }
    if (isDeeper(json, this.#maxDepth)) throw this.#tooDeep();
    let text: string;
    try {
      text = decoder.decode(json);
      // The one that checks takes three times as long: it is asked only about what may have been wrong.
      if (text.includes("\ufffd")) text = strict.decode(json);
    } catch {
      throw new RpcError(RPC_CODE.PARSE_ERROR, "Parse error");
    }
    return parse(text, parts);
  }

  #tooDeep(): RpcError {
    return new RpcError(RPC_CODE.PARSE_ERROR, `Parse error: nested deeper than ${this.#maxDepth}`);
  }
}

function parse(text: string, parts: Uint8Array[] | undefined): Message {
  try {
    return { value: JSON.parse(text), parts, marked: parts !== undefined || text.includes('"$/') };
  } catch {
    throw new RpcError(RPC_CODE.PARSE_ERROR, "Parse error");
  }
}
