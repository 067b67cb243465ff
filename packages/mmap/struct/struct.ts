/** Structs in memory. */

import { describe, fingerprint } from "./_description.ts";
import {
  alignUp,
  copyField,
  type FieldType,
  LAYOUT,
  type Layout,
  type PlaceType,
  placeType,
  type ValueType,
} from "./_field.ts";
import {
  bytesOf,
  checkWritable,
  locate,
  type Memory,
  type MemorySource,
  placeProperty,
  StructView,
} from "./_memory.ts";
import { declareStruct } from "./_to_c.ts";

/** A field whose offset was chosen: see {@linkcode at}. */
export interface Placed<Type extends FieldType = FieldType> {
  /** Bytes from the beginning of the struct. */
  readonly offset: number;
  /** What is there. */
  readonly type: Type;
}

/** The fields of a struct by their names, in their order. */
export type Fields = Readonly<Record<string, FieldType | Placed>>;

/** The plain object that a struct, or any other field, has for a value: `Value<typeof Point>`. */
export type Value<Field> = Field extends FieldType<infer Own> | Placed<FieldType<infer Own>> ? Own : never;

/** What stands for a struct, or any other field, in memory: `View<typeof Point>`. */
export type View<Field> = Field extends FieldType<unknown, infer Own> | Placed<FieldType<unknown, infer Own>>
  ? Own
  : never;

/** The plain object that is the value of a struct with such fields. */
export type ValueOf<Own extends Fields> = { -readonly [Name in keyof Own]: Value<Own[Name]> };

/** The view of a struct with such fields: plain values can be assigned, everything else is in place. */
export type ViewOf<Own extends Fields> =
  & StructView
  & {
    -readonly [
      Name in keyof Own as Own[Name] extends ValueType<unknown> | Placed<ValueType<unknown>> ? Name : never
    ]: Value<Own[Name]>;
  }
  & {
    readonly [
      Name in keyof Own as Own[Name] extends ValueType<unknown> | Placed<ValueType<unknown>> ? never : Name
    ]: View<Own[Name]>;
  };

/** Where a field is, and what. */
export interface FieldPlace {
  /** Bytes from the beginning of the struct. */
  readonly offset: number;
  /** Bytes. */
  readonly byteLength: number;
  /** As the layout's description calls it. */
  readonly type: string;
}

/** How a struct is laid out. */
export interface StructOptions {
  /** Whether fields follow each other without gaps, wherever that puts them: `__attribute__((packed))` in C. */
  packed?: boolean | undefined;
  /** What errors call it, and C declarations. */
  name?: string | undefined;
}

/** A struct: its layout, and the way to those in memory. */
export interface StructType<Own extends Fields = Fields> extends PlaceType<ValueOf<Own>, ViewOf<Own>> {
  /** What errors call it; `"struct"` unless told. */
  readonly name: string;
  /** Its fields, by their names. */
  readonly fields: { readonly [Name in keyof Own]: FieldPlace };
  /** A hash of names, types and places of all fields: two structs of the same are laid out the same. */
  readonly fingerprint: bigint;
  /** Names, types and places of all fields, one on a line. */
  readonly description: string;
  /**
   * The struct at a byte of some memory: what is assigned to the fields of the view is there at once.
   *
   * @throws {RangeError} if it is not all inside, or its place is not a multiple of `align`.
   * @throws {ClosedError} if the mapping was closed.
   *
   * @example
   * ```ts
   * import { f64, struct } from "@ipc/mmap/struct";
   * import { assertEquals } from "@std/assert";
   *
   * const Point = struct({ x: f64, y: f64 });
   * const memory = new ArrayBuffer(100);
   * Point.at(memory, 16).y = 0.5;
   * assertEquals(new Float64Array(memory, 16, 2)[1], 0.5);
   * ```
   */
  at(memory: MemorySource, offset?: number): ViewOf<Own>;
  /**
   * A plain object with all values; what others write meanwhile can be in one field and not in the next.
   *
   * @throws {RangeError} as `at`.
   * @throws {DecodeError} if a text is no UTF-8.
   * @throws {TypeError} if the mapping of a view was closed.
   */
  read(memory: MemorySource, offset?: number): ValueOf<Own>;
  /**
   * Writes all values; nothing if one of them does not fit.
   *
   * @throws {RangeError} as `at`, and if a value does not fit.
   * @throws {TypeError} if a value is missing, or of another type, or the mapping is for reading.
   *
   * @example
   * ```ts
   * import { struct, u8 } from "@ipc/mmap/struct";
   * import { assertEquals, assertThrows } from "@std/assert";
   *
   * const Colour = struct({ red: u8, green: u8, blue: u8 });
   * const memory = new ArrayBuffer(3);
   * Colour.write(memory, 0, { red: 1, green: 2, blue: 3 });
   * assertThrows(() => Colour.write(memory, 0, { red: 4, green: 5, blue: 256 }), RangeError);
   * assertEquals(Colour.read(memory), { red: 1, green: 2, blue: 3 });
   * ```
   */
  write(memory: MemorySource, offset: number, value: ValueOf<Own>): void;
  /**
   * The same struct in C11, with assertions of its size and of all offsets, and its fingerprint.
   *
   * @throws {TypeError} if a name is a word of the language, or `name` is no name.
   *
   * @example
   * ```ts
   * import { f64, struct } from "@ipc/mmap/struct";
   * import { assertStringIncludes } from "@std/assert";
   *
   * const Point = struct({ x: f64, y: f64 }, { name: "point" });
   * assertStringIncludes(Point.toC(), "_Static_assert(offsetof(struct point, y) == 8,");
   * ```
   */
  toC(name?: string): string;
}

/** A field as it lies in its struct. */
export interface Member {
  readonly name: string;
  readonly at: number;
  readonly layout: Layout;
}

/** What is known of a struct besides its layout. */
export interface StructLayout extends Layout {
  readonly members: readonly Member[];
  readonly packed: boolean;
  /** The name that it was given. */
  readonly ownName: string | undefined;
}

/** Bytes of memory that a struct keeps to itself. */
const MOST_KEPT = 4096;

/** The size of the struct that a view is of. */
const sizes = new WeakMap<object, number>();

/**
 * Chooses the offset of a field, in bytes: after the fields before it, and a multiple of its alignment unless packed.
 *
 * @example
 * ```ts
 * import { at, struct, u32, u8 } from "@ipc/mmap/struct";
 * import { assertEquals } from "@std/assert";
 *
 * const Device = struct({ status: u8, data: at(16, u32) });
 * assertEquals([Device.fields.data.offset, Device.byteLength], [16, 20]);
 * ```
 */
export function at<Type extends FieldType>(offset: number, type: Type): Placed<Type> {
  return { offset, type };
}

/**
 * Makes a struct of its fields, laid out as C does on 64-bit machines, little-endian.
 *
 * @throws {RangeError} if the offset of a field is before the end of the field before it, or not a multiple of its
 *   alignment.
 * @throws {TypeError} if a name is none that C takes, there is no field, or atomics are packed.
 *
 * @example
 * ```ts
 * import { array, atomic, f32, f64, struct, utf8 } from "@ipc/mmap/struct";
 * import { assertEquals } from "@std/assert";
 *
 * const Point = struct({ seq: atomic.u32, x: f64, y: f64, name: utf8(32), history: array(f32, 64) });
 * const memory = new ArrayBuffer(Point.byteLength); // a mapping, as a rule
 * const point = Point.at(memory);
 * point.x = 1.5;
 * point.name = "home";
 * point.history.set(3, 0.25);
 * point.seq.add(1);
 * assertEquals(Point.at(memory).name, "home");
 * assertEquals(Point.read(memory).history[3], 0.25);
 * ```
 */
export function struct<const Own extends Fields>(fields: Own, options: StructOptions = {}): StructType<Own> {
  const { name: ownName, packed = false } = options;
  const name = ownName ?? "struct";
  const members = lay(fields, packed, name);
  const last = members.at(-1)!;
  const align = packed ? 1 : Math.max(...members.map(({ layout }) => layout.align));
  const byteLength = alignUp(last.at + last.layout.byteLength, align);
  const NamedView = viewOf(members, name);
  sizes.set(NamedView.prototype, byteLength);
  type OwnView = ViewOf<Own>;
  const place = (memory: Memory, at: number) => new NamedView(memory, at) as OwnView;
  const layout: StructLayout & Layout<ValueOf<Own>, OwnView> = {
    name,
    ownName,
    byteLength,
    align,
    atomic: members.some(({ layout }) => layout.atomic),
    members,
    packed,
    place,
    read(data, at) {
      const value: Record<string, unknown> = {};
      for (const { name, at: offset, layout } of members) value[name] = layout.read(data, at + offset);
      return value as ValueOf<Own>;
    },
    write(data, at, value, field) {
      if (typeof value !== "object" || value === null) {
        throw new TypeError(`Cannot write ${field}: it is no object`);
      }
      const values = value as Readonly<Record<string, unknown>>;
      for (const { name, at: offset, layout } of members) layout.write(data, at + offset, values[name], name);
    },
    copy(from, fromAt, to, toAt) {
      for (const { at: offset, layout } of members) {
        copyField(layout, from, fromAt + offset, to, toAt + offset);
      }
    },
    property: (at, field, index) => placeProperty({ place }, at, field, index),
    declare: (field, declarations, outer) =>
      `struct ${declarations.tag(layout, `${outer}_${bare(field)}`)} ${field}`,
    describe(path, at, lines) {
      lines.push({ path, at, type: `struct of ${byteLength}` });
      for (const { name, at: offset, layout } of members) {
        layout.describe(path === "" ? name : `${path}.${name}`, at + offset, lines);
      }
    },
  };
  const find = (memory: MemorySource, offset = 0) => locate(memory, offset, layout, sizeOf);
  // What is written is written here first, to see whether all fits; the value is read once.
  let scratch: DataView | undefined;
  let description: string | undefined;
  let hash: bigint | undefined;
  return Object.freeze({
    ...placeType(layout),
    name,
    fields: Object.fromEntries(members.map(({ name, at, layout }) => {
      return [name, { offset: at, byteLength: layout.byteLength, type: layout.name }];
    })) as StructType<Own>["fields"],
    get description(): string {
      return description ??= describe(layout);
    },
    get fingerprint(): bigint {
      return hash ??= fingerprint(describe(layout));
    },
    at(memory: MemorySource, offset?: number): OwnView {
      const found = find(memory, offset);
      return place(found.memory, found.at);
    },
    read(memory: MemorySource, offset?: number): ValueOf<Own> {
      const { memory: { data }, at } = find(memory, offset);
      return layout.read(data, at) as ValueOf<Own>;
    },
    write(memory: MemorySource, offset: number, value: ValueOf<Own>): void {
      const { memory: { data }, at } = find(memory, offset);
      checkWritable(data);
      bytesOf(data, at, byteLength);
      const checked = scratch ?? new DataView(new ArrayBuffer(byteLength));
      // Reading the value may run code that writes another.
      scratch = undefined;
      layout.write(checked, 0, value, name);
      copyField(layout, checked, 0, data, at);
      if (byteLength <= MOST_KEPT) scratch = checked;
    },
    toC: (tag?: string) => declareStruct(layout, tag),
  });
}

/** The bytes of the struct that a view is of. */
function sizeOf(view: StructView): number | undefined {
  return sizes.get(Object.getPrototypeOf(view));
}

/** A declarator without the lengths of arrays. */
function bare(declarator: string): string {
  return declarator.replace(/\[.*/, "");
}

/** Gives every field its place. */
function lay(fields: Fields, packed: boolean, name: string): Member[] {
  let end = 0;
  const members = Object.entries(fields).map(([field, given]): Member => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(field) || field === "__proto__") {
      throw new TypeError(`Cannot make ${name}: "${field}" is no name for a field`);
    }
    const placed = isPlaced(given) ? given : undefined;
    const layout = (placed?.type ?? given as FieldType)?.[LAYOUT];
    if (layout === undefined) throw new TypeError(`Cannot make ${name}: ${field} is no type of a field`);
    if (packed && layout.atomic) {
      throw new TypeError(`Cannot make ${name}: ${field} has atomics, which cannot be packed`);
    }
    const align = packed ? 1 : layout.align;
    const at = placed === undefined ? alignUp(end, align) : placed.offset;
    if (!(Number.isSafeInteger(at) && at >= end && at % align === 0)) {
      throw new RangeError(
        `Cannot make ${name}: ${field} is to be at ${at}, which has to be a multiple of ${align} from ${end}`,
      );
    }
    end = at + layout.byteLength;
    return { name: field, at, layout };
  });
  if (members.length === 0) throw new TypeError(`Cannot make ${name}: it has no fields`);
  return members;
}

function isPlaced(field: FieldType | Placed): field is Placed {
  return typeof field === "object" && field !== null && "offset" in field && "type" in field;
}

/** The class of a struct's views. */
function viewOf(members: readonly Member[], name: string): new (memory: Memory, at: number) => StructView {
  class NamedView extends StructView {
    /** Shows the values. */
    [Symbol.for("Deno.customInspect")](inspect: typeof Deno.inspect, options: Deno.InspectOptions): string {
      try {
        const view = this as unknown as Record<string, unknown>;
        const shown = Object.fromEntries(members.map(({ name }) => [name, view[name]]));
        return `${name} ${inspect(shown, options)}`;
      } catch (error) {
        return `${name} (${error instanceof TypeError ? "closed" : "not readable"})`;
      }
    }
  }
  for (const [index, { name, at, layout }] of members.entries()) {
    Object.defineProperty(NamedView.prototype, name, {
      ...layout.property(at, name, index),
      enumerable: true,
    });
  }
  return NamedView;
}
