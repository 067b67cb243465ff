import { NotSupportedError } from "@ipc/core";
import { findMechanism } from "./_mechanisms.ts";
import { surveys } from "./_drivers.ts";
import { AddressError } from "./address_error.ts";
import type { ObjectStatus } from "./stat.ts";

/**
 * Lists the objects of these kinds with all that there is to see of each: everybody's, and nobody is disturbed.
 *
 * A kind is a scheme, such as `"sysv-msg"`; of what lies in folders, with the folder: `"fifo:/run"` has every FIFO
 * below it, and `"mmap:/var"` every file there that somebody has mapped and shares. Without kinds it is everything
 * that needs no folder, and can be listed here. What comes and goes meanwhile may be in the list or
 * not. Looking for the users of FIFOs takes `--allow-all`.
 *
 * @throws {AddressError} if there is no such kind, or its folder is missing.
 * @throws {NotSupportedError} if this kind cannot be listed here, as POSIX queues where their file system is not
 *   mounted.
 *
 * @example
 * ```ts
 * import { list, make, remove } from "@ipc/address";
 * import { assert } from "@std/assert";
 *
 * const address = await make("sysv-msg:0");
 * assert(list(["sysv-msg"]).some((found) => found.address === address));
 * await remove(address);
 * ```
 */
export function list(kinds?: readonly string[]): ObjectStatus[] {
  if (kinds !== undefined) {
    return kinds.map(readKind).flatMap(({ scheme, folder }) => surveys[scheme]!.list(folder));
  }
  return Object.entries(surveys).flatMap(([scheme, survey]) => {
    try {
      return findMechanism(scheme)!.inFolders ? [] : survey.list("");
    } catch (error) {
      if (error instanceof NotSupportedError) return [];
      throw error;
    }
  });
}

function readKind(kind: string): { scheme: string; folder: string } {
  const [, scheme = "", folder = ""] = /^([^:]*):?(.*)$/s.exec(kind)!;
  const tried = "list";
  if (!Object.hasOwn(surveys, scheme)) {
    throw new AddressError(
      kind,
      `there is no such kind of object; there are ${Object.keys(surveys).join(", ")}`,
      tried,
    );
  }
  if (!findMechanism(scheme)!.inFolders) {
    if (folder !== "") throw new AddressError(kind, `all of them are listed with "${scheme}"`, tried);
  } else if (folder === "") {
    throw new AddressError(kind, `where? "${scheme}:/run" has those below /run`, tried);
  }
  return { scheme, folder };
}
