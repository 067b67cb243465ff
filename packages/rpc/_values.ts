import { toBase64 } from "./_base64.ts";

/** A function that crosses. */
export type Callable = (...params: unknown[]) => unknown;

/** Where values go that JSON cannot say. */
export interface OutPort {
  /** Puts bytes beside the JSON and returns their index; `undefined`: they go into it. */
  bytes(data: Uint8Array): number | undefined;
  /** Lets the other side call a function by a number. */
  callback(callable: Callable): number;
  /** Lets the other side take the values of a stream by a number. */
  stream(source: AsyncIterable<unknown>): number;
  /** Takes back what was registered for a value that could not be encoded after all. */
  undo(): void;
}

/** Where such values come from. */
export interface InPort {
  /** The bytes beside the JSON by index, or those of base64; throws where there are none. */
  bytes(place: unknown): unknown;
  callback(id: unknown): unknown;
  stream(id: unknown): unknown;
}

/** How deep values may be nested unless told. */
const MAX_DEPTH = 60;

/**
 * The JSON of a value. Without a port, for peers that know nothing of this package, bytes become base64 and a
 * function or a stream is a `TypeError`. So is what is nested deeper than `maxDepth`, in itself for instance: the walk
 * ends there, for one that went on beside it would take for ever.
 */
export function encodeValue(value: unknown, port: OutPort | undefined, maxDepth = MAX_DEPTH): string {
  if (isPlain(value, maxDepth, port !== undefined)) return JSON.stringify(value) ?? "null";
  try {
    return JSON.stringify(new Marker(port).mark(value, maxDepth)) ?? "null";
  } catch (error) {
    port?.undo();
    throw error;
  }
}

/** Whether JSON says all of it as it is; it may have `levels` of arrays and objects in each other. */
function isPlain(value: unknown, levels: number, escaped: boolean): boolean {
  if (typeof value !== "object") return typeof value !== "function";
  if (value === null) return true;
  if (levels === 0) throw tooDeep();
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      if (!isPlain(value[index], levels - 1, escaped)) return false;
    }
    return true;
  }
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer || Symbol.asyncIterator in value) {
    return false;
  }
  if (hasToJson(value)) return true;
  for (const key in value) {
    if (escaped && isReserved(key)) return false;
    if (!isPlain((value as Record<string, unknown>)[key], levels - 1, escaped)) return false;
  }
  return true;
}

/** Copies what has something special in it, with a marker in the place of each special thing. */
class Marker {
  constructor(private readonly port: OutPort | undefined) {}

  mark(value: unknown, levels: number): unknown {
    if ((typeof value !== "object" && typeof value !== "function") || value === null) return value;
    if (levels === 0) throw tooDeep();
    if (typeof value === "function") return this.#function(value as Callable);
    if (Array.isArray(value)) return value.map((item) => this.mark(item, levels - 1));
    if (ArrayBuffer.isView(value)) {
      return this.#bytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    }
    if (value instanceof ArrayBuffer) return this.#bytes(new Uint8Array(value));
    if (Symbol.asyncIterator in value) return this.#stream(value as AsyncIterable<unknown>);
    if (hasToJson(value)) return value;
    const copy: Record<string, unknown> = Object.create(null);
    for (const key of Object.keys(value)) {
      const item = this.mark((value as Record<string, unknown>)[key], levels - 1);
      copy[this.port !== undefined && isReserved(key) ? `$/${key}` : key] = item;
    }
    return copy;
  }

  #function(callable: Callable): unknown {
    if (this.port === undefined) throw new TypeError("Cannot send a function: the peer cannot call it");
    return { "$/callback": this.port.callback(callable) };
  }

  #stream(source: AsyncIterable<unknown>): unknown {
    if (this.port === undefined) throw new TypeError("Cannot send a stream: the peer cannot take it");
    return { "$/stream": this.port.stream(source) };
  }

  #bytes(data: Uint8Array): unknown {
    if (this.port === undefined) return toBase64(data);
    return { "$/bytes": this.port.bytes(data) ?? toBase64(data) };
  }
}

/** Puts the things back that markers stand for, in place where it can; what it returns replaces the value. */
export function reviveValue(value: unknown, port: InPort): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) value[index] = reviveValue(value[index], port);
    return value;
  }
  const object = value as Record<string, unknown>;
  const keys = Object.keys(object);
  if (keys.length === 1 && isReserved(keys[0]!)) {
    const marked = object[keys[0]!];
    if (keys[0] === "$/bytes") return port.bytes(marked);
    if (keys[0] === "$/callback") return port.callback(marked);
    if (keys[0] === "$/stream") return port.stream(marked);
  }
  for (const key of keys) {
    const item = object[key];
    const revived = reviveValue(item, port);
    const plain = isReserved(key) && key.startsWith("$/", 2) ? key.slice(2) : key;
    if (plain !== key) delete object[key];
    else if (revived === item) continue;
    // It is an own key already, or begins with a dollar: no assignment sets the prototype.
    object[plain] = revived;
  }
  return object;
}

function tooDeep(): TypeError {
  return new TypeError("Cannot send a value: it is nested too deeply, or in itself");
}

function isReserved(key: string): boolean {
  return key.charCodeAt(0) === 0x24 && key.charCodeAt(1) === 0x2f;
}

function hasToJson(value: object): boolean {
  return typeof (value as { toJSON?: unknown }).toJSON === "function";
}
