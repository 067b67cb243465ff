import { type Address, connect, listen, make, remove } from "@ipc/address";
import { AlreadyExistsError, BrokenPipeError, type Channel, type FramingName } from "@ipc/core";
import { type Handlers, RpcPeer } from "@ipc/rpc";
import { httpHandler } from "@ipc/rpc/http";
import { serveListener } from "@ipc/rpc/local";
import { type Listener, listenTcp, listenUnix, listenWebSocket, sameUserOrRoot } from "@ipc/socket";
import { readAddress, schemeOf } from "../_address.ts";
import { about, Failed, STATUS, UsageError } from "../_failure.ts";
import { type Io, print } from "../io.ts";
import { mode } from "../_options.ts";
import { openPair, type Pair, readPair } from "../_pair.ts";
import { verb } from "../_verb.ts";

/** What serves. */
interface Service {
  /** Where it is reached; `undefined`: by who started it. */
  readonly address?: string;
  /** Resolves when it has ended. */
  readonly closed: Promise<unknown>;
  /** Ends it; methods that run see their signal abort. */
  close(): void;
}

/** Methods that are known when the module is loaded. */
type Api = Record<string, never>;

/** Methods by name, what they are called together, and who hears of their failures. */
interface Methods {
  readonly table: Handlers<Api>;
  readonly info: { readonly title: string; readonly version: string };
  onError(error: unknown): void;
}

export default verb({
  text: [
    "Every function that the module exports and that is no class is a method, under its name; what it throws is told here, and whoever " +
    "called hears of an internal error, or of what an RpcError says. A generator is a stream. A function that is no " +
    "arrow function knows the caller: this.caller has pid and uid at a unix socket.",
    "Prints the address when it can be called there, and serves until a signal. It serves everybody who connects to unix:, unix-seqpacket:, tcp:, ws: and http://host:port/path, and one " +
    'caller over what is a channel by itself, such as stdio: or "sysv-msg:KEY?send=2&receive=1".',
    "Of two FIFOs or POSIX queues with a comma between them, answers go to the first, and requests come from the " +
    "second; callers come one after another.",
  ],
  options: {
    mode: mode(
      "MODE",
      "who may open a path, 600 unless told; others also need ?allow-user=UID",
    ),
  },
  examples: [
    ["ipc serve unix:/run/user/1000/sums.sock sums.ts", "for the programs of this user"],
    ["ipc serve http://127.0.0.1:8000/ sums.ts", "for curl, and everything that speaks HTTP"],
    ["ipc serve 'tcp:127.0.0.1:9000?framing=lines' sums.ts", "one message a line, for netcat"],
    ["ipc serve 'stdio:?framing=content-length' server.ts", "as editors start a language server"],
    ["ipc serve fifo:/run/answer,fifo:/run/ask sums.ts", "over two FIFOs"],
  ],
  async run({ operands, options, io }) {
    const [text, module] = operands as [string, string];
    const pair = readPair(text);
    const address = pair !== undefined || /^https?:/.test(text) ? undefined : readAddress(text);
    // There the protocol has standard output for itself.
    using _ = address?.scheme === "stdio" ? logToStderr() : undefined;
    const table = await load(module);
    const methods = {
      table,
      info: { title: module.slice(module.lastIndexOf("/") + 1), version: "0.0.0" },
      onError: (error: unknown) => void print(io.stderr, `ipc: serve: ${describe(error)}\n`),
    };
    const service = await about(text, () => {
      if (pair !== undefined) return overPair(pair, methods, options.mode);
      return address === undefined ? overHttp(text, methods) : at(address, methods, options.mode, io);
    });
    try {
      if (service.address !== undefined) await print(io.stdout, service.address + "\n");
      await Promise.race([service.closed, aborted(io.signal)]);
    } finally {
      service.close();
      await service.closed;
    }
    return STATUS.done;
  },
});

/** Sends what a module logs to standard error. */
function logToStderr(): Disposable {
  const { log, info, debug } = console;
  console.log = console.info = console.debug = (...data: unknown[]) => console.error(...data);
  return { [Symbol.dispose]: () => void Object.assign(console, { log, info, debug }) };
}

/** The functions that a module exports. */
async function load(path: string): Promise<Handlers<Api>> {
  const url = /^(file|https?|jsr|npm|data):/.test(path) ? path : fileUrl(path);
  let exported: Record<string, unknown>;
  try {
    exported = await import(url);
  } catch (error) {
    throw new Failed(`cannot load ${path}: ${(error as Error).message}`);
  }
  const methods = Object.entries(exported).filter(([name, value]) =>
    name !== "default" && ((typeof value === "function" && !isClass(value)) || isMethod(value))
  );
  if (methods.length === 0) throw new Failed(`${path} exports no functions`);
  return Object.fromEntries(methods) as Handlers<Api>;
}

/** The URL of a path, in which any character may be. */
function fileUrl(path: string): string {
  const whole = path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
  return new URL(`file://${whole.split("/").map(encodeURIComponent).join("/")}`).href;
}

/** Whether it can only be called with `new`. */
function isClass(value: unknown): boolean {
  return Function.prototype.toString.call(value).startsWith("class");
}

/** Whether it is what `method` of the package of calls makes. */
function isMethod(value: unknown): boolean {
  return typeof value === "object" && value !== null && "handler" in value &&
    typeof value.handler === "function";
}

async function at(
  address: Address,
  methods: Methods,
  mode: number | undefined,
  { signal }: Io,
): Promise<Service> {
  const listener = await listenAt(address, mode, signal);
  if (listener !== undefined) {
    const options = {
      onError: methods.onError,
      info: methods.info,
      caller: (channel: Channel) => "peer" in channel ? (channel.peer as () => unknown)() : undefined,
    };
    const server = serveListener<Api, unknown, Channel>(listener, methods.table, options);
    // What the caller has to know besides is the same for both.
    const params = address.scheme === "ws" ? "" : /\?.*/.exec(address.text)?.[0] ?? "";
    return { address: server.address + params, closed: server.closed, close: () => server.close() };
  }
  const how = { direction: "both", signal } as const;
  const channel =
    await (schemeOf(address).hasObjects
      ? listen(address, { ...how, mode, removeOnClose: true })
      : connect(address, how));
  const peer = new RpcPeer(channel, { onError: methods.onError, halfOpen: true });
  peer.serve(methods.table, { info: methods.info });
  return peer;
}

/** Serves those who open the other ends, one after another; what was missing is removed at the end. */
async function overPair(
  pair: Pair,
  { table, info, onError }: Methods,
  mode: number | undefined,
): Promise<Service> {
  const stop = new AbortController();
  const made: Address[] = [];
  const tidy = async () => {
    for (const address of made) await remove(address).catch(onError);
  };
  try {
    for (const address of pair) if (await makeMissing(address, mode)) made.push(address);
  } catch (error) {
    await tidy();
    throw error;
  }
  let peer: RpcPeer | undefined;
  const serve = async () => {
    while (!stop.signal.aborted) {
      const channel = await openPair(pair, { signal: stop.signal });
      peer = new RpcPeer(channel, { onError, halfOpen: true });
      peer.serve(table, { info });
      const error = await peer.closed;
      // One that does not wait for its answer has done nothing wrong.
      if (error !== undefined && !(error instanceof BrokenPipeError)) onError(error);
    }
  };
  const ended = serve().catch((error) => {
    if (!stop.signal.aborted) throw error;
  });
  return {
    closed: ended.finally(tidy),
    close() {
      stop.abort();
      peer?.close();
    },
  };
}

/** Creates the object of an address; false: there was one. */
async function makeMissing(address: Address, mode: number | undefined): Promise<boolean> {
  try {
    await make(address, { mode });
    return true;
  } catch (error) {
    if (error instanceof AlreadyExistsError) return false;
    throw error;
  }
}

/** Listens, where many can connect. */
async function listenAt(
  { scheme, target, text, params }: Address,
  mode: number | undefined,
  signal: AbortSignal,
): Promise<Listener<Channel> | undefined> {
  const framing = params.framing as FramingName | undefined;
  const allowed = params["allow-user"];
  switch (scheme) {
    case "unix":
    case "unix-seqpacket":
      return await listenUnix({ type: scheme, path: target }, {
        ...scheme === "unix" && { framing },
        mode,
        signal,
        authorize: (peer) => allowed === "any" || sameUserOrRoot(peer) || peer.uid === Number(allowed ?? NaN),
      });
    case "tcp":
      return await listenTcp(target, { framing, signal });
    case "ws":
      return await listenWebSocket(text, { text: true, signal });
    default:
      return undefined;
  }
}

function overHttp(text: string, { table, info, onError }: Methods): Promise<Service> {
  const url = URL.parse(text);
  if (url?.protocol !== "http:") {
    throw new UsageError(`"${text}" is no URL that can be served: http://host:port/`);
  }
  const handler = httpHandler<Api>(table, { info, onError });
  const stop = new AbortController();
  const server = Deno.serve({
    signal: stop.signal,
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port || 80),
    onListen: () => {},
  }, (request) => {
    if (new URL(request.url).pathname === url.pathname) return handler(request);
    return new Response("Not found\n", { status: 404 });
  });
  url.port = String(server.addr.port);
  return Promise.resolve({
    address: url.href,
    closed: server.finished,
    close: () => stop.abort(),
  });
}

/** Rejects when the process is asked to end. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

function describe(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
