/** The descriptor of a file that the runtime has opened, and tells nobody. */

import { ClosedError, NotSupportedError } from "@ipc/core";
import { abi, readProc, stat } from "@ipc/core/sys";
import { libc } from "./_libc.ts";

/**
 * Finds the descriptor of a `Deno.FsFile`: the one that is open on the same file. Where this process has opened that
 * file more than once, it is the one that moves when the file is told to, and moves back; do not read or write the file
 * meanwhile.
 *
 * System calls: `fcntl`, `fstat`, and `open` and `read` of /proc.
 *
 * @throws {NotSupportedError} if it cannot be told apart from another one: a pipe or a terminal that
 * this process has opened more than once.
 */
export function fdOfFile(file: Deno.FsFile): number {
  const { ino, dev } = statusOf(file);
  const candidates: number[] = [];
  const size = Number(/^FDSize:\s*(\d+)/m.exec(readProc("/proc/self/status") ?? "")?.[1] ?? 0);
  for (let fd = 0; fd < size; fd++) {
    // Most numbers are nobody's.
    if (libc.fcntl(fd, abi.F_GETFD, 0) === -1) continue;
    const status = stat(fd);
    if (Number(status.ino) === ino && Number(status.dev) === dev) candidates.push(fd);
  }
  if (candidates.length === 1) return candidates[0]!;
  const found = candidates.length === 0 ? undefined : moverOf(file, candidates);
  if (found !== undefined) return found;
  throw new NotSupportedError("Cannot find the descriptor of this Deno.FsFile", {
    hint: "open the file with openSync of node:fs, which gives the descriptor, and pass that",
  });
}

function statusOf(file: Deno.FsFile): Deno.FileInfo {
  try {
    return file.statSync();
  } catch (cause) {
    throw new ClosedError("Cannot send a handle that was closed", { cause });
  }
}

/** The one whose place moves when the file is told to move. */
function moverOf(file: Deno.FsFile, candidates: readonly number[]): number | undefined {
  const before = candidates.map(placeOf);
  let place: number;
  try {
    place = file.seekSync(0, Deno.SeekMode.Current);
    file.seekSync(place + 1, Deno.SeekMode.Start);
  } catch {
    return undefined;
  }
  try {
    return candidates.find((fd, index) => placeOf(fd) !== before[index]);
  } finally {
    file.seekSync(place, Deno.SeekMode.Start);
  }
}

/** The offset of an open file description. */
function placeOf(fd: number): string | undefined {
  return /^pos:\s*(\d+)/m.exec(readProc(`/proc/self/fdinfo/${fd}`) ?? "")?.[1];
}
