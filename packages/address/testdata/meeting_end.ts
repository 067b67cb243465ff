/**
 * One end of a meeting in a process of its own: `near NAME FOLDER` starts the far one, `far NAME …` sends all back;
 * `alone NAME FOLDER` starts one that opens only when the near end has gone.
 */

import { BrokenPipeError, IpcError, RemovedError } from "@ipc/core";
import { meetings } from "../meeting.ts";

if (import.meta.main) {
  const [end, name, ...rest] = Deno.args;
  const mechanism = meetings.find((meeting) => meeting.name === name)!;
  if (end === "near" || end === "alone") {
    const other = end === "near" ? "far" : "late";
    const args = (...more: string[]) => {
      return ["run", "-A", "--quiet", "--no-check", import.meta.filename!, other, name!, ...more];
    };
    const channel = await mechanism.near({
      command: Deno.execPath(),
      args,
      start: (...more) =>
        new Deno.Command(Deno.execPath(), { args: args(...more), stdin: "null", stdout: "inherit" }).spawn()
          .status,
      folder: rest[0]!,
      signal: new AbortController().signal,
    });
    await channel.send(new Uint8Array([1]));
    await channel.receive();
    console.log("met");
    // Until somebody ends it.
    await channel.receive();
  } else {
    const parent = Deno.ppid;
    if (end === "late") {
      console.log("late");
      while (Deno.ppid === parent) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const channel = await Promise.try(() => mechanism.far(rest)).catch((error) => {
      // Nobody listens any more.
      if (end === "late" && error instanceof IpcError && error.code === "ECONNREFUSED") Deno.exit(0);
      throw error;
    });
    try {
      // The far end must not be alone in waiting: its pid is the first answer.
      for await (const message of channel) await channel.send(message);
      await channel.end();
    } catch (error) {
      if (!(error instanceof RemovedError || error instanceof BrokenPipeError)) throw error;
    } finally {
      channel.close();
    }
  }
}
