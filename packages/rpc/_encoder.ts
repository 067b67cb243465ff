/** Bytes of one piece of memory that messages share. */
const SLAB = 16 * 1024;
/** No UTF-16 unit takes more bytes than this. */
const WIDEST = 3;

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
}
