/** Unix sockets as /proc/net/unix tells of them: proc_net_unix(5). */

import { NotSupportedError } from "@ipc/core";
import type { UnixScheme } from "@ipc/socket";
import { type Address, formatAddress } from "./address.ts";
import type { SocketStatus } from "./stat.ts";
import { asked } from "./_asked.ts";
import { socketHolders } from "./_holders.ts";

/** The types of sockets by their numbers: SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET. */
const TYPES: Readonly<Record<string, UnixScheme>> = {
  "0001": "unix",
  "0002": "unix-dgram",
  "0005": "unix-seqpacket",
};
/** The flag of a socket that listens. */
const LISTENS = 0x10000;
/** The state of one that is connected. */
const CONNECTED = "03";

/** A socket with a name. */
interface Line {
  readonly type: UnixScheme;
  readonly path: string;
  readonly inode: number;
  readonly connected: boolean;
  /** Whether others can connect or send to it. */
  readonly reachable: boolean;
}

/** Looks at a socket by its name. */
export function socketStatus(address: Address): SocketStatus {
  const { scheme, target } = address;
  if (!target.startsWith("@")) {
    const file = asked("lstat", ["look at", "socket"], target, () => Deno.lstatSync(target));
    if (!file.isSocket) {
      throw new NotSupportedError(`Cannot look at socket "${target}": it is not a socket`, { target });
    }
  }
  const lines = readLines().filter(({ type }) => type === scheme);
  const status = statusOf(address.text, scheme as UnixScheme, target, lines, socketHolders());
  if (!status.open && target.startsWith("@")) {
    asked("connect", ["look at", "socket"], target, () => {
      throw new Deno.errors.NotFound();
    });
  }
  return status;
}

/** Lists the sockets of a type that can be connected or sent to. */
export function listSockets(scheme: UnixScheme): SocketStatus[] {
  const lines = readLines().filter(({ type }) => type === scheme);
  const holders = socketHolders();
  const paths = new Set(lines.filter((line) => line.reachable && !isGone(line)).map(({ path }) => path));
  return [...paths].sort().map((path) => statusOf(formatAddress(scheme, path), scheme, path, lines, holders));
}

/**
 * Whether nobody can get to it by its path, from here at least.
 *
 * So it is once the path was removed. The kernel writes names as they are, and any user can have one with a line in it
 * that looks like a socket's: there is none at that path.
 */
function isGone({ path }: Line): boolean {
  if (!path.startsWith("/")) return false;
  try {
    return !Deno.lstatSync(path).isSocket;
  } catch (error) {
    return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
  }
}

function statusOf(
  address: string,
  type: UnixScheme,
  path: string,
  lines: readonly Line[],
  holders: ReadonlyMap<number, readonly number[]>,
): SocketStatus {
  const names = namesOf(path);
  const same = lines.filter((line) => names.includes(line.path));
  const open = same.filter(({ reachable }) => reachable);
  return {
    address,
    type,
    path,
    ...fileOf(path),
    open: open.length > 0,
    connections: same.filter(({ connected }) => connected).length,
    holders: [...new Set(open.flatMap(({ inode }) => holders.get(inode) ?? []))].sort((a, b) => a - b),
  };
}

/** The names that a path may have been bound under. */
function namesOf(path: string): string[] {
  try {
    return path.startsWith("@") ? [path] : [path, Deno.realPathSync(path)];
  } catch {
    return [path];
  }
}

function fileOf(path: string): Pick<SocketStatus, "uid" | "gid" | "mode"> {
  try {
    const { uid, gid, mode, isSocket } = Deno.lstatSync(path);
    return isSocket ? { uid: uid!, gid: gid!, mode: mode! & 0o7777 } : {};
  } catch {
    return {};
  }
}

/** Num, RefCount, Protocol, Flags, Type, St, Inode and Path of the sockets that have a name. */
function readLines(): Line[] {
  let text: string;
  try {
    text = Deno.readTextFileSync("/proc/net/unix");
  } catch (cause) {
    throw new NotSupportedError("Cannot list sockets: /proc/net/unix cannot be read", {
      target: "/proc/net/unix",
      hint: "give the program --allow-all",
      cause,
    });
  }
  return [...text.matchAll(LINE)].flatMap(([, flags, number, state, inode, path]) => {
    const type = TYPES[number!];
    if (type === undefined) return [];
    const listens = (parseInt(flags!, 16) & LISTENS) !== 0;
    const connected = state === CONNECTED;
    const reachable = type === "unix-dgram" || listens;
    return [{ type, path: path!, inode: Number(inode), connected: connected && !listens, reachable }];
  });
}

const LINE = /^[0-9a-f]+: \S+ \S+ ([0-9A-F]{8}) ([0-9A-F]{4}) ([0-9A-F]{2}) +(\d+) (.+)$/gm;
