/**
 * The `ipc` command: send, receive, bridge and look at the channels of this machine, from a shell.
 *
 * ```sh
 * deno run -A jsr:@ipc/cli --help
 * deno install --global -A --name ipc jsr:@ipc/cli
 * ipc demo
 * ```
 *
 * A program can run it as well, with streams of its own:
 *
 * @example
 * ```ts
 * import { type Io, main, type Output } from "@ipc/cli";
 * import { assertEquals } from "@std/assert";
 *
 * let shown = "";
 * const output: Output = {
 *   write: (bytes) => Promise.resolve(void (shown += new TextDecoder().decode(bytes))),
 *   terminal: false,
 *   colour: false,
 *   columns: 100,
 * };
 * const io: Io = {
 *   stdin: new Blob([]).stream(),
 *   stdout: output,
 *   stderr: output,
 *   signal: new AbortController().signal,
 * };
 * assertEquals(await main(["rcv", "fifo:/run/in"], io), 2);
 * assertEquals(shown, 'ipc: there is no verb "rcv"; did you mean "recv"?\n');
 * ```
 *
 * @module
 */

import { main } from "./command.ts";
import { takeProcess } from "./_process.ts";

export { main } from "./command.ts";
export { Interrupted, type Io, type Output, OutputClosed } from "./io.ts";

if (import.meta.main) {
  const { io, leave } = takeProcess();
  leave(await main(Deno.args, io));
}
