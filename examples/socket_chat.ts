// A chat between two terminals: whoever is first listens, the other connects. One line is one message, so that a
// third program can take part instead: socat - UNIX-CONNECT:/tmp/chat.sock
// Run in two terminals: deno run -A examples/socket_chat.ts /tmp/chat.sock
import { connect, listen, type UnixStream } from "@ipc/socket";
import { pump } from "@ipc/core";
import { stdioChannel } from "@ipc/pipe";

const address = `unix:${Deno.args[0] ?? "/tmp/chat.sock"}` as const;

async function wait(): Promise<UnixStream> {
  console.error("waiting for the other terminal");
  await using listener = await listen(address, { framing: "lines" });
  return (await listener.accept())!;
}

using other = await connect(address, { framing: "lines" }).catch(wait);
const { pid, executable = "some program" } = other.peer();
console.error(`connected with ${executable}, process ${pid}; Ctrl-D ends`);

using terminal = stdioChannel();
const said = pump(terminal, other); // at the end of the input it tells the other side
await pump(other, terminal);
other.close();
await said.catch(() => {}); // who is still typing has nobody to talk to
Deno.exit(); // and is not waited for
