/** Finding what is damaged in a log, and keeping what is not. */

import type { OwnedFd } from "@ipc/core/sys";
import { must } from "./_call.ts";
import { libc } from "./_libc.ts";
import type { LogDirectory } from "./_log_directory.ts";
import { scan } from "./_segment_scan.ts";

/** Something in a log that is no record. */
export interface LogDamage {
  /** The first sequence of the segment, which its file is named after. */
  readonly segment: number;
  /** Where in the file it begins. */
  readonly offset: number;
  /** Bytes that are no record. */
  readonly bytes: number;
  /** `"torn"`: at the very end, left by a writer that died, or being written at this moment; `"damaged"`: records follow. */
  readonly kind: "torn" | "damaged";
  /** The sequence of the first record that is lost. */
  readonly sequence: number;
  /** How many records are lost; 0 for a torn end, whose record never was. */
  readonly lost: number;
}

/** What a look through a log found. */
export interface VerifyReport {
  /** Records that are whole. */
  readonly records: number;
  /** What is none, in its order; empty: all is well. */
  readonly damage: readonly LogDamage[];
}

/** What repairing a log did. */
export interface RepairReport extends VerifyReport {
  /** Bytes that were cut. */
  readonly cut: number;
}

/** Records in a row that are whole. */
interface Part {
  readonly from: number;
  readonly to: number;
  /** The sequence of the first. */
  readonly first: number;
}

interface Look {
  readonly damage: LogDamage[];
  readonly parts: Part[];
  records: number;
}

/** Reads all of a log. */
export function verifyLog(directory: LogDirectory): VerifyReport {
  const damage: LogDamage[] = [];
  let records = 0;
  const segments = directory.segments();
  segments.forEach((first, index) => {
    using segment = directory.openSegment(first, "read");
    if (segment === undefined) return;
    const look = lookThrough(directory, segment, first, segments[index + 1]);
    records += look.records;
    damage.push(...look.damage);
  });
  return { records, damage };
}

/** Cuts what is no record; nobody may append meanwhile. */
export function repairLog(directory: LogDirectory): RepairReport {
  const damage: LogDamage[] = [];
  let records = 0;
  let cut = 0;
  const segments = directory.segments();
  segments.forEach((first, index) => {
    using segment = directory.openSegment(first, "write");
    if (segment === undefined) return;
    const look = lookThrough(directory, segment, first, segments[index + 1]);
    records += look.records;
    damage.push(...look.damage);
    if (look.damage.length === 0) return;
    cut += look.damage.reduce((sum, one) => sum + one.bytes, 0);
    // Records of a segment follow one another: what lies behind a gap becomes a segment of its own, before it is cut.
    const [head, ...others] = look.parts[0]?.from === 0 ? look.parts : [undefined, ...look.parts];
    for (const part of others) {
      directory.addSegment(part!.first, (fd) => copy(segment.fd, fd, part!, directory.path));
    }
    if (others.length > 0) directory.sync();
    if (head === undefined && others.length > 0) directory.removeSegment(first);
    else {
      const end = BigInt(head?.to ?? 0);
      must(() => libc.ftruncate(segment.fd, end), "ftruncate", "repair log", directory.path);
      must(() => libc.fsync(segment.fd), "fsync", "repair log", directory.path);
    }
  });
  if (cut > 0) directory.sync();
  return { records, damage, cut };
}

function lookThrough(
  directory: LogDirectory,
  segment: OwnedFd,
  first: number,
  following: number | undefined,
): Look {
  const look: Look = { damage: [], parts: [], records: 0 };
  const { path, settings } = directory;
  for (let at = 0, sequence = first;;) {
    const { end, next, records, rest, resumes } = scan(segment.fd, at, sequence, settings, path);
    if (records > 0) look.parts.push({ from: at, to: end, first: sequence });
    look.records += records;
    if (rest === 0) return look;
    const lost = (resumes?.sequence ?? following ?? next) - next;
    const bytes = resumes === undefined ? rest : resumes.at - end;
    const kind = lost > 0 ? "damaged" : "torn";
    look.damage.push({ segment: first, offset: end, bytes, kind, sequence: next, lost });
    if (resumes === undefined) return look;
    ({ at, sequence } = resumes);
  }
}

/** Copies a part of a file to the beginning of another. */
function copy(from: number, to: number, part: Part, path: string): void {
  const buffer = new Uint8Array(1024 * 1024);
  for (let at = part.from; at < part.to;) {
    const want = BigInt(Math.min(buffer.length, part.to - at));
    const read = must(() => libc.pread(from, buffer, want, BigInt(at)), "pread", "repair log", path);
    if (read === 0) return;
    const place = BigInt(at - part.from);
    at += must(() => libc.pwrite(to, buffer, BigInt(read), place), "pwrite", "repair log", path);
  }
}
