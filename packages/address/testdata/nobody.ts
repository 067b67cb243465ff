/** Tells what a user who owns none of these objects sees of them, and can do. */

import { bind } from "@ipc/core/sys";
import { openMemory, remove, stat } from "../mod.ts";

if (import.meta.main) {
  const libc = bind({ seteuid: { parameters: [/* uid_t euid */ "u32"], result: /* int */ "i32" } });
  if (libc.seteuid(65_534) !== 0) throw new Error("Cannot become another user");
  const seen: unknown[] = [];
  for (const address of Deno.args) {
    const { mode, ...status } = await stat(address);
    const removed = await remove(address).catch(({ name, message }) => [name, message]);
    seen.push({ mode, members: "members" in status, removed });
  }
  seen.push(await openMemory(`${Deno.args.at(-1)}?allow-owner=any`).catch(({ name }) => name));
  console.log(JSON.stringify(seen));
}
