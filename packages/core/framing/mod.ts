/**
 * The framings: ways to mark messages on a stream of bytes.
 *
 * @module
 */

export * from "./content_length.ts";
export * from "./delimited.ts";
export * from "./framing_by_name.ts";
export * from "./length_prefix.ts";
export * from "./raw.ts";
