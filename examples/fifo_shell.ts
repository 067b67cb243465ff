// A shell as the other end of a FIFO: one line is one message, in both directions.
// Run: deno run -A examples/fifo_shell.ts
import { text, typed } from "@ipc/core";
import { Fifo } from "@ipc/fifo";

const folder = await Deno.makeTempDir();
const [questions, answers] = [`${folder}/questions`, `${folder}/answers`];

const reader = await Fifo.open(answers, "read", { create: true, framing: "lines" });
await using lines = typed(reader, text);
const opening = Fifo.open(questions, "write", { create: true, framing: "lines" });

const shell = new Deno.Command("sh", {
  args: [
    "-c",
    'while read a b; do echo "$a * $b = $((a * b))"; done < "$1" > "$2"',
    "sh",
    questions,
    answers,
  ],
}).spawn();

await using writer = typed(await opening, text);
await writer.sendBatch(["6 7", "12 12", "1024 1024"]);
await writer.end(); // the shell sees the end of its input and leaves
for await (const line of lines) console.log(line);

await shell.status;
await Deno.remove(folder, { recursive: true });
