/** The part of memory that `--offset` and `--length` say. */

import type { Mapping } from "@ipc/core/sys";
import { Failed } from "./_failure.ts";
import { count } from "./_format.ts";
import { type Option, size } from "./_options.ts";

/** `--offset`, the same for reading and writing. */
export const offsetOption: Option<number | undefined> = size(
  "N",
  "begin behind so many bytes, 0 unless told",
);

/** Where the part begins, and how long it is. */
export function partOf(
  memory: Mapping,
  { offset = 0, length = memory.byteLength - offset }: {
    readonly offset: number | undefined;
    readonly length: number | undefined;
  },
): { offset: number; length: number } {
  if (length >= 0 && offset + length <= memory.byteLength) return { offset, length };
  throw new Failed(`it has ${count(memory.byteLength, "byte")}, not ${count(offset + Math.max(length, 0))}`);
}
