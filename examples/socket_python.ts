// A server for a client in another language: over seqpacket a message is a message, so neither side needs framing.
// Run: deno run -A examples/socket_python.ts
import { listen } from "@ipc/socket";
import { json, typed } from "@ipc/core";

const CLIENT = `
import json, socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
    server.connect(sys.argv[1])
    for question in [{"add": [1, 2, 3]}, {"add": [0.5, 0.25]}, {"multiply": [2]}]:
        server.send(json.dumps(question).encode())
        print(question, "->", json.loads(server.recv(65536)))
`;

const folder = await Deno.makeTempDir();
await using listener = await listen(`unix-seqpacket:${folder}/sums.sock`);
const client = new Deno.Command("python3", { args: ["-c", CLIENT, `${folder}/sums.sock`] }).spawn();

const channel = (await listener.accept())!;
console.log(
  "the kernel says: a client of user",
  channel.peer().uid === Deno.uid() ? "that runs this" : "else",
);
await using questions = typed(channel, json<{ add?: number[]; sum?: number; error?: string }>());
for await (const { add } of questions) {
  await questions.send(add === undefined ? { error: "I only add" } : { sum: add.reduce((a, b) => a + b) });
}

await client.status;
await Deno.remove(folder, { recursive: true });
