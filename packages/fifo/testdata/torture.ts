/** FIFOs for the torture: with one writer, and with several. */

import type { TortureLink, TortureMechanism, TortureProgram } from "@ipc/core/testing";
import { Fifo, mkfifo } from "../mod.ts";
import { openFifo } from "./pair.ts";

async function start(programs: readonly TortureProgram[]): Promise<TortureLink> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/fifo`;
  mkfifo(path);
  const processes = programs.map(({ command, args }) =>
    new Deno.Command(command, { args: [...args, path], stdin: "null" }).spawn()
  );
  // A writer waits for its reader, and a reader needs no writer yet.
  const ends = programs[0]!.role === "send"
    ? { receiver: await Fifo.open(path, "read") }
    : { sender: await Fifo.open(path, "write") };
  return { ...ends, processes, cleanup: () => Deno.remove(folder, { recursive: true }) };
}

/** One writer, and then the reader or the writer dies. */
export const single: TortureMechanism = {
  name: "fifo",
  module: import.meta.url,
  export: "single",
  roles: ["send", "receive"],
  open: openFifo,
  start,
  join: async (role, [path]) =>
    role === "send"
      ? { sender: await Fifo.open(path!, "write") }
      : { receiver: await Fifo.open(path!, "read") },
};

/** Three writers that die one after the other, and the messages of the others go on. */
export const several: TortureMechanism = {
  ...single,
  name: "fifo with several writers",
  export: "several",
  roles: ["send"],
  senders: 3,
};
