/** Finding what is damaged in a log, and keeping what is not. */

import { check, type OwnedFd } from "@ipc/core/sys";
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
    for (const part of others) copyPart(directory, segment, part!);
    if (head === undefined && others.length > 0) directory.removeSegment(first);
    else {
      check(libc.ftruncate(segment.fd, BigInt(head?.to ?? 0)), "ftruncate", "repair log", directory.path);
      check(libc.fsync(segment.fd), "fsync", "repair log", directory.path);
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

/** Writes a part of a segment as a segment of its own, which is seen only when it is whole. */
function copyPart(directory: LogDirectory, segment: OwnedFd, { from, to, first }: Part): void {
  const name = `repair.${first}`;
  using file = directory.createFile(name);
  const buffer = new Uint8Array(1024 * 1024);
  for (let at = from; at < to;) {
    const want = BigInt(Math.min(buffer.length, to - at));
    const read = check(
      libc.pread(segment.fd, buffer, want, BigInt(at)),
      "pread",
      "repair log",
      directory.path,
    );
    const bytes = buffer.subarray(0, read);
    const written = check(
      libc.pwrite(file.fd, bytes, BigInt(read), BigInt(at - from)),
      "pwrite",
      "repair log",
      directory.path,
    );
    at += written;
  }
  check(libc.fsync(file.fd), "fsync", "repair log", directory.path);
  directory.replaceSegment(first, name);
}
