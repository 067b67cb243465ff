/** How many bytes stand before the lengths: a zero, the version, the count of parts, the length of the JSON. */
const HEADER = 8;

const encoder = new TextEncoder();

/** What a message that carries bytes has: its JSON, and the parts beside it. */
export interface Framed {
  readonly json: Uint8Array;
  readonly parts: Uint8Array[];
}

/** Whether a message carries bytes beside its JSON: no JSON begins with a zero. */
export function isFramed(message: Uint8Array): boolean {
  return message.length > 0 && message[0] === 0;
}

/** One message of a JSON text and parts beside it. */
export function frame(text: string, parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const json = encoder.encode(text);
  let length = HEADER + 4 * parts.length + json.length;
  for (const part of parts) length += part.length;
  const message = new Uint8Array(length);
  const view = new DataView(message.buffer);
  view.setUint16(2, parts.length, true);
  view.setUint32(4, json.length, true);
  let at = HEADER;
  for (const part of parts) {
    view.setUint32(at, part.length, true);
    at += 4;
  }
  message.set(json, at);
  at += json.length;
  for (const part of parts) {
    message.set(part, at);
    at += part.length;
  }
  return message;
}

/** Takes such a message apart without a copy; `undefined`: its lengths do not add up. */
export function unframe(message: Uint8Array): Framed | undefined {
  if (message.length < HEADER || message[1] !== 0) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const count = view.getUint16(2, true);
  const body = HEADER + 4 * count;
  if (body > message.length) return undefined;
  let at = body + view.getUint32(4, true);
  if (at > message.length) return undefined;
  const json = message.subarray(body, at);
  const parts: Uint8Array[] = [];
  for (let index = 0; index < count; index++) {
    const end = at + view.getUint32(HEADER + 4 * index, true);
    if (end > message.length) return undefined;
    parts.push(message.subarray(at, end));
    at = end;
  }
  return at === message.length ? { json, parts } : undefined;
}
