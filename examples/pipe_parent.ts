// Starts a program with a channel to it and asks it something.
// Its other half is pipe_child.ts. Run: deno run -A examples/pipe_parent.ts
import { spawnWithChannel } from "@ipc/pipe";
import { json, typed } from "@ipc/core";

const { process, channel } = spawnWithChannel(Deno.execPath(), {
  args: ["run", "-A", new URL("pipe_child.ts", import.meta.url).pathname],
});
await using numbers = typed(channel, json());

for (const limit of [10, 100, 1000]) {
  await numbers.send({ limit });
  console.log(await numbers.receive());
}

await numbers.end(); // the child sees the end of its input and leaves
console.log("the child ended with status", (await process.status).code);
