import { assertEquals } from "@std/assert";
import type { Channel } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { has } from "../core/testdata/child.ts";
import { makeCertificates } from "./testdata/certificates.ts";
import { bytes, CEILING, MOD, Program, text } from "./testdata/process.ts";
import { connect } from "./mod.ts";

leakCheck();

/**
 * A server that runs out of descriptors, and has some again when it is told so: it says what `accept` throws meanwhile,
 * and sends a message to the first that comes afterwards.
 */
async function withoutDescriptors(
  address: string,
  options: object,
  client: (address: string) => Promise<Channel>,
): Promise<void> {
  const program = `
    import { listen } from ${MOD};
    // The runtime opens a descriptor for signals at some time, and panics where there is none (Deno 2.9.5).
    Deno.addSignalListener("SIGWINCH", () => {});
    const listener = await listen("${address}", ${JSON.stringify(options)});
    const held = [];
    try {
      while (true) held.push(Deno.openSync("/dev/null"));
    } catch { /* There are no more. */ }
    console.log(listener.address);
    const error = await listener.accept({ timeout: 20_000 }).catch((error) => error);
    console.log(error.name, error.code);
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const file of held) file.close();
    const channel = await listener.accept({ timeout: 20_000 });
    await channel.send(new TextEncoder().encode("welcome"));
    await channel.receive();`;
  const config = new URL("./deno.json", import.meta.url).pathname;
  const command = 'ulimit -n 200; exec "$0" eval --no-lock --no-check --config "$1" "$2"';
  await using server = new Program("sh", ["-c", command, Deno.execPath(), config, program]);
  const line = server.lines();
  const at = await line();
  const connecting = client(at);
  assertEquals(await line(), "LimitError EMFILE");
  await using channel = await connecting;
  assertEquals(text(await channel.receive(CEILING)), "welcome");
  await channel.send(bytes("bye"));
}

Deno.test("tcp: without a descriptor accept says so, and who waits gets in afterwards", () =>
  withoutDescriptors("tcp:127.0.0.1:0", {}, (address) => connect(address, CEILING)));

Deno.test({
  name: "tls: without a descriptor accept says so, and who waits gets in afterwards",
  ignore: !has("openssl"),
  fn: async () => {
    const { ca, server } = await makeCertificates();
    const connectThere = (address: string) => connect(address, { ...CEILING, caCerts: [ca] });
    await withoutDescriptors("tls:127.0.0.1:0", server, connectThere);
  },
});

Deno.test("ws: without a descriptor accept says so, and who tries again gets in afterwards", () => {
  // The runtime listens no more meanwhile.
  const connectThere = (address: string) => connect(address, { ...CEILING, reconnect: { maxDelay: 100 } });
  return withoutDescriptors("ws://127.0.0.1:0/", {}, connectThere);
});
