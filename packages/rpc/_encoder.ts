/** Bytes of one piece of memory that messages share. */
const SLAB = 16 * 1024;
/** No UTF-16 unit takes more bytes than this. */
export const WIDEST = 3;
/** UTF-16 units of a text that is not put together with others. */
const LONG = 2048;

const encoder = new TextEncoder();

/** Encodes texts; short ones share an `ArrayBuffer`, which is never written again where one was put. */
export class Encoder {
  #slab = new Uint8Array(SLAB);
  #used = 0;

  /** With `shared` false each text has an `ArrayBuffer` of its own, for channels that may take all of it along. */
  constructor(private readonly shared: boolean) {}

  /** The text as UTF-8. */
  encode(text: string): Uint8Array {
    const most = text.length * WIDEST;
    if (!this.shared || most > SLAB / 2) return encoder.encode(text);
    if (this.#used + most > SLAB) {
      this.#slab = new Uint8Array(SLAB);
      this.#used = 0;
    }
    const room = this.#slab.subarray(this.#used);
    const { written } = encoder.encodeInto(text, room);
    this.#used += written;
    return room.subarray(0, written);
  }

  /** All texts as UTF-8, in place; what is encoded already stays. */
  encodeAll(messages: (Uint8Array | string)[]): asserts messages is Uint8Array[] {
    for (let from = 0; from < messages.length;) {
      let to = from;
      let joined = "";
      while (this.shared && to < messages.length) {
        const text = messages[to]!;
        if (typeof text !== "string" || text.length > LONG || joined.length + text.length > SLAB) break;
        joined += text;
        to++;
      }
      if (to - from < 2 || !this.#encodeAscii(messages, from, to, joined)) {
        to = Math.max(to, from + 1);
        for (let index = from; index < to; index++) {
          const message = messages[index]!;
          if (typeof message === "string") messages[index] = this.encode(message);
        }
      }
      from = to;
    }
  }

  /** Encodes texts with one call for all; false: not all of it is ASCII, so that nobody knows where each begins. */
  #encodeAscii(texts: (Uint8Array | string)[], from: number, to: number, joined: string): boolean {
    if (this.#used + joined.length > SLAB) {
      this.#slab = new Uint8Array(SLAB);
      this.#used = 0;
    }
    const { read, written } = encoder.encodeInto(joined, this.#slab.subarray(this.#used));
    if (read !== joined.length || written !== read) return false;
    for (let index = from; index < to; index++) {
      const begin = this.#used;
      texts[index] = this.#slab.subarray(begin, this.#used += (texts[index] as string).length);
    }
    return true;
  }
}

/** Whether a message has more bytes than `limit`; a text as UTF-8. */
export function isLonger(message: Uint8Array | string, limit: number): boolean {
  if (typeof message !== "string" || message.length > limit) return message.length > limit;
  return message.length * WIDEST > limit && utf8Length(message) > limit;
}

/** How many bytes a text has as UTF-8. */
export function utf8Length(text: string): number {
  let { length } = text;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    // Both halves of a pair make four bytes; a half without the other becomes a sign of three.
    if (unit > 0x7f) length += unit > 0x7ff && !isPaired(text, at, unit) ? 2 : 1;
  }
  return length;
}

function isPaired(text: string, at: number, unit: number): boolean {
  if (unit >= 0xd800 && unit < 0xdc00) return (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00;
  return unit >= 0xdc00 && unit < 0xe000 && (text.charCodeAt(at - 1) & 0xfc00) === 0xd800;
}
