/** A struct in memory that says what it is. */

import { AlreadyExistsError, LayoutMismatchError, NotFoundError, UntrustedError } from "@ipc/core";
import {
  decodeIdentity,
  encodeIdentity,
  IDENTITY_SIZE,
  type Mapping,
  type ProcessIdentity,
  processIdentity,
} from "@ipc/core/sys";
import { differences } from "./_description.ts";
import { alignUp } from "./_field.ts";
import { atomic } from "./atomic.ts";
import { type Fields, struct, type StructType, type ValueOf, type View, type ViewOf } from "./struct.ts";
import { bytes } from "./text.ts";
import { u32, u64 } from "./numbers.ts";

/** How a segment is found. */
export interface SegmentOptions {
  /** Where in the mapping it begins, in bytes: a multiple of 64; 0 unless told. */
  offset?: number | undefined;
}

/** How a segment is made. */
export interface SegmentCreateOptions<Value> extends SegmentOptions {
  /** The values of the struct; all is zero unless told. */
  value?: Value | undefined;
  /**
   * Whether what is there already is replaced: another segment, or one whose maker died over it. Only one process may
   * do so at a time; who has the last one attached finds that it is not `current` any more.
   */
  replace?: boolean | undefined;
}

/** What a struct tells of itself. */
type Described = Pick<StructType, "byteLength" | "description">;

/** "IPCS" in memory, and what is there while the rest is written. */
const MAGIC = 0x5343_5049;
const BUSY = 1;
const VERSION = 1;
/** Of cache lines: neither the header nor the struct shares one with anybody else. */
const LINE = 64;
/** Longer than the description of anything that somebody has written down. */
const MOST_DESCRIPTION = 2 ** 20;

const Header = struct({
  magic: atomic.u32,
  version: u32,
  fingerprint: u64,
  start: u32,
  description: u32,
  size: u64,
  creator: bytes(IDENTITY_SIZE),
  generation: atomic.u32,
}, { name: "segment header" });

/**
 * A struct in a mapping with a header before it, which says what it is: another program, or another version of this
 * one, that has another struct there is refused, and told in what they differ.
 *
 * It owns nothing, and lives as long as the memory. Nobody finds it before it is whole. The header is 64 bytes,
 * little-endian: u32 0x53435049, written last; u32 version, 1; u64 fingerprint; u32 offset of the struct from the
 * header; u32 bytes of the layout's description, which follow the header; u64 bytes of the struct; 24 bytes that name
 * its creator; u32 generation. System calls: none.
 *
 * @example
 * ```ts
 * import { createMemfd } from "@ipc/mmap";
 * import { atomic, f64, Segment, struct, u32 } from "@ipc/mmap/struct";
 * import { LayoutMismatchError } from "@ipc/core";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const State = struct({ seq: atomic.u32, x: f64 });
 * using memory = createMemfd("state", Segment.byteLength(State));
 * using mapping = memory.map();
 * Segment.create(mapping, State, { value: { seq: 0, x: 0.5 } });
 *
 * using there = memory.map(); // in another process, as a rule
 * assertEquals(Segment.attach(there, State).view.x, 0.5);
 * const Older = struct({ seq: u32, x: f64 });
 * assertThrows(() => Segment.attach(there, Older), LayoutMismatchError, "seq is atomic.u32 at 0 there and u32 at 0 here");
 * ```
 */
export class Segment<Own extends Fields> {
  /** The struct. */
  readonly view: ViewOf<Own>;
  /** Where it begins in the mapping, in bytes. */
  readonly offset: number;
  /** Who has made the segment, as far as the header can be trusted. */
  readonly creator: ProcessIdentity;
  /** How many there were in this place before: 0, unless they were replaced. */
  readonly generation: number;
  readonly #header: View<typeof Header>;

  private constructor(
    header: View<typeof Header>,
    mapping: Mapping,
    type: StructType<Own>,
    offset: number,
    generation: number,
  ) {
    this.#header = header;
    this.offset = offset;
    this.creator = decodeIdentity(header.creator);
    this.generation = generation;
    this.view = type.at(mapping, offset);
  }

  /**
   * Bytes that a segment takes with its header.
   *
   * @example
   * ```ts
   * import { array, Segment, struct, u8 } from "@ipc/mmap/struct";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(Segment.byteLength(struct({ pixels: array(u8, 1000) })), 128 + 1000);
   * ```
   */
  static byteLength(type: Described): number {
    return startOf(type) + type.byteLength;
  }

  /**
   * Makes a segment where nothing is, and with that makes all of it zero.
   *
   * @throws {AlreadyExistsError} if something is there already: the first four bytes are not zero.
   * @throws {RangeError} if it does not fit, `offset` is not a multiple of 64, or a value does not fit.
   * @throws {TypeError} if the mapping is for reading.
   * @throws {ClosedError} if the mapping was closed.
   */
  static create<Own extends Fields>(
    mapping: Mapping,
    type: StructType<Own>,
    options: SegmentCreateOptions<ValueOf<Own>> = {},
  ): Segment<Own> {
    const { offset = 0, value, replace = false } = options;
    checkPlace(mapping, type, offset, "create");
    // What does not fit is known before anything is written.
    const whole = new Uint8Array(type.byteLength);
    if (value !== undefined) type.write(whole, 0, value);
    const header = Header.at(mapping, offset);
    const before = header.magic.compareExchange(0, BUSY);
    if (before !== 0) {
      if (!replace) {
        throw new AlreadyExistsError(
          `Cannot create the segment at byte ${offset}: something is there already`,
          {
            hint: "attach it, or `replace` it",
          },
        );
      }
      header.magic.store(BUSY);
    }
    const generation = before === 0 ? 0 : (header.generation.load() + 1) >>> 0;
    const description = new TextEncoder().encode(type.description);
    const start = startOf(type);
    header.version = VERSION;
    header.fingerprint = type.fingerprint;
    header.start = start;
    header.description = description.length;
    header.size = BigInt(type.byteLength);
    header.creator = encodeIdentity(processIdentity());
    header.generation.store(generation);
    mapping.bytes.set(description, offset + LINE);
    mapping.bytes.fill(0, offset + LINE + description.length, offset + start);
    mapping.bytes.set(whole, offset + start);
    header.magic.store(MAGIC);
    return new Segment(header, mapping, type, offset + start, generation);
  }

  /**
   * Finds the segment that somebody has made.
   *
   * @throws {NotFoundError} if nobody has, or not all of it yet.
   * @throws {LayoutMismatchError} if it was made for another struct; the error names the differences.
   * @throws {UntrustedError} if something else is there, or the header contradicts itself or the mapping.
   * @throws {RangeError} if there is no room for one, or `offset` is not a multiple of 64.
   * @throws {ClosedError} if the mapping was closed.
   */
  static attach<Own extends Fields>(
    mapping: Mapping,
    type: StructType<Own>,
    { offset = 0 }: SegmentOptions = {},
  ): Segment<Own> {
    checkOffset(mapping, offset, LINE, "attach");
    const header = Header.at(mapping, offset);
    // First of all: what is read after it is of this generation, if it still is the current one in the end.
    const generation = header.generation.load();
    const magic = header.magic.load();
    const what = `Cannot attach the segment at byte ${offset}`;
    if (magic === 0 || magic === BUSY) throw new NotFoundError(`${what}: nobody has made one there yet`);
    if (magic !== MAGIC) throw new UntrustedError(`${what}: what is there is no segment`);
    // Each is read once: whoever can write there could change them.
    const { version, fingerprint, start, description, size } = header;
    if (version !== VERSION) {
      throw new LayoutMismatchError(`${what}: its header is of version ${version}, not ${VERSION}`);
    }
    const room = mapping.byteLength - offset;
    const inside = start % LINE === 0 && description <= MOST_DESCRIPTION && LINE + description <= start &&
      start + Number(size) <= room;
    if (!inside) {
      throw new UntrustedError(`${what}: its header says that it is larger than the mapping, or is odd`);
    }
    if (fingerprint !== type.fingerprint) {
      const text = mapping.read(offset + LINE, description);
      const found = differences(new TextDecoder().decode(text), type.description);
      throw new LayoutMismatchError(`${what}: it is another struct${found ? `: ${found}` : ""}`);
    }
    if (size !== BigInt(type.byteLength)) {
      throw new UntrustedError(`${what}: its header gives it ${size} bytes, its layout ${type.byteLength}`);
    }
    const segment = new Segment(header, mapping, type, offset + start, generation);
    if (!segment.current) throw new NotFoundError(`${what}: it is just being replaced`);
    return segment;
  }

  /**
   * Whether it is still the one that was made or attached, and nobody has replaced it.
   *
   * @throws {TypeError} if the mapping was closed.
   */
  get current(): boolean {
    return this.#header.magic.load() === MAGIC && this.#header.generation.load() === this.generation;
  }
}

/** Where the struct begins, from the header. */
function startOf({ description }: Described): number {
  return alignUp(LINE + new TextEncoder().encode(description).length, LINE);
}

function checkPlace(mapping: Mapping, type: Described, offset: number, verb: string): void {
  checkOffset(mapping, offset, Segment.byteLength(type), verb);
  if (mapping.readOnly) throw new TypeError(`Cannot ${verb} a segment in a mapping that is for reading`);
}

function checkOffset(mapping: Mapping, offset: number, byteLength: number, verb: string): void {
  const { byteLength: room } = mapping.bytes;
  if (Number.isInteger(offset) && offset >= 0 && offset % LINE === 0 && offset + byteLength <= room) return;
  throw new RangeError(
    `Cannot ${verb} a segment of ${byteLength} bytes at ${offset}: that is a multiple of ${LINE}, in a mapping of ${room} bytes`,
  );
}
