/** `file:/path`: the driver of logs, and of text files that are followed. */

import {
  AlreadyExistsError,
  framing as framingByName,
  type FramingName,
  IpcError,
  type Receiver,
  type Sender,
} from "@ipc/core";
import { FileLog, type FileLogConsumer, type FileLogReader, follow, type LogPosition } from "@ipc/file";
import { type Address, formatAddress } from "./address.ts";
import { AddressError } from "./address_error.ts";
import type { ConnectOptions, Direction } from "./connect.ts";
import type { ListenOptions } from "./listen.ts";
import type { MakeOptions } from "./make.ts";
import type { LogFileStatus } from "./stat.ts";
import { closeAlso } from "./_close_also.ts";
import { ANYBODY, trustOf } from "./_trust.ts";

/** Opens one end of a log that exists, or follows a text file. */
export function connect(
  address: Address,
  direction: Direction,
  { maxMessageSize }: ConnectOptions,
): Promise<Sender | Receiver> {
  return Promise.try(() => {
    if (isText(address)) return followed(address, direction, maxMessageSize);
    using log = FileLog.open(address.target, trustOf(address));
    return endOf(log, address, direction);
  });
}

/** Opens one end of a log, and creates what is missing. A text file that is followed need not be there yet. */
export function listen(
  address: Address,
  direction: Direction,
  { mode, maxMessageSize, removeOnClose = false }: ListenOptions,
): Promise<Sender | Receiver> {
  return Promise.try(() => {
    if (isText(address)) return followed(address, direction, maxMessageSize);
    const created = createMissing(address.target, mode);
    using log = created ?? FileLog.open(address.target, trustOf(address));
    const end = endOf(log, address, direction);
    if (created === undefined || !removeOnClose) return end;
    return closeAlso(end, () => {
      try {
        FileLog.remove(address.target);
      } catch (error) {
        // Somebody else was faster, or has put something there.
        if (!(error instanceof IpcError)) throw error;
      }
    });
  });
}

/** Creates a log. */
export function make({ target }: Address, options: MakeOptions): Promise<void> {
  const { mode, fsync, segmentBytes, retainBytes: bytes, retainAge: age, maxMessageSize } = options;
  return Promise.try(() => {
    FileLog.create(target, { mode, fsync, segmentBytes, retain: { bytes, age }, maxMessageSize }).close();
  });
}

/** Removes a log, with all that is in it. */
export function remove({ target }: Address): Promise<void> {
  return Promise.try(() => FileLog.remove(target, ANYBODY));
}

/** Looks at a log. */
export function stat({ text, target }: Address): Promise<LogFileStatus> {
  return Promise.try(() => logStatus(text, target));
}

/** Looks at every log below a folder that this user may look into; links are not followed. */
export function list(folder: string): LogFileStatus[] {
  return [...logsBelow(folder)].flatMap((path) => {
    try {
      return [logStatus(formatAddress("file", path), path)];
    } catch (error) {
      // It is gone by now, or is no log, or not for this user.
      if (error instanceof IpcError || error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  });
}

/** A log is a folder with these files. */
const FILES = ["settings", "lock"];

function* logsBelow(folder: string): Generator<string> {
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1);
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) return;
    throw error;
  }
  if (FILES.every((file) => entries.some(({ name, isFile }) => isFile && name === file))) return yield folder;
  for (const { name, isDirectory } of entries) {
    if (isDirectory) yield* logsBelow(`${folder.replace(/\/$/, "")}/${name}`);
  }
}

function logStatus(address: string, path: string): LogFileStatus {
  using log = FileLog.open(path, ANYBODY);
  const { uid, gid } = Deno.statSync(path);
  const files = [...Deno.readDirSync(path)].filter(({ name }) => name.endsWith(".log"));
  const times = files.map(({ name }) => Deno.statSync(`${path}/${name}`).mtime?.getTime() ?? 0);
  return {
    address,
    type: "file",
    path,
    uid: uid!,
    gid: gid!,
    mode: Deno.statSync(`${path}/${FILES[0]}`).mode! & 0o7777,
    ...times.length > 0 && { modifyTime: new Date(Math.max(...times)) },
    ...log.stat(),
  };
}

/** Whether the address is of a text file, and not of a log. */
function isText({ params }: Address): boolean {
  return params.framing !== undefined;
}

function followed(
  { text, target, params }: Address,
  direction: Direction,
  maxMessageSize: number | undefined,
): Receiver {
  if (direction === "send") throw new AddressError(text, "a text file is only followed", "send to");
  const { from } = params as { from?: "start" | "end" };
  return follow(target, { from, framing: framingByName(params.framing as FramingName, { maxMessageSize }) });
}

function endOf(log: FileLog, { params }: Address, direction: Direction): Sender | Receiver {
  if (direction === "send") return log.writer();
  const from = placeOf(params.from);
  const { consumer } = params;
  return telling(consumer === undefined ? log.reader({ from }) : log.consumer(consumer, { from }));
}

/** The log, if there was none. */
function createMissing(path: string, mode: number | undefined): FileLog | undefined {
  try {
    return FileLog.create(path, { mode });
  } catch (error) {
    if (error instanceof AlreadyExistsError) return undefined;
    throw error;
  }
}

function placeOf(from: string | undefined): LogPosition | undefined {
  if (from === undefined || from === "start" || from === "end") return from;
  return /^\d+$/.test(from) ? Number(from) : new Date(from);
}

/** A receiver under whose usual names there are messages with their sequence and time. */
function telling<R extends FileLogReader | FileLogConsumer>(receiver: R): R {
  return Object.assign(receiver, {
    receiveMessage: receiver.receiveRecord,
    tryReceiveMessage: receiver.tryReceiveRecord,
  });
}
