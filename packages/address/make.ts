import type { FsyncPolicy } from "@ipc/file";
import { type Address, parseAddress } from "./address.ts";
import { AddressError } from "./address_error.ts";
import { actionOf } from "./_drivers.ts";
import { findMechanism } from "./_mechanisms.ts";

/** How an object is created. Each mechanism has some of these. */
export interface MakeOptions {
  /** Permissions, exact: not cut by the umask; 0o600 unless told. */
  mode?: number | undefined;
  /** The most bytes that a queue holds; the system's limit unless told. */
  maxBytes?: number | undefined;
  /** The most messages in a queue; the system's default unless told. */
  maxMessages?: number | undefined;
  /** The longest message of a queue or a log in bytes; the system's default, 16 MiB of a log, unless told. */
  maxMessageSize?: number | undefined;
  /** When the records of a log are forced to the disk: before a send resolves, within a second, or when the kernel likes; `"interval"` unless told. */
  fsync?: FsyncPolicy | undefined;
  /** Bytes after which a log begins its next file, from 4096; 16 MiB unless told. */
  segmentBytes?: number | undefined;
  /** The most bytes of all files of a log together: the oldest go first; no limit unless told. */
  retainBytes?: number | undefined;
  /** How old the last record of a log's file may become before it goes, in milliseconds; no limit unless told. */
  retainAge?: number | undefined;
  /** Bytes of memory, which has to be told; or the number of semaphores in a set, 1 unless told. */
  size?: number | undefined;
  /** The value that each semaphore begins with, or the value of each; 0 unless told. */
  initial?: number | readonly number[] | undefined;
}

/**
 * Creates the object of an address, and gives the address where it is found.
 *
 * That is the one that was given. Only a System V object of key 0 is private, without a key, and has an address by
 * its id: `sysv-msg:?id=42`.
 *
 * @throws {AddressError} if the address cannot be read, its mechanism has no objects, or none with these options.
 * @throws {AlreadyExistsError} if it exists.
 *
 * @example
 * ```ts
 * import { make, remove, stat } from "@ipc/address";
 * import { assertEquals } from "@std/assert";
 *
 * const address = await make(`fifo:${await Deno.makeTempDir()}/in`, { mode: 0o620 });
 * assertEquals((await stat(address)).mode, 0o620);
 * await remove(address);
 * ```
 */
export async function make(address: string | Address, options: MakeOptions = {}): Promise<string> {
  const parsed = typeof address === "string" ? parseAddress(address) : address;
  const create = actionOf(parsed, "make");
  const { makes } = findMechanism(parsed.scheme)!;
  for (const name of Object.keys(options) as (keyof MakeOptions)[]) {
    if (options[name] !== undefined && !makes.includes(name)) {
      const has = makes.map((made) => NAMES[made]).join(", ").replace(/, ([^,]+)$/, " and $1");
      throw new AddressError(
        parsed.text,
        `"${parsed.scheme}:" has no ${NAMES[name]}; it has ${has}`,
        "create",
      );
    }
  }
  return await create(parsed, options) ?? parsed.text;
}

const NAMES: Readonly<Record<keyof MakeOptions, string>> = {
  mode: "mode",
  maxBytes: "limit of bytes",
  maxMessages: "limit of messages",
  maxMessageSize: "longest message",
  fsync: "fsync policy",
  segmentBytes: "length of its files",
  retainBytes: "bytes to be kept",
  retainAge: "age to be kept",
  size: "size",
  initial: "initial value",
};
