/** What a field is made of, behind the types that users see. */

import type { Memory } from "./_memory.ts";

/** Where {@linkcode FieldType} keeps its works. */
export const LAYOUT: unique symbol = Symbol("layout");

/** How a field lies in memory, and how it is read and written there. */
export interface Layout<Value = unknown, Place = unknown> {
  /** As descriptions and errors call it. */
  readonly name: string;
  /** Bytes. */
  readonly byteLength: number;
  /** Bytes. */
  readonly align: number;
  /** Whether processors insist on its alignment, since it is or holds an atomic. */
  readonly atomic: boolean;
  /** Reads the whole as a plain value. */
  read(data: DataView, at: number): Value;
  /** Writes the whole; `name` is what errors call it. */
  write(data: DataView, at: number, value: Value, name: string): void;
  /** Writes what `write` has put somewhere else, which so is known to fit; absent where reading and writing it does. */
  copy?(from: DataView, fromAt: number, to: DataView, toAt: number): void;
  /** What stands for the field in a view of its struct; `at` is the field's offset there, `index` its number. */
  property(at: number, name: string, index: number): PropertyDescriptor;
  /** What stands for it as an element of an array; `undefined`: a plain value does. */
  place?(memory: Memory, at: number): Place;
  /** Its declaration in C; `outer` names the struct that it stands in. */
  declare(name: string, declarations: Declarations, outer: string): string;
  /** Adds what there is to know of its layout. */
  describe(path: string, at: number, lines: Line[]): void;
}

/** The structs that a declaration in C needs before it. */
export interface Declarations {
  /** Returns the tag of a struct, which is declared if it was not; `wanted` is its name if it has none of its own. */
  tag(of: Layout, wanted: string): string;
}

/** One line of a layout's description. */
export interface Line {
  readonly path: string;
  readonly at: number;
  readonly type: string;
}

/** What a field of a struct can be: a number, text, bytes, an atomic, an array or a struct. */
export interface FieldType<Value = unknown, Place = unknown> {
  /** Bytes that it takes. */
  readonly byteLength: number;
  /** Bytes of whose number its offset is a multiple, as C has it on 64-bit machines. */
  readonly align: number;
  /** Whether views have something that lives in the memory in its place, and no plain value. */
  readonly inPlace: boolean;
  /**
   * How it works.
   *
   * @ignore
   */
  readonly [LAYOUT]: Layout<Value, Place>;
}

/** A field that is read and written as a whole: `view.x = 1`. */
export interface ValueType<Value> extends FieldType<Value, Value> {
  /** It is a plain value. */
  readonly inPlace: false;
}

/** A field that views have in place: an array, an atomic or another struct. */
export interface PlaceType<Value, Place> extends FieldType<Value, Place> {
  /** Views have it in place. */
  readonly inPlace: true;
}

/** The type of users for a layout. */
export function valueType<Value>(layout: Layout<Value, Value>): ValueType<Value> {
  return Object.freeze({
    byteLength: layout.byteLength,
    align: layout.align,
    inPlace: false as const,
    [LAYOUT]: layout,
  });
}

/** The type of users for a layout whose fields views have in place. */
export function placeType<Value, Place>(layout: Layout<Value, Place>): PlaceType<Value, Place> {
  return Object.freeze({
    byteLength: layout.byteLength,
    align: layout.align,
    inPlace: true as const,
    [LAYOUT]: layout,
  });
}

/** Writes into a field what one of the same type has elsewhere. */
export function copyField(layout: Layout, from: DataView, fromAt: number, to: DataView, toAt: number): void {
  if (layout.copy !== undefined) layout.copy(from, fromAt, to, toAt);
  else layout.write(to, toAt, layout.read(from, fromAt), layout.name);
}

/** Throws unless `count` can be that of bytes or elements. */
export function checkCount(count: number, what: string): void {
  if (Number.isInteger(count) && count >= 1 && count <= 2 ** 32) return;
  throw new RangeError(`Cannot make ${what} of ${count}: it is an integer from 1 to 2 ** 32`);
}

/** The next multiple of `align`, which is a power of 2. */
export function alignUp(offset: number, align: number): number {
  return Math.ceil(offset / align) * align;
}

/** A value that is no number, or what else is wanted, or does not fit. */
export function refuse(name: string, value: unknown, kind: string, type: string): never {
  const own: string = typeof value;
  if (own !== kind) throw new TypeError(`Cannot write ${name}: it is a ${kind}, and not ${shown(value)}`);
  throw new RangeError(`Cannot write ${name}: ${value} is not ${type}`);
}

/** A value as errors show it, which is never long. */
export function shown(value: unknown): string {
  if (typeof value === "string") return "a string";
  if (typeof value === "bigint") return "a bigint";
  if (value === null || ["number", "boolean", "undefined"].includes(typeof value)) return String(value);
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
