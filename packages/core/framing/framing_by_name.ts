import type { Framing, FramingOptions } from "../framing.ts";
import { contentLength } from "./content_length.ts";
import { lines, nul } from "./delimited.ts";
import { lengthPrefix } from "./length_prefix.ts";
import { raw } from "./raw.ts";

/** The name of a framing, as options and addresses give it. */
export type FramingName = "length" | "lines" | "nul" | "content-length" | "raw";

const FRAMINGS = new Map<string, (options?: FramingOptions) => Framing>([
  ["length", lengthPrefix],
  ["lines", lines],
  ["nul", nul],
  ["content-length", contentLength],
  ["raw", raw],
]);

/**
 * The framing of a name: `"length"`, `"lines"`, `"nul"`, `"content-length"` or `"raw"`.
 *
 * @throws {TypeError} if there is none of that name.
 * @throws {RangeError} if `maxMessageSize` is not 1 to 4,294,967,294.
 *
 * @example
 * ```ts
 * import { framing } from "@ipc/core";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(framing("lines", { maxMessageSize: 80 }).maxMessageSize, 80);
 * ```
 */
export function framing(name: FramingName, options?: FramingOptions): Framing {
  const make = FRAMINGS.get(name);
  if (make !== undefined) return make(options);
  throw new TypeError(`Cannot use framing "${name}": there are ${[...FRAMINGS.keys()].join(", ")}`);
}
