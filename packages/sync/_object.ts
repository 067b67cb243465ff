/** Where an object of this package is: a part of a mapping that says what it is, and from when on it may be used. */

import { ClosedError, UntrustedError } from "@ipc/core";
import type { Mapping } from "@ipc/core/sys";

/** What an object is. */
export interface Kind {
  /** As errors call it: `mutex`. */
  readonly name: string;
  /** Its first word: kind and version, see {@linkcode markOf}. */
  readonly mark: number;
}

/** Offsets are multiples of this, and addresses, so that words are aligned whatever the object has. */
const ALIGNMENT = 8;
const NOTHING = new Int32Array(0);

/** The first word of a kind: three letters, and the version of its layout above them. */
export function markOf(letters: string, version: number): number {
  return [...letters].reduceRight((word, letter) => word << 8 | letter.charCodeAt(0), version);
}

/**
 * The place of one handle's object, and the handle's life: it ends when the handle is closed, or the mapping is.
 *
 * It owns nothing but a place among those that the mapping tells when it is closed.
 */
export class Place {
  readonly kind: Kind;
  readonly mapping: Mapping;
  /** In bytes, from the beginning of the mapping. */
  readonly offset: number;
  readonly byteLength: number;
  #words: Int32Array<ArrayBuffer>;
  #ending: (() => void)[] = [];
  #forget: () => void;
  #end: "handle" | "mapping" | undefined;
  /** Whether all that was to be done at the end was. */
  #over = false;

  private constructor(kind: Kind, mapping: Mapping, offset: number, byteLength: number, verb: string) {
    this.kind = kind;
    this.mapping = mapping;
    this.offset = offset;
    this.byteLength = byteLength;
    this.#words = this.#find(verb);
    this.#forget = mapping.onClose(() => this.#finish("mapping"));
  }

  /**
   * Makes an object: zeroes its words, lets `fill` write them, and says last what it is.
   *
   * Throws a `RangeError` if it is not all inside the mapping, or `offset` or the address there is not a multiple of
   * 8; a `TypeError` if the mapping is for reading; a `TruncatedError` if its file has become shorter.
   */
  static initialize(
    kind: Kind,
    mapping: Mapping,
    offset: number,
    byteLength: number,
    fill?: (words: Int32Array<ArrayBuffer>) => void,
  ): Place {
    const place = new Place(kind, mapping, offset, byteLength, "initialize");
    const words = place.#words;
    Atomics.store(words, 0, 0);
    for (let index = 1; index < words.length; index++) Atomics.store(words, index, 0);
    fill?.(words);
    Atomics.store(words, 0, kind.mark);
    return place;
  }

  /**
   * Finds an object; `lengthOf` tells its bytes from its first ones where they differ, `undefined` if they make no
   * sense.
   *
   * Throws as `initialize` does, and an `UntrustedError` if there is none of this kind and version.
   */
  static at(
    kind: Kind,
    mapping: Mapping,
    offset: number,
    byteLength: number,
    lengthOf?: (words: Int32Array<ArrayBuffer>) => number | undefined,
  ): Place {
    const place = Place.find(kind, mapping, offset, byteLength, "use", lengthOf);
    if (place !== undefined) return place;
    throw new UntrustedError(`Cannot use ${kind.name} at byte ${offset}: nobody has initialized one there`, {
      hint:
        "initialize it first, once, or openOrInitialize it; or somebody has another version of this library",
    });
  }

  /** What `at` does, but `undefined` if there is none. */
  static find(
    kind: Kind,
    mapping: Mapping,
    offset: number,
    byteLength: number,
    verb: string,
    lengthOf?: (words: Int32Array<ArrayBuffer>) => number | undefined,
  ): Place | undefined {
    const place = new Place(kind, mapping, offset, byteLength, verb);
    const found = Atomics.load(place.#words, 0) === kind.mark;
    const whole = found && lengthOf !== undefined ? lengthOf(place.#words) : byteLength;
    if (found && whole === byteLength) return place;
    place.close();
    if (!found || whole === undefined || offset + whole > mapping.byteLength) return undefined;
    return new Place(kind, mapping, offset, whole, verb);
  }

  /** A part of a mapping for what tells in a way of its own what it is. Throws as `initialize` does. */
  static of(kind: Kind, mapping: Mapping, offset: number, byteLength: number, verb: string): Place {
    return new Place(kind, mapping, offset, byteLength, verb);
  }

  /** As errors call it. */
  get name(): string {
    return `${this.kind.name} at byte ${this.offset}`;
  }

  /** Whether the handle or the mapping was closed. */
  get closed(): boolean {
    return this.#end !== undefined;
  }

  /**
   * The object's words, which are good as long as nothing is awaited; to be used through `Atomics` only.
   *
   * @throws {ClosedError} after the end of the handle or its mapping.
   */
  words(verb: string): Int32Array<ArrayBuffer> {
    const words = this.#words;
    return words.length !== 0 ? words : this.#findAgain(verb);
  }

  /** Calls `end` once at the end, when the handle or its mapping is about to be closed and the words are still there. */
  onEnd(end: () => void): void {
    this.#ending.push(end);
  }

  /** Closes the handle; calling it again does nothing. */
  close(): void {
    this.#finish("handle");
  }

  /** The error for what is called, or still waits, after the end. */
  closedError(verb: string): ClosedError {
    const why = this.#end === "handle" ? "it was closed here" : "its mapping was closed";
    return new ClosedError(`Cannot ${verb} ${this.name}: ${why}`);
  }

  #finish(end: "handle" | "mapping"): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#forget();
    const errors: unknown[] = [];
    for (const each of this.#ending.splice(0)) {
      try {
        each();
      } catch (error) {
        // The others are to end all the same.
        errors.push(error);
      }
    }
    this.#over = true;
    this.#words = NOTHING;
    if (errors.length > 0) throw errors[0];
  }

  /** Memory that was resized is somewhere else, and views of where it was are empty. */
  #findAgain(verb: string): Int32Array<ArrayBuffer> {
    if (this.#over || this.mapping.closed) throw this.closedError(verb);
    return this.#words = this.#find(verb);
  }

  #find(verb: string): Int32Array<ArrayBuffer> {
    const { mapping, offset, byteLength } = this;
    const { buffer } = mapping;
    const what = `Cannot ${verb} ${this.name}`;
    if (mapping.readOnly) throw new TypeError(`${what}: the mapping is for reading`);
    if (!mapping.shared) throw new TypeError(`${what}: the mapping is copy-on-write, and so not shared`);
    if (!(Number.isSafeInteger(offset) && offset >= 0 && offset % ALIGNMENT === 0)) {
      throw new RangeError(`${what}: an offset is a multiple of ${ALIGNMENT}`);
    }
    if (!(offset + byteLength <= buffer.byteLength)) {
      throw new RangeError(`${what}: it has ${byteLength} bytes, and the mapping ${buffer.byteLength}`);
    }
    // What is mapped from a file looks whether that is still so long: if not, touching it would end the process.
    mapping.read(offset, byteLength);
    const words = new Int32Array(buffer, offset, byteLength / 4);
    // A mapping of a part of a file may begin anywhere.
    if (Deno.UnsafePointer.value(Deno.UnsafePointer.of(words)) % BigInt(ALIGNMENT) !== 0n) {
      throw new RangeError(`${what}: its address is not a multiple of ${ALIGNMENT}`);
    }
    return words;
  }
}
