// Channels compose: JSON lines that a shell writes into a FIFO are decoded, sifted, and piped on to a child.
// Run: deno run -A examples/fifo_to_pipe.ts
import { json, text, typed } from "@ipc/core";
import { Fifo } from "@ipc/fifo";
import { spawnWithChannel } from "@ipc/pipe";

const folder = await Deno.makeTempDir();
const path = `${folder}/log`;

const fifo = await Fifo.open(path, "read", { create: true, framing: "lines" });
await using entries = typed(fifo, json<{ level: string; what: string }>());
const { channel } = spawnWithChannel("sort", { stdio: true });
await using sorted = typed(channel, text);

const shell = new Deno.Command("sh", {
  args: [
    "-c",
    `for word in pear fig apple; do
       echo '{"level":"info","what":"saw '$word'"}'
       echo '{"level":"error","what":"lost '$word'"}'
     done > "$1"`,
    "sh",
    path,
  ],
}).spawn();

for await (const { level, what } of entries) {
  if (level === "error") await sorted.send(what);
}
await sorted.end(); // sort answers only when its input has ended
for await (const line of sorted) console.log(line);

await shell.status;
await Deno.remove(folder, { recursive: true });
