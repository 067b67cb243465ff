/** `mmap:/path`: the driver of mapped files. */

import { NotSupportedError } from "@ipc/core";
import type { Mapping } from "@ipc/core/sys";
import { MappedFile } from "@ipc/mmap";
import { type Address, formatAddress } from "./address.ts";
import { AddressError } from "./address_error.ts";
import type { MakeOptions } from "./make.ts";
import type { OpenMemoryOptions } from "./memory.ts";
import type { MappedFileStatus } from "./stat.ts";
import { asked } from "./_asked.ts";
import { mappedBelow, mappedBy } from "./_holders.ts";

/** Creates a file of zeros, with room set aside for all of it. */
export function make({ text, target }: Address, { mode, size }: MakeOptions): Promise<void> {
  return Promise.try(() => {
    if (size === undefined) throw new AddressError(text, "it needs a size, in bytes", "create");
    MappedFile.open(target, { createNew: true, size, mode }).close();
  });
}

/** Removes a file; whoever has it mapped goes on with it. */
export function remove({ target }: Address): Promise<void> {
  return Promise.try(() => {
    look("remove", target, Deno.lstatSync);
    asked("unlink", ["remove", "file"], target, () => Deno.removeSync(target));
  });
}

/** Looks at a file, and at who has it mapped. */
export function stat({ text, target }: Address): Promise<MappedFileStatus> {
  return Promise.try(() => {
    const file = look("look at", target, Deno.statSync);
    return statusOf(text, target, file, mappedBy(Deno.realPathSync(target)));
  });
}

/** Looks at every file below a folder that somebody has mapped and shares, as far as this user may see. */
export function list(folder: string): MappedFileStatus[] {
  return [...mappedBelow(Deno.realPathSync(folder))].flatMap(([path, holders]) => {
    try {
      return [statusOf(formatAddress("mmap", path), path, Deno.statSync(path), holders)];
    } catch (error) {
      // It is gone by now, or what this user may not look at.
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return [];
      throw error;
    }
  });
}

/** Maps a file. */
export function openMemory({ target }: Address, { access }: OpenMemoryOptions): Promise<Mapping> {
  return Promise.try(() => MappedFile.open(target, { access }));
}

function statusOf(
  address: string,
  path: string,
  file: Deno.FileInfo,
  holders: readonly number[],
): MappedFileStatus {
  return {
    address,
    type: "mmap",
    path,
    uid: file.uid!,
    gid: file.gid!,
    mode: file.mode! & 0o7777,
    inode: file.ino!,
    size: file.size,
    ...file.mtime !== null && { modifyTime: file.mtime },
    holders,
  };
}

/** Looks at a file; throws where it is none. */
function look(verb: string, path: string, stat: (path: string) => Deno.FileInfo): Deno.FileInfo {
  const file = asked("stat", [verb, "file"], path, () => stat(path));
  if (file.isFile) return file;
  throw new NotSupportedError(`Cannot ${verb} "${path}": it is not a file`, { target: path });
}
