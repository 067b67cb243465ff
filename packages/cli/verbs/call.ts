import { connect } from "@ipc/address";
import { TimeoutError } from "@ipc/core";
import { type Caller, DisconnectedError, RpcError, RpcPeer } from "@ipc/rpc";
import { HttpCaller } from "@ipc/rpc/http";
import { webSocketChannel } from "@ipc/rpc/websocket";
import { advice, readAddress } from "../_address.ts";
import { about, AddressFailure, Failed, STATUS, UsageError } from "../_failure.ts";
import { type Io, print } from "../io.ts";
import { duration, flag } from "../_options.ts";
import { openPair, readPair } from "../_pair.ts";
import { readAll } from "../_stdin.ts";
import { verb } from "../_verb.ts";

/** The most bytes of PARAMS on standard input. */
const MOST = 16 * 1024 * 1024;

export default verb({
  text: [
    "Calls a method by JSON-RPC 2.0 and prints its result as JSON on one line; of a stream each value is a line, as " +
    "soon as it comes. PARAMS is a JSON array for parameters by position, or an object for parameters by name; " +
    '"-" reads it from standard input.',
    "An error that the service answers is told with its code, and its data below; the exit status is 1.",
    "Besides the addresses below there are http://host:port/path and https://. A service that has messages of lines, " +
    'or headers as editors do, is at "unix:/path?framing=lines" or "framing=content-length".',
    "Of two FIFOs or POSIX queues with a comma between them, the request goes to the first, and the answer comes " +
    "from the second.",
  ],
  options: {
    notify: flag("send a notification: nothing is answered, and nothing printed"),
    timeout: duration("T", "give up after so long, and let the service know"),
  },
  examples: [
    ["ipc call unix:/run/sums.sock add '[1,2]'", "by position"],
    [`ipc call http://localhost:8000/ total '{"a":1,"b":2}'`, "by name"],
    ["ipc call unix:/run/log.sock tail '[\"app\"]' --timeout 10s", "a stream, a value on each line"],
    ["ipc call 'tcp:host:9000?framing=lines' rpc.discover", "what there is to call"],
    ["ipc call ws://localhost:8000/ reload --notify", "without an answer"],
    ["ipc call fifo:/run/ask,fifo:/run/answer add '[1,2]'", "over two FIFOs"],
  ],
  async run({ operands, options, io }) {
    const [address, method, given] = operands as [string, string, string | undefined];
    const { notify, timeout } = options;
    const end = timeout === undefined ? undefined : performance.now() + timeout;
    const rest = () => end === undefined ? undefined : Math.max(0, Math.ceil(end - performance.now()));
    const inTime = <T>(promise: PromiseLike<T>) => within(promise, rest(), io.signal);
    const params = readParams(given === "-" ? new TextDecoder().decode(await readAll(io, MOST)) : given);
    const caller = await open(address, rest(), io.signal);
    try {
      await about(address, async () => {
        if (notify) return await inTime(caller.notify(method, params));
        const result = await caller.call(method, params, { timeout: rest(), signal: io.signal });
        await show(result, io);
      });
      // What was sent is on its way before the connection is closed.
      await inTime(caller[Symbol.asyncDispose]());
    } catch (error) {
      throw told(address, error, timeout);
    } finally {
      caller[Symbol.dispose]();
    }
    return STATUS.done;
  },
});

/** The same, given up when the time is over or a signal comes. */
async function within<T>(
  promise: PromiseLike<T>,
  timeout: number | undefined,
  signal: AbortSignal,
): Promise<T> {
  const { promise: given, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  const expire = () => reject(new TimeoutError("Cannot call: the time is over"));
  const timer = timeout === undefined ? undefined : setTimeout(expire, timeout);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([promise, given]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

function readParams(text: string | undefined): readonly unknown[] | object | undefined {
  if (text === undefined) return undefined;
  let params: unknown;
  try {
    params = JSON.parse(text);
  } catch {
    throw new UsageError(`PARAMS is no JSON; they are like '[1,"two"]' or '{"a":1}'`);
  }
  if (typeof params === "object" && params !== null) return params;
  throw new UsageError(`PARAMS is a JSON array or object: '[${text.trim()}]'?`);
}

async function open(text: string, timeout: number | undefined, signal: AbortSignal): Promise<Caller> {
  if (/^https?:/.test(text)) return new HttpCaller(readUrl(text));
  // In a queue may still lie the answer to one who did not wait for it.
  const options = { firstId: crypto.getRandomValues(new Uint32Array(1))[0]! };
  const pair = readPair(text);
  if (pair !== undefined) return new RpcPeer(await openPair(pair, { timeout, signal }), options);
  const address = readAddress(text);
  if (address.scheme === "ws" || address.scheme === "wss") {
    return new RpcPeer(webSocketChannel(new WebSocket(text)));
  }
  const channel = await about(
    text,
    () => connect(address, { direction: "both", timeout, signal }),
    advice(address),
  );
  return new RpcPeer(channel, options);
}

function readUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null) throw new UsageError(`"${text}" is no URL`);
  return url;
}

/** Prints a value on one line, or each value of a stream. */
async function show(result: unknown, io: Io): Promise<void> {
  if (typeof result !== "object" || result === null || !(Symbol.asyncIterator in result)) {
    return await print(io.stdout, asLine(result));
  }
  for await (const value of result as AsyncIterable<unknown>) await print(io.stdout, asLine(value));
}

function asLine(value: unknown): string {
  return JSON.stringify(value ?? null, (_, value) => value instanceof Uint8Array ? value.toBase64() : value) +
    "\n";
}

/** What the service said of a failure, or why it could not be asked. */
function told(address: string, error: unknown, timeout: number | undefined): unknown {
  const cause = error instanceof AddressFailure ? error.cause : error;
  if (cause instanceof RpcError) {
    const data = cause.data === undefined ? undefined : JSON.stringify(cause.data);
    return new AddressFailure(address, new Failed(`${cause.message} (${cause.code})`), data);
  }
  if (cause instanceof TimeoutError) {
    return new AddressFailure(address, new Failed(`no answer within ${timeout} ms`, STATUS.timedOut));
  }
  // Where there is more to say, the calls were not what failed.
  if (cause instanceof DisconnectedError && cause.cause instanceof Error) {
    return new AddressFailure(address, new Failed(reasonOf(cause.cause)));
  }
  return error;
}

function reasonOf({ message }: Error): string {
  return message.replace(/^Cannot [^"]*(?:"[^"]*")?: /, "");
}
