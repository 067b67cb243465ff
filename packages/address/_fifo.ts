/** `fifo:/path`: the driver of named pipes. */

import { AlreadyExistsError, type FramingName, IpcError, type Receiver, type Sender } from "@ipc/core";
import { Fifo, mkfifo, unlink } from "@ipc/fifo";
import { type Address, formatAddress, parseAddress } from "./address.ts";
import type { ConnectOptions, Direction } from "./connect.ts";
import type { ListenOptions } from "./listen.ts";
import type { MakeOptions } from "./make.ts";
import type { FifoStatus } from "./stat.ts";
import { fifoStatus } from "./_fifo_status.ts";
import { closeAlso } from "./_close_also.ts";

/** Opens one end of an existing FIFO. */
export async function connect(
  address: Address,
  direction: Direction,
  options: ConnectOptions,
): Promise<Sender | Receiver> {
  const { timeout, signal, maxMessageSize, keepOpen } = options;
  const { framing, "allow-writers": writers, "allow-owner": owner } = address.params;
  const common = {
    timeout,
    signal,
    maxMessageSize,
    framing: framing as FramingName | undefined,
    allowWriters: writers as "group" | "all" | undefined,
    allowOwner: owner === undefined ? undefined : Number(owner),
  };
  return direction === "send"
    ? await Fifo.open(address.target, "write", common)
    : await Fifo.open(address.target, "read", { ...common, keepOpen });
}

/** Opens one end of a FIFO and creates what is missing; a reader stays while writers come and go. */
export async function listen(
  address: Address,
  direction: Direction,
  options: ListenOptions,
): Promise<Sender | Receiver> {
  const { mode, removeOnClose = false } = options;
  const path = address.target;
  const created = createMissing(path, mode);
  const tidy = () => {
    if (created && removeOnClose) removeSame(path, created);
  };
  try {
    return closeAlso(await connect(address, direction, { ...options, keepOpen: true }), tidy);
  } catch (error) {
    tidy();
    throw error;
  }
}

/** Creates a FIFO. */
export function make(address: Address, options: MakeOptions): Promise<void> {
  return Promise.try(mkfifo, address.target, { mode: options.mode });
}

/** Removes a FIFO; whatever else has this name stays. */
export function remove(address: Address): Promise<void> {
  return Promise.try(unlink, address.target);
}

/** Looks at a FIFO. */
export function stat(address: Address): Promise<FifoStatus> {
  return Promise.try(fifoStatus, address);
}

/** Looks at every FIFO below a folder that this user may look into; links are not followed. */
export function list(folder: string): FifoStatus[] {
  return [...fifosBelow(folder)].flatMap((path) => {
    try {
      return [fifoStatus(parseAddress(formatAddress("fifo", path)))];
    } catch (error) {
      // It is gone by now, or is something else.
      if (error instanceof IpcError) return [];
      throw error;
    }
  });
}

function* fifosBelow(folder: string): Generator<string> {
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1);
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) return;
    throw error;
  }
  for (const { name, isDirectory, isFile, isSymlink } of entries) {
    const path = `${folder.replace(/\/$/, "")}/${name}`;
    if (isDirectory) yield* fifosBelow(path);
    else if (!isFile && !isSymlink && Deno.lstatSync(path).isFifo) yield path;
  }
}

/** Creates the FIFO and tells which file it is; `undefined`: there was one. */
function createMissing(path: string, mode: number | undefined): Deno.FileInfo | undefined {
  try {
    mkfifo(path, { mode });
  } catch (error) {
    if (error instanceof AlreadyExistsError) return undefined;
    throw error;
  }
  return Deno.lstatSync(path);
}

/** Removes what was created, unless somebody has put another file in its place. */
function removeSame(path: string, created: Deno.FileInfo): void {
  try {
    const { dev, ino } = Deno.lstatSync(path);
    if (dev === created.dev && ino === created.ino) Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
