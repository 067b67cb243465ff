/** `fifo:/path`: the driver of named pipes. */

import { AlreadyExistsError, framing, type FramingName, type Receiver, type Sender } from "@ipc/core";
import { Fifo, mkfifo, unlink } from "@ipc/fifo";
import type { Address } from "./address.ts";
import type { ConnectOptions, Direction } from "./connect.ts";
import type { ListenOptions } from "./listen.ts";
import type { MakeOptions } from "./make.ts";
import type { ObjectStatus } from "./stat.ts";
import { fifoStatus } from "./_fifo_status.ts";
import { closeAlso } from "./_close_also.ts";

/** Opens one end of an existing FIFO. */
export async function connect(
  address: Address,
  direction: Direction,
  options: ConnectOptions,
): Promise<Sender | Receiver> {
  const { timeout, signal, maxMessageSize, keepOpen } = options;
  const name = address.params.framing as FramingName | undefined;
  // Without a name it is the FIFO's own framing, which keeps several writers apart.
  const chosen = {
    ...name !== undefined && { framing: framing(name, { maxMessageSize }) },
    ...name === undefined && maxMessageSize !== undefined && { maxMessageSize },
  };
  return direction === "send"
    ? await Fifo.open(address.target, "write", { timeout, signal, ...chosen })
    : await Fifo.open(address.target, "read", { timeout, signal, keepOpen, ...chosen });
}

/** Opens one end of a FIFO and creates what is missing; a reader stays while writers come and go. */
export async function listen(
  address: Address,
  direction: Direction,
  options: ListenOptions,
): Promise<Sender | Receiver> {
  const { mode = 0o600, removeOnClose = false } = options;
  const path = address.target;
  const created = await createMissing(path, mode);
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
export async function make(address: Address, options: MakeOptions): Promise<void> {
  await mkfifo(address.target, { mode: options.mode ?? 0o600 });
}

/** Removes a FIFO; whatever else has this name stays. */
export async function remove(address: Address): Promise<void> {
  await unlink(address.target);
}

/** Looks at a FIFO. */
export function stat(address: Address): Promise<ObjectStatus> {
  return Promise.resolve().then(() => fifoStatus(address));
}

/** Creates the FIFO and tells which file it is; `undefined`: there was one. */
async function createMissing(path: string, mode: number): Promise<Deno.FileInfo | undefined> {
  try {
    await mkfifo(path, { mode });
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
