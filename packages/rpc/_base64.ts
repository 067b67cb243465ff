import { RPC_CODE, RpcError } from "./rpc_error.ts";

interface Native {
  toBase64?(): string;
}

/** How many bytes become one string at a time: arguments of one call. */
const STEP = 0x6000;

/** Bytes as base64, for peers and channels that carry none. */
export function toBase64(bytes: Uint8Array): string {
  const native = bytes as Native;
  if (native.toBase64 !== undefined) return native.toBase64();
  let text = "";
  for (let at = 0; at < bytes.length; at += STEP) {
    text += btoa(String.fromCharCode(...bytes.subarray(at, at + STEP)));
  }
  return text;
}

/** The bytes of base64; throws for what is none. */
function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

/** The bytes that a marker stands for: those beside the JSON under its number, or its own. */
export function bytesAt(place: unknown, parts: Uint8Array[] | undefined): Uint8Array {
  const part = parts?.[place as number];
  if (part !== undefined && Number.isSafeInteger(place)) return part;
  try {
    if (typeof place === "string") return fromBase64(place);
  } catch {
    // It is none.
  }
  throw new RpcError(RPC_CODE.INVALID_REQUEST, "Invalid bytes");
}
