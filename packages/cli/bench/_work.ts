/** What a process of ours does that is measured: it opens one end of a channel, and obeys. */

import type { FarEnd, Meeting } from "@ipc/address/meeting";
import { BrokenPipeError, RemovedError, type SyncChannel } from "@ipc/core";
import { farEnd } from "./_far_end.ts";
import { measure } from "./_near_end.ts";
import { linesOf, tell } from "./_wire.ts";

/**
 * Runs as `near NAME PROGRAM [ARGUMENT…]`, where PROGRAM is to be the far end, or as `far NAME [ARGUMENT…]`.
 *
 * @param mechanisms Those that NAME is looked up in.
 */
export async function work(args: readonly string[], mechanisms: readonly Meeting[]): Promise<void> {
  const [role, name, ...rest] = args;
  const mechanism = mechanisms.find((mechanism) => mechanism.name === name);
  if (mechanism === undefined) throw new TypeError(`Cannot measure "${name}": no such mechanism`);
  if (role === "far") {
    // A channel that cannot block is asked for nothing that does.
    const channel = await mechanism.far(rest) as SyncChannel;
    try {
      await farEnd(channel);
    } catch (error) {
      // What has no end ends by the near end's removing it, or by its death.
      if (!(error instanceof RemovedError || error instanceof BrokenPipeError)) throw error;
    } finally {
      channel.close();
    }
    Deno.exit(0);
  }
  const folder = await Deno.makeTempDir({ prefix: "ipc-bench-" });
  const [command, ...given] = rest;
  const stop = new AbortController();
  const far: FarEnd = {
    command: command!,
    args: (...more) => [...given, ...more],
    start(...more) {
      const child = new Deno.Command(command!, {
        args: [...given, ...more],
        stdin: "null",
        stdout: "null",
        signal: stop.signal,
      }).spawn();
      return child.status;
    },
    folder,
    signal: stop.signal,
  };
  try {
    const channel = await mechanism.near(far) as SyncChannel;
    try {
      await channel.send(tell("hello 0 0"));
      const pid = Number(new TextDecoder().decode(await channel.receive({ timeout: 10_000 })));
      const { maxMessageSize } = channel;
      console.log(JSON.stringify({ ready: true, pids: [pid], maxMessageSize }));
      for await (const line of linesOf(Deno.stdin.readable)) {
        console.log(JSON.stringify(await measure(channel, line)));
      }
      await channel.end();
      // The end of the far end: until then it may still write.
      if (mechanism.endDetectable !== false) {
        while (await channel.receive({ timeout: 2_000 }) !== undefined);
      }
    } finally {
      channel.close();
    }
  } finally {
    stop.abort();
    await Deno.remove(folder, { recursive: true });
  }
  Deno.exit(0);
}
