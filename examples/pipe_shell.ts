// A shell as the other end: any program that reads standard input and writes standard output is a peer.
// Run: deno run -A examples/pipe_shell.ts
import { spawnWithChannel } from "@ipc/pipe";
import { text, typed } from "@ipc/core";

const { channel } = spawnWithChannel("sh", {
  args: ["-c", "sort | uniq -c | sort -rn"],
  stdio: true, // lines over its standard input and output
});
await using words = typed(channel, text);

await words.sendBatch("the cat and the dog and the bird".split(" "));
await words.end(); // sort answers only when its input has ended
for await (const line of words) console.log(line.trim());
