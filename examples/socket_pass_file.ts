// Passes an open file to a worker that could not open it: what may be read is decided here, once, and the worker
// (another user, where root runs this) needs no rights of its own. The file keeps its place, for both.
// Run: deno run -A examples/socket_pass_file.ts
import { listen } from "@ipc/socket";

const WORKER = `
import os, socket, sys
if os.getuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)  # nobody
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
    peer.connect("\\0" + sys.argv[1])
    message, [fd], _, _ = socket.recv_fds(peer, 100, 1)
    try:
        open(message)
    except PermissionError as error:
        print("worker: opening it:", error.strerror)
    with open(fd, "rb") as file:
        peer.send(str(len(file.read().split())).encode())
`;

const path = await Deno.makeTempFile(); // mode 0600
await Deno.writeTextFile(path, "title line\nall the words that the worker is to count\n");
using file = await Deno.open(path);

const name = `word-count-${Deno.pid}`;
const allowed = new Set<number>();
await using listener = await listen(`unix-seqpacket:@${name}`, { authorize: ({ pid }) => allowed.has(pid) });
const worker = new Deno.Command("python3", { args: ["-c", WORKER, name] }).spawn();
allowed.add(worker.pid); // exactly this process may connect to the name

await using channel = (await listener.accept())!;
await file.seek("title line\n".length, Deno.SeekMode.Start); // the worker begins behind the title
await channel.sendHandles(new TextEncoder().encode(path), [file]);
console.log("words:", new TextDecoder().decode(await channel.receive()));

await worker.status;
await Deno.remove(path);
