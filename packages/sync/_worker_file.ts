/** Descriptors that go with a Worker: what libc opened stays open when one is terminated, what Deno opened does not. */

import { type OwnedFd, readProc } from "@ipc/core/sys";

/** A descriptor, whoever closes it. */
export interface HeldFile extends Disposable {
  readonly fd: number;
}

/**
 * The same description in the hands of Deno, where this is a Worker and may read /proc; otherwise the descriptor as
 * it is, and then the locks of a terminated Worker count as held until the process ends.
 */
export function adopt(file: OwnedFd): HeldFile {
  if (!("DedicatedWorkerGlobalScope" in globalThis) || !mayOpen()) return file;
  let adopted: Deno.FsFile | undefined;
  try {
    // A description of its own, whose number Deno does not tell; so it is marked, by a place nobody else reads at.
    adopted = Deno.openSync(`/proc/self/fd/${file.fd}`, { read: true, write: true });
    const fd = numberOf(adopted);
    if (fd === undefined) throw new Error("Cannot find the descriptor");
    file.close();
    const { [Symbol.dispose]: dispose } = adopted;
    return { fd, [Symbol.dispose]: dispose.bind(adopted) };
  } catch {
    adopted?.close();
    return file;
  }
}

/** What opening a file of /proc takes; asking for what was not granted would ask the user. */
function mayOpen(): boolean {
  const names = ["read", "write", "env", "net", "run", "sys", "ffi"] as const;
  return names.every((name) => Deno.permissions.querySync({ name }).state === "granted");
}

function numberOf(file: Deno.FsFile): number | undefined {
  const mark = crypto.getRandomValues(new BigUint64Array(1))[0]! >> 25n;
  file.seekSync(mark, Deno.SeekMode.Start);
  const line = new RegExp(`^pos:\\t${mark}$`, "m");
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    if (line.test(readProc(`/proc/self/fdinfo/${name}`) ?? "")) return Number(name);
  }
  return undefined;
}
