/** Layouts as text, so that they can be compared by somebody who has only that. */

import type { Layout, Line } from "./_field.ts";

/** As many differences an error names. */
const MOST = 8;
const LINE = /^(\d{1,16}) ([A-Za-z_][\w.\[\]]{0,999})? ([a-z][\w .()\[\]]{0,99})$/;

/** The description of a layout: for each field a line with its offset, path and type. */
export function describe(layout: Layout): string {
  const lines: Line[] = [];
  layout.describe("", 0, lines);
  return lines.map(({ path, at, type }) => `${at} ${path} ${type}`).join("\n");
}

/** FNV-1a with 64 bits. */
export function fingerprint(description: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(description)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash;
}

/** What a layout has that another has not, field by field; `undefined` if the other description is none. */
export function differences(theirs: string, ours: string): string | undefined {
  const there = parse(theirs);
  const here = parse(ours)!;
  if (there === undefined) return undefined;
  const found: string[] = [];
  for (const [path, line] of there) {
    const own = here.get(path);
    if (own === undefined) found.push(`${named(path)} is ${shown(line)} there and missing here`);
    else if (own.type !== line.type || own.at !== line.at) {
      found.push(`${named(path)} is ${shown(line)} there and ${shown(own)} here`);
    }
  }
  for (const [path, line] of here) {
    if (!there.has(path)) found.push(`${named(path)} is ${shown(line)} here and missing there`);
  }
  const more = found.length - MOST;
  return found.slice(0, MOST).join("; ") + (more > 0 ? `; and ${more} more` : "");
}

function parse(description: string): Map<string, Line> | undefined {
  const lines = new Map<string, Line>();
  for (const line of description.split("\n")) {
    const found = LINE.exec(line);
    if (found === null) return undefined;
    const [, at, path = "", type] = found;
    lines.set(path, { path, at: Number(at), type: type! });
  }
  return lines;
}

function named(path: string): string {
  return path === "" ? "the whole" : path;
}

function shown({ type, at }: Line): string {
  return `${type} at ${at}`;
}
