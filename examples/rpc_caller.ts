/**
 * Calls the same service over five transports: nothing but the address changes. Its other half is rpc_service.ts.
 *
 *     deno run -A examples/rpc_caller.ts
 */
import { client } from "@ipc/rpc";
import { connect } from "@ipc/socket";
import type { Words } from "./rpc_service.ts";

const folder = await Deno.makeTempDir();
const addresses = [
  `unix:${folder}/words.sock`,
  `unix:@words-${crypto.randomUUID()}`,
  `unix-seqpacket:${folder}/words.packets`,
  "tcp:127.0.0.1:0",
  "ws://127.0.0.1:0/words",
];

for (const wanted of addresses) {
  const service = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("rpc_service.ts", import.meta.url).pathname, wanted],
    stdout: "piped",
  }).spawn();
  const lines = service.stdout.pipeThrough(new TextDecoderStream());
  let address = "";
  for await (const text of lines) if ((address += text).includes("\n")) break;

  {
    await using words = client<Words>(await connect(address.trim()));
    const lengths: number[] = [];
    await words.each(["one", "three"], (length) => lengths.push(length));
    const letters = await Array.fromAsync(words.spell("abc"));
    console.log(wanted.split(":")[0], await words.reverse("drawer"), letters.join("-"), lengths);
  }
  service.kill();
  await service.status;
}
await Deno.remove(folder, { recursive: true });
