/** Sockets of the network as /proc/net/tcp and its like tell of them: proc_pid_net(5). */

import { lookup } from "node:dns/promises";
import { NotFoundError, NotSupportedError } from "@ipc/core";
import type { NetworkStatus } from "./stat.ts";
import { type HostAndPort, writeHost } from "./_host.ts";
import { socketHolders } from "./_holders.ts";

/** The protocols that are looked at. */
type Protocol = NetworkStatus["type"];

/** The states that matter here, by their numbers in the kernel. */
const ESTABLISHED = "01";
const CLOSE_WAIT = "08";
const LISTEN = "0A";
/** Of a UDP socket: it is not connected. */
const UNCONNECTED = "07";

/** A socket. */
interface Line extends HostAndPort {
  readonly state: string;
  /** Bytes that wait to be read; where it listens, connections that wait to be accepted. */
  readonly queued: number;
  readonly uid: number;
  readonly inode: number;
  /** Datagrams that were dropped. */
  readonly drops: number;
}

/** Looks at whoever listens at a host and port. */
export async function networkStatus(
  address: string,
  type: Protocol,
  { host, port }: HostAndPort,
): Promise<NetworkStatus> {
  const wanted = await numbersOf(host);
  const lines = readLines(type);
  const found = lines.find((line) => {
    return line.port === port && listens(type, line) &&
      (wanted.includes(line.host) || host === "" || isEveryHost(line.host, wanted));
  });
  if (found !== undefined) return statusOf(address, type, found, lines, socketHolders());
  throw new NotFoundError(`Cannot look at "${address}": nobody listens there`, { target: address });
}

/** Lists the sockets of a protocol that can be connected or sent to. */
export function listNetwork(type: Protocol): NetworkStatus[] {
  const lines = readLines(type);
  const holders = socketHolders();
  return lines.filter((line) => listens(type, line))
    .toSorted((a, b) => a.port - b.port)
    .map((line) => statusOf(`${type}:${writeHost(line)}`, type, line, lines, holders));
}

function listens(type: Protocol, { state }: Line): boolean {
  return state === (type === "tcp" ? LISTEN : UNCONNECTED);
}

/** Whether a socket is bound to every address of this machine, of a version of IP that is asked for. */
function isEveryHost(host: string, wanted: readonly string[]): boolean {
  return host === "::" || (host === "0.0.0.0" && wanted.some((number) => number.includes(".")));
}

function statusOf(
  address: string,
  type: Protocol,
  { host, port, uid, queued, inode, drops }: Line,
  lines: readonly Line[],
  holders: ReadonlyMap<number, readonly number[]>,
): NetworkStatus {
  const connections = () =>
    lines.filter((line) => {
      const here = line.host === host || isEveryHost(host, [line.host.replace(/^::ffff:/, "")]);
      return line.port === port && here && (line.state === ESTABLISHED || line.state === CLOSE_WAIT);
    }).length;
  return {
    address,
    type,
    host,
    port,
    uid,
    ...type === "tcp"
      ? { connections: connections(), waiting: queued }
      : { available: queued, dropped: drops },
    holders: holders.get(inode) ?? [],
  };
}

/** The addresses of a host, as the kernel's are written here; none: every address. */
async function numbersOf(host: string): Promise<string[]> {
  if (host === "") return [];
  if (host.includes(":")) return [new URL(`http://[${host}]`).hostname.slice(1, -1)];
  if (/^[\d.]+$/.test(host)) return [host];
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (cause) {
    throw new NotFoundError(`Cannot find host "${host}": no such host`, { target: host, cause });
  }
}

/** The sockets of both versions of IP; a machine may have one of them alone. */
function readLines(type: Protocol): Line[] {
  const texts = [type, `${type}6`].flatMap((name) => {
    try {
      return [Deno.readTextFileSync(`/proc/net/${name}`)];
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw new NotSupportedError(`Cannot list sockets: /proc/net/${name} cannot be read`, {
        target: `/proc/net/${name}`,
        hint: "give the program --allow-all",
        cause: error,
      });
    }
  });
  return texts.flatMap((text) => [...text.matchAll(LINE)]).map(
    ([, host, port, state, queued, uid, inode, drops]) => ({
      host: decodeHost(host!),
      port: parseInt(port!, 16),
      state: state!,
      queued: parseInt(queued!, 16),
      uid: Number(uid),
      inode: Number(inode),
      drops: Number(drops ?? 0),
    }),
  );
}

/** Local address, state, receive queue, user, inode and, of UDP, drops. */
const LINE =
  /^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ ([0-9A-F]{2}) [0-9A-F]+:([0-9A-F]+) \S+ \S+ +(\d+) +\d+ (\d+)(?: \d+ [0-9a-f]+ (\d+) *$)?/gm;

/** An address as the kernel prints it: its words as numbers of this machine, in hexadecimal. */
function decodeHost(hex: string): string {
  // Little-endian on every machine that is supported: the bytes of each word are turned.
  const bytes = [...hex.matchAll(/(..)(..)(..)(..)/g)].flatMap(([, a, b, c, d]) => [d!, c!, b!, a!]);
  if (bytes.length === 4) return bytes.map((byte) => parseInt(byte, 16)).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => bytes[2 * index]! + bytes[2 * index + 1]!);
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
