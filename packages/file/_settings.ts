/** What a log is created with, as it is written beside the records: it holds for all who write there. */

import { UntrustedError } from "@ipc/core";

/** When an appended record is forced to the disk. */
export type FsyncPolicy = "always" | "interval" | "never";

/** What a log is created with. */
export interface LogSettings {
  /** When records are forced to the disk: before `send` resolves, every second, or when the kernel likes; `"interval"` unless told. */
  fsync: FsyncPolicy;
  /** Bytes after which the next segment is begun; 16 MiB unless told. */
  segmentBytes: number;
  /** Old segments go when all of them together have more bytes than this; `Infinity` unless told. */
  retainBytes: number;
  /** Segments end when their first record is older than this, in milliseconds, and go when their last is; `Infinity` unless told. */
  retainAge: number;
  /** Whether what a named consumer has not acknowledged is kept all the same. */
  retainUnread: boolean;
  /** The longest message in bytes; 16 MiB unless told. */
  maxMessageSize: number;
  /** What the checksums of this log begin with. */
  salt: number;
}

const MIB = 1024 * 1024;
const FORMAT = 1;

/** What users say of it. */
export interface LogOptions {
  /** When records are forced to the disk: before `send` resolves, within a second, or when the kernel likes; `"interval"` unless told. */
  fsync?: FsyncPolicy | undefined;
  /** Bytes after which the next segment is begun, from 4096; 16 MiB unless told. */
  segmentBytes?: number | undefined;
  /**
   * What is dropped: whole segments, the oldest first, never the last; nothing unless told.
   *
   * A log waits for nobody who reads. Without this, or where a consumer never acknowledges what is kept for it, it
   * grows until the disk is full.
   */
  retain?: {
    /** The most bytes of all segments together when one is begun; until the next there are up to `segmentBytes` and a message more. */
    bytes?: number | undefined;
    /**
     * How old records may become, in milliseconds: a segment is ended when its first is older, and goes when its last
     * is, so that none stays much longer than twice this. Writers look when they are opened, and with an append from
     * time to time: every tenth of it, but not more than once a second, nor less than once a minute. A log that
     * nobody writes to keeps all.
     */
    age?: number | undefined;
    /** `"keep"`: what a named consumer has not acknowledged stays; `"drop"`: it goes too, and the consumer is told. `"keep"` unless told. */
    unread?: "keep" | "drop" | undefined;
  } | undefined;
  /** The longest message in bytes, to 1 GiB; 16 MiB unless told. */
  maxMessageSize?: number | undefined;
}

/** The settings that somebody asked for. */
export function settingsOf(options: LogOptions): LogSettings {
  const { fsync = "interval", segmentBytes = 16 * MIB, retain = {}, maxMessageSize = 16 * MIB } = options;
  const settings = {
    fsync,
    segmentBytes,
    retainBytes: retain.bytes ?? Infinity,
    retainAge: retain.age ?? Infinity,
    retainUnread: (retain.unread ?? "keep") === "keep",
    maxMessageSize,
    salt: crypto.getRandomValues(new Uint32Array(1))[0]!,
  };
  const odd = ["keep", "drop", undefined].includes(retain.unread)
    ? findOdd(settings)
    : 'retain.unread is "keep" or "drop"';
  if (odd !== undefined) throw new RangeError(`Cannot create a log: ${odd}`);
  return settings;
}

/** The settings as they are written. */
export function encodeSettings(settings: LogSettings): Uint8Array<ArrayBuffer> {
  // Infinity is no JSON.
  const finite = (value: number) => value === Infinity ? null : value;
  const text = JSON.stringify({
    format: FORMAT,
    ...settings,
    retainBytes: finite(settings.retainBytes),
    retainAge: finite(settings.retainAge),
  });
  return new TextEncoder().encode(`${text}\n`);
}

/** The settings that somebody wrote. */
export function decodeSettings(text: string, path: string): LogSettings {
  const untrusted = (why: string) =>
    new UntrustedError(`Cannot open log "${path}": ${why}`, { target: path });
  let read: Record<string, unknown> | null;
  try {
    read = JSON.parse(text);
  } catch {
    throw untrusted("its settings are no JSON");
  }
  if (typeof read !== "object" || read === null) throw untrusted("its settings are no object");
  if (read.format !== FORMAT) {
    throw untrusted(`it has the format ${read.format}, and this program reads ${FORMAT}`);
  }
  const settings = {
    fsync: read.fsync as FsyncPolicy,
    segmentBytes: read.segmentBytes as number,
    retainBytes: (read.retainBytes ?? Infinity) as number,
    retainAge: (read.retainAge ?? Infinity) as number,
    retainUnread: read.retainUnread !== false,
    maxMessageSize: read.maxMessageSize as number,
    salt: read.salt as number,
  };
  const odd = findOdd(settings);
  if (odd !== undefined) throw untrusted(odd);
  return settings;
}

function findOdd(
  { fsync, segmentBytes, retainBytes, retainAge, maxMessageSize, salt }: LogSettings,
): string | undefined {
  if (!["always", "interval", "never"].includes(fsync)) return `fsync is "always", "interval" or "never"`;
  if (!inRange(segmentBytes, 4096, Number.MAX_SAFE_INTEGER)) return "segmentBytes is an integer from 4096";
  if (!(retainBytes >= 0)) return "retain.bytes is a number from 0";
  if (!(retainAge >= 0)) return "retain.age is a number from 0";
  if (!inRange(salt, 0, 0xffff_ffff)) return "its salt is no number of 32 bits";
  if (!inRange(maxMessageSize, 1, 1024 * MIB)) return "maxMessageSize is an integer from 1 to 1073741824";
}

function inRange(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}
