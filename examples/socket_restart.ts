// A server is replaced while clients connect all the time, and nobody is refused: the new process asks the old one
// for its listening socket over a unix socket. Connections that wait in it wait on, whoever accepts them.
// Run: deno run -A examples/socket_restart.ts
import { adoptListener, connect, listen, type Listener, type TcpStream } from "@ipc/socket";

const [role, control] = Deno.args;
if (role === "server") await serve(`unix-seqpacket:${control}`);
else await main();

/** A server: of a socket that the one before hands over, or of a new one. */
async function serve(control: `unix-seqpacket:${string}`): Promise<void> {
  let listener: Listener<TcpStream>;
  const before = await connect(control).catch(() => undefined); // Nobody there: the first.
  if (before === undefined) {
    listener = await listen("tcp:127.0.0.1:0");
    console.log(listener.address);
  } else {
    const { handles } = (await before.receiveWithHandles())!;
    listener = adoptListener("tcp", handles[0]!);
    await before.send(new TextEncoder().encode("I have it"));
    await before.receive(); // The end: the old one has given up the name, too.
    before.close();
  }

  const door = await listen(control); // Where the next one asks.
  const served: Promise<void>[] = [];
  const serving = (async () => {
    for await (const client of listener) served.push(answer(client));
  })();

  // Until somebody comes who is to take over.
  const next = (await door.accept())!;
  door.close();
  await next.sendHandles(new TextEncoder().encode("here"), [listener]);
  await next.receive();
  next.close();
  listener.close(); // Only this process's descriptor of it: the socket listens on.
  await serving;
  await Promise.all(served); // Whoever was accepted here gets the answer here.
}

async function answer(client: TcpStream): Promise<void> {
  await using channel = client;
  for await (const _ of channel) await channel.send(new TextEncoder().encode(`${Deno.pid}`));
}

async function main(): Promise<void> {
  const folder = await Deno.makeTempDir();
  const start = () =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", import.meta.filename!, "server", `${folder}/control`],
      stdout: "piped",
    }).spawn();

  const first = start();
  const { value } = await first.stdout.pipeThrough(new TextDecoderStream()).getReader().read();
  const address = value!.trim() as `tcp:${string}`;

  const answers = new Map<string, number>();
  let failed = 0;
  let going = true;
  const clients = Array.from({ length: 4 }, async () => {
    while (going) {
      try {
        await using channel = await connect(address, { timeout: 10_000 });
        await channel.send(new Uint8Array(1));
        const pid = new TextDecoder().decode(await channel.receive({ timeout: 10_000 }));
        answers.set(pid, (answers.get(pid) ?? 0) + 1);
      } catch {
        failed++;
      }
    }
  });

  const servers = [first];
  for (let restart = 0; restart < 3; restart++) {
    const last = servers.at(-1)!;
    const next = start();
    servers.push(next);
    await last.status; // It leaves once it has handed over.
    while (!answers.has(`${next.pid}`)) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  going = false;
  await Promise.all(clients);

  console.log(`${answers.size} servers one after another, each answered; ${failed} clients were refused`);
  servers.at(-1)!.kill();
  await Promise.all(servers.map((server) => server.status));
  for (const server of servers.slice(1)) await server.stdout.cancel();
  await Deno.remove(folder, { recursive: true });
}
